# A stop while commands run: they have the job's grace to end by themselves, and what ends is kept; a
# second stop, or the end of the grace, ends them; a resume runs what is left.
. "$(dirname "$0")/lib.sh"

have_begun() # NUMBER of commands
{
    local i
    for i in $(seq 600); do
        [ "$(ls | grep -c '^began')" -ge "$1" ] && break
        sleep 0.05
    done
    [ "$(ls | grep -c '^began')" -eq "$1" ] || fail "not $1 commands: $(ls)"
    sleep 0.3
    began=$SECONDS
}

write_job() # COMMAND [LINE...]: of the job
{
    local line command=$1
    shift
    cat >job.yaml <<END
ranks: 2
oversubscribe: true
results: job.h5
tasks:
  - name: s
    matrix: {x: 1-8}
    retry: {limit: 3, on: [exit]}
    command: [sh, -c, 'touch began.\${x}; $command']
END
    for line in "$@"; do
        echo "$line" >>job.yaml
    done
}

start() # COMMAND [LINE...]: runs it in the background
{
    write_job "$@"
    rm -rf job.h5* began.*
    "$PYTHON" -c '
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$GRIDMILL" run job.yaml >out 2>err &
    pid=$!
    at_end=("kill $pid")
    have_begun 2
}

ends() # CODE SECONDS: at most
{
    local rc
    wait $pid
    rc=$?
    at_end=()
    [ $rc -eq "$1" ] || fail "exit code $rc instead of $1"
    [ $((SECONDS - began)) -le "$2" ] || fail "it took $((SECONDS - began)) s"
}

are() # NUMBER STATUS: so many tasks are
{
    local n
    n=$("$GRIDMILL" result tasks job.h5 --json 2>/dev/null | "$PYTHON" -c '
import json, sys
text = sys.stdin.read()
tasks = json.loads(text).get("tasks", []) if text else []
print(sum(t["status"] == sys.argv[1] for t in tasks))' "$2")
    [ "$n" -eq "$1" ] || fail "$n tasks are $2 instead of $1"
}

kept_in_the_grace()
{
    echo "-- what ends in the grace is kept"
    start 'sleep 2'
    kill -INT $pid
    ends 5 6
    says 'no more tasks are begun.* 30\.0 s to end'
    says 'gridmill resume'
    [ "$(ls | grep -c '^began')" -eq 2 ] || fail "tasks were begun after the stop"
    are 2 done
}

second_stop()
{
    echo "-- a second stop ends it at once"
    start 'trap "touch told.\$\$; exit 1" TERM; sleep 60 & wait'
    kill -INT $pid
    sleep 1.5
    [ "$(ls | grep -c '^told')" -eq 0 ] || fail "they were told at the first"
    kill -INT $pid
    ends 5 5
    [ "$(ls | grep -c '^told')" -eq 2 ] || fail "they were killed, and not told"
}

grace_over()
{
    echo "-- the grace is over"
    start 'sleep 60' 'grace: 2s'
    kill -TERM $pid
    ends 5 5
    are 0 done
    are 0 failed
}

time_over()
{
    echo "-- the job's time is over"
    start 'sleep 2' 'time: 1.5s'
    ends 5 6
    are 2 done
}

tried_again()
{
    echo "-- one that fails then is tried again by the resume"
    start '[ \${x} -le 2 ] || [ -e again ] && sleep 1 && exit 0; while [ ! -e fail ]; do sleep 0.05; done; exit 3'
    have_begun 4
    kill -INT $pid
    sleep 0.5
    touch fail
    ends 5 5
    touch again
    expect 0 "$GRIDMILL" resume job.h5 -q
    h5 "
assert (f['tasks/status'][...] == 1).all()
assert sorted(f['tasks/attempts'][...].tolist()) == [1] * 6 + [2] * 2, f['tasks/attempts'][...]
assert len(f['attempts/task']) == 10" job.h5
}

signalled_too()
{
    echo "-- commands that got our signal, too (as Slurm sends it), have not failed"
    start 'sleep 30'
    read -r -a ranks <<<"$(cat /proc/"$(cut -d' ' -f1 /proc/$pid/task/$pid/children)"/task/*/children)"
    for rank in "${ranks[@]}"; do
        read -r -a commands <<<"$(cat /proc/"$rank"/task/*/children)"
        kill -USR1 "$rank" "${commands[@]}"
    done
    ends 5 5
    are 0 failed
}

under_mpirun()
{
    echo "-- SIGUSR1 and SIGTERM to ranks of mpirun itself"
    write_job 'sleep 30'
    for second in USR1 TERM; do
        rm -rf job.h5* began.*
        LSAN_OPTIONS=exitcode=0 "${MPIRUN[@]}" -n 2 "$RUNNER" job.yaml >out 2>err & # MPI leaks
        pid=$!
        at_end=("kill $pid")
        have_begun 2
        kill -USR1 $pid
        sleep 1.5
        kill -0 $pid || fail "the grace was not given"
        kill -"$second" $pid
        if [ "$second" = USR1 ]; then
            ends 5 5
        else # mpirun has an exit code of its own then, and gives ranks two seconds
            wait $pid
            at_end=()
        fi
        says 'stopped on request: no task was committed'
    done
}

lanes "kept_in_the_grace second_stop" "grace_over tried_again signalled_too" under_mpirun
lanes time_over # by the clock: nothing beside it
exit 0
