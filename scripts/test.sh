#!/usr/bin/env bash
# Runs every test: the release build and all of its tests, then the unit tests under the address
# and undefined-behaviour sanitizers. Ends with one line for both. Real third-party data is used
# where GRIDMILL_TEST_DATA names its folder; those tests are skipped, visibly, without it.
#
#   scripts/test.sh          everything that fits a commit
#   scripts/test.sh --soak   the tests labelled soak as well (minutes to hours)
set -euo pipefail
cd "$(dirname "$0")/.."

skip_labels=(-LE soak)
packages=(--test)
case "${1-}" in
    "") ;;
    --soak) skip_labels=() packages+=(--soak) ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "test.sh: unknown option $1 (try --help)" >&2; exit 2 ;;
esac

jobs=$(nproc)
times=()
began=$SECONDS

step() # NAME COMMAND...: runs it and notes its seconds
{
    local name=$1 from=$SECONDS
    shift
    echo "== $name"
    "$@"
    times+=("$(printf '%6d s  %s' $((SECONDS - from)) "$name")")
}

total=0
failed=0
suite() # PRESET CTEST-OPTIONS...: a failing test is counted, not fatal
{
    local preset=$1 log
    shift
    log=build/$preset/test.log
    ctest --preset "$preset" -j "$jobs" "$@" 2>&1 | tee "$log" || true
    local line
    line=$(grep -E '^[0-9]+% tests passed, [0-9]+ tests? failed out of [0-9]+$' "$log" | tail -n 1)
    if [ -z "$line" ]; then
        echo "test.sh: ctest --preset $preset did not come to its end" >&2
        exit 1
    fi
    read -r bad of < <(sed -E 's/.*, ([0-9]+) tests? failed out of ([0-9]+)/\1 \2/' <<<"$line")
    failed=$((failed + bad))
    total=$((total + of))
}

step "packages" scripts/deps.sh "${packages[@]}"
step "release: configure" cmake --preset release -DBUILD_TESTING=ON -DGRIDMILL_WERROR=ON \
    --log-level=NOTICE
step "release: build" cmake --build --preset release
step "release: tests" suite release "${skip_labels[@]}"
step "asan: configure" cmake --preset asan -DBUILD_TESTING=ON --log-level=NOTICE
step "asan: build" cmake --build --preset asan
step "asan: unit tests" suite asan -L unit

echo
printf '%s\n' "${times[@]}"
printf '%6d s  in all\n\n' $((SECONDS - began))
echo "$(((total - failed) * 100 / total))% tests passed, $failed tests failed out of $total"
[ "$failed" -eq 0 ]
