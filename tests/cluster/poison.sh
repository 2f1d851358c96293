# One rank a host, so that nobody is left to look where it was when it dies: a task that crashes its
# rank leaves a word as it goes, and of one that is killed the others know what it told last. Neither
# takes down host after host.
. "$(dirname "$0")/lib.sh"
: "${GRIDMILL_PLUGINS:?the folder of the kernel}"
cp "$GRIDMILL_PLUGINS"/crash.so .
cluster_up 4
need_mpirun gn0 gn1 gn2 gn3

job() # TASKS SECONDS LIMIT ARGUMENTS
{
    cat >job.yaml <<YAML
ranks: 4
mapping: spread
results: job.h5
tasks:
  - name: work
    matrix: {x: 1-$1}
    kernel: ./crash.so#test.crash
    args: {x: "\${x}", log: $work/log, seconds: $2$4}
    crash-limit: $3
YAML
    rm -rf job.h5* log
}

run() # in the background; $pid
{
    "$cluster" exec head "$GRIDMILL" run "$work/job.yaml" --hosts 'gn[0-3]' >out 2>err </dev/null &
    pid=$!
}

ended() # CODE
{
    wait $pid
    local rc=$?
    [ $rc -eq "$1" ] || fail "exit $rc instead of $1"
}

echo "-- it crashes whoever runs it"
job 40 0.05 2 ", crash: 5"
run
ended 1
h5 "
status, reason = f['tasks/status'][...], f['tasks/reason'][...]
assert np.flatnonzero(status != 1).tolist() == [4] and reason[4] == 7, (status, reason)
assert f['tasks/attempts'][4] == 2, f['tasks/attempts'][4]
why = [w.decode() for w in f['ranks/lost_why'][...] if w]
assert 1 <= len(why) <= 2 and all(w.endswith('ended by SIGSEGV') for w in why), why" job.h5

kill_rank() # RANK: while it is in a long task
{
    local victim _
    for _ in $(seq 300); do
        victim=$(grep -lsF -e "$work/job.h5.gm" /proc/[0-9]*/cmdline | cut -d/ -f3 | while read -r p; do
            grep -qszF "OMPI_COMM_WORLD_RANK=$1" "/proc/$p/environ" && echo "$p"
        done)
        [ -n "$victim" ] && [ "$(ls job.h5.gm/shards/*/*.h5 2>/dev/null | wc -l)" -ge 4 ] && break
        sleep 0.05
    done
    [ -n "$victim" ] || fail "no rank $1"
    sleep 2.5
    kill -9 "$victim"
}

echo "-- rank 0 is killed in a long task: nobody waits until it has been silent for long"
job 8 4 1 ""
run
kill_rank 0
since=$SECONDS
until grep -q 'launched again (1 of 3)' err; do
    [ $((SECONDS - since)) -le 10 ] || fail "its loss was not noticed"
    sleep 0.1
done
grep -q 'rank 0 (gn0) is lost: pid [0-9]* ended' err || fail "the cause is not told"
ended 1
h5 "
status, reason = (f['tasks'][k][...] for k in ('status', 'reason'))
bad = np.flatnonzero(status != 1)
assert len(bad) == 1 and reason[bad[0]] == 7, (status, reason)
assert f['ranks/lost'][0] > 0, f['ranks/lost'][...]" job.h5

echo "-- it is killed in a long task"
job 8 4 1 ""
run
kill_rank 2
ended 1
h5 "
status, reason, rank = (f['tasks'][k][...] for k in ('status', 'reason', 'rank'))
bad = np.flatnonzero(status != 1)
assert len(bad) == 1 and reason[bad[0]] == 7 and rank[bad[0]] == 2, (status, reason, rank)
assert f['ranks/lost'][2] > 0 and np.count_nonzero(f['ranks/lost'][...]) == 1" job.h5
exit 0
