# What a lost rank costs the task that it ran: attempts that each have a number of their own, the
# reason that retry and crash-limit give, and no wait for a rank that dies when all is done.
. "$(dirname "$0")/lib.sh"
: "${GRIDMILL_PLUGINS:?the folder of the kernel and the library}"
cp "$GRIDMILL_PLUGINS"/crash.so .
# A sanitizer's library wants to be the first.
first=$(ldd "$RUNNER" | awk '/lib[at]san/ { print $3 }')

job() # ARGUMENTS [LINE...]: 30 tasks on 3 ranks; further lines of the stage
{
    local args=$1 line
    shift
    cat >job.yaml <<YAML
ranks: 3
oversubscribe: true
results: job.h5
tasks:
  - name: work
    matrix: {x: 1-30}
    kernel: ./crash.so#test.crash
    args: {x: "\${x}", log: $work/log$args}
YAML
    for line in "$@"; do
        echo "    $line" >>job.yaml
    done
    rm -rf job.h5* job.summary.json
}

# All tasks but task 7 (x = 8) went well at once. Its attempts, "STATUS REASON STATUS REASON ...":
# one of these.
attempts_are() # SEQUENCE...
{
    h5 "
want = [[int(v) for v in w.split()] for w in sys.argv[2:]]
status = f['tasks/status'][...]
assert len(status) == 30 and (np.delete(status, 7) == 1).all(), status
a = {k: f['attempts'][k][...] for k in ('task', 'attempt', 'status', 'reason')}
of = a['task'] == 7
got = np.stack([a['status'][of], a['reason'][of]], 1)
assert got.ravel().tolist() in want, got
assert a['attempt'][of].tolist() == list(range(1, len(got) + 1)), a['attempt'][of]
assert status[7] == got[-1, 0] and f['tasks/attempts'][7] == len(got)" job.h5 "$@"
}

echo "-- a retry that leaves out node"
job ", crash: 8" "retry: {limit: 3, on: [exit, signal, timeout]}"
expect 1 "$GRIDMILL" run job.yaml
says 'work\[7\]: rank [0-9] was lost while it ran this task, and its retry: on leaves out node'
attempts_are "2 6"

echo "-- a retry that has it, whose limit is not the bound"
job ", crash: 8" "retry: {limit: 1, on: [exit, node]}" "crash-limit: 2"
expect 1 "$GRIDMILL" run job.yaml
says 'work\[7\]: rank [0-9] was lost while it ran this task, for the last time that crash-limit allows'
attempts_are "4 6 2 7" # also where rank 0 went down with it first

echo "-- a group whose task failed once loses a member in its second attempt"
touch fail once
job ", crash: 8, fail: $work/fail, once: $work/once" "group: 2" "retry: {limit: 2}"
expect 0 "$GRIDMILL" run job.yaml
attempts_are "4 1 4 6 1 0"

echo "-- a rank that dies when nothing is left to do"
job ""
expect 0 timeout 30 env LD_PRELOAD="$first $GRIDMILL_PLUGINS/last_word.so" "$GRIDMILL" run job.yaml
says 'rank 1 .*is lost'
h5 "assert (f['tasks/status'][...] == 1).all() and 1 in f['tasks/rank'][...]" job.h5
exit 0
