# kill -9 of a rank, of mpirun or of gridmill at any instant: the run ends, nothing of it is left
# running, what was committed is readable, and --force starts over. Five rounds of each victim with
# GRIDMILL_TEST_KILLS=5; the seed is printed and can be given as GRIDMILL_TEST_SEED.
. "$(dirname "$0")/lib.sh"
rounds=${GRIDMILL_TEST_KILLS:-2}
RANDOM=${GRIDMILL_TEST_SEED:=$((SECONDS + $$))}
echo "seed: $GRIDMILL_TEST_SEED"
cat >job.yaml <<'END'
ranks: 2
oversubscribe: true
tasks:
  - name: nap
    matrix: {x: 1-100}
    kernel: sleep
    args: {seconds: 0.01}
  - name: command
    matrix: {x: 1-4}
    command: [sleep, "0.1${x}"]
    needs: [nap]
results: job.h5
END

children() # PID
{
    cat /proc/"$1"/task/*/children 2>/dev/null
}

runs_on() # the processes of the job, but no zombies
{
    local p
    for p in $(grep -lsF -e "$work/job.h5.gm" -e GRIDMILL_STAGE=command \
        /proc/[0-9]*/cmdline /proc/[0-9]*/environ | cut -d/ -f3 | sort -u); do
        grep -qsF "$work" "/proc/$p/cmdline" "/proc/$p/environ" || continue
        [ "$p" -ne $$ ] && grep -qsE '^State:.[^ZX]' "/proc/$p/status" &&
            tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null
    done
}

round() # VICTIM
{
    local pid mpirun ranks victim rc wait_ms=$((RANDOM % 1200))
    "$GRIDMILL" run job.yaml --force -q >out 2>err &
    pid=$!
    sleep "$(printf '%d.%03d' $((wait_ms / 1000)) $((wait_ms % 1000)))"
    mpirun=$(children $pid | cut -d' ' -f1)
    read -r -a ranks <<<"$([ -n "$mpirun" ] && children "$mpirun")"
    case $1 in
        gridmill) victim=$pid ;;
        mpirun) victim=$mpirun ;;
        rank0) victim=${ranks[0]-} ;;
        rank1) victim=${ranks[1]-} ;;
    esac
    [ -n "$victim" ] && kill -9 "$victim" 2>/dev/null
    for _ in $(seq 300); do
        grep -qsE '^State:.[^ZX]' /proc/$pid/status || break
        sleep 0.1
    done
    grep -qsE '^State:.[^ZX]' /proc/$pid/status && fail "$1 after $wait_ms ms: 30 s on, it runs"
    { wait $pid; } 2>/dev/null
    rc=$?
    echo "$1 after $wait_ms ms: exit $rc"
    case $1.$rc in
        *.0 | *.5) ;;
        gridmill.137) ;;
        *) fail "$1 after $wait_ms ms: exit $rc" ;;
    esac
    # Orphans look for their gridmill ten times a second, then end their commands.
    local i left
    for i in $(seq 50); do
        left=$(runs_on)
        [ -z "$left" ] && break
        sleep 0.1
    done
    [ -z "$left" ] || fail "$1 after $wait_ms ms: still there: $left"
    if ls job.h5.gm/shards/*/*.h5 >/dev/null 2>&1 || [ -e job.h5 ]; then
        expect 0 "$GRIDMILL" result show job.h5 --json
    fi
}

for ((k = 0; k < rounds; k++)); do
    for victim in gridmill mpirun rank0 rank1; do
        round $victim
    done
done
expect 0 "$GRIDMILL" run job.yaml --force -q
exit 0
