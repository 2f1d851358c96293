#!/usr/bin/env bash
# Fuzzes what reads foreign text: builds the targets of tests/fuzz with clang's libFuzzer and the
# address and undefined-behaviour sanitizers, and runs each on inputs of its own making. One line
# a target; exit 1 when there is a finding, whose input is kept in build/fuzz/found/TARGET.
#
#   scripts/fuzz.sh                       each target for 600 seconds, as many at once as CPUs
#   scripts/fuzz.sh SECONDS [TARGET...]   so long, and these targets alone
#
# The stored inputs are tests/fuzz/corpus/TARGET; new ones go to build/fuzz/corpus/TARGET and are
# taken up again. GRIDMILL_TEST_DATA names a folder of real jobspecs and YAML, used as seeds too.
# GRIDMILL_FUZZ_SECONDS is SECONDS where none is given.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1-}" in
    -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
seconds=${1:-${GRIDMILL_FUZZ_SECONDS:-600}}
case $seconds in
    '' | *[!0-9]*) echo "fuzz.sh: '$seconds' is no number of seconds (try --help)" >&2; exit 2 ;;
esac
[ $# -gt 0 ] && shift
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    for file in tests/fuzz/fuzz_*.c; do
        name=${file##*/fuzz_}
        [ -d "tests/fuzz/corpus/${name%.c}" ] && targets+=("${name%.c}")
    done
fi
for target in "${targets[@]}"; do
    if [ ! -d "tests/fuzz/corpus/$target" ]; then
        echo "fuzz.sh: no target '$target' (of $(cd tests/fuzz/corpus && echo *))" >&2
        exit 2
    fi
done
if ! printf 'int LLVMFuzzerTestOneInput(const char *p, long n) { return !p && n; }\n' |
    clang -fsanitize=fuzzer,address,undefined -x c -o /dev/null - 2>/dev/null; then
    echo "fuzz.sh: clang with libFuzzer is not here: scripts/deps.sh --soak installs it" >&2
    exit 77
fi

cmake --preset fuzz --log-level=NOTICE >/dev/null
cmake --build --preset fuzz --target "${targets[@]/#/fuzz_}" >build/fuzz/build.log 2>&1 || {
    tail -n 40 build/fuzz/build.log >&2
    exit 1
}

seeds() # TARGET: folders of real data that hold the kind of text it reads
{
    local data=${GRIDMILL_TEST_DATA-}
    case $1 in
        jobspec | canonical | doc | yaml) ;;
        *) return 0 ;;
    esac
    echo tests/golden/jobspec/valid
    [ -n "$data" ] || return 0
    for folder in "$data/jobspec" "$data/yaml"; do
        [ -d "$folder" ] && echo "$folder"
    done
    return 0
}

fuzz() # TARGET: runs it; one line, and 1 when something was found
{
    local target=$1 new=build/fuzz/corpus/$1 found=build/fuzz/found/$1 log=build/fuzz/$1.log
    local stored=() rc=0
    mkdir -p "$new" "$found"
    mapfile -t stored < <(seeds "$target")
    build/fuzz/tests/bin/fuzz_"$target" -max_total_time="$seconds" -max_len=4096 -timeout=25 \
        -rss_limit_mb=2048 -print_final_stats=1 -dict=tests/fuzz/dict/"$target".dict \
        -artifact_prefix="$found/" "$new" tests/fuzz/corpus/"$target" "${stored[@]}" \
        >"$log" 2>&1 || rc=$?
    local runs edges size result=ok
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    edges=$(sed -n 's/.* cov: \([0-9]*\).*/cov: \1/p' "$log" | tail -n 1)
    size=$(sed -n 's/.* corp: \([0-9]*\).*/corp: \1/p' "$log" | tail -n 1)
    if [ "$rc" -ne 0 ]; then
        result="FOUND $(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)"
        [ "$result" != "FOUND " ] || result="FAILED ($log)"
    fi
    printf '%-12s %10s executions  %-11s %-11s %s\n' "$target" "${runs:-?}" "${edges:-cov: ?}" \
        "${size:-corp: ?}" "$result"
    [ "$rc" -eq 0 ]
}

# As many at once as there are CPUs.
failed=0
running=0
for target in "${targets[@]}"; do
    if [ "$running" -ge "$(nproc)" ]; then
        wait -n || failed=1
        running=$((running - 1))
    fi
    fuzz "$target" &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
    wait -n || failed=1
    running=$((running - 1))
done
exit "$failed"
