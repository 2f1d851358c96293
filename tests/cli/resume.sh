# What is left of a run is run, and nothing else: on other ranks, started by gridmill, by mpirun, by
# Slurm's restart; what must not differ is refused by its key; two runs never have one folder.
. "$(dirname "$0")/lib.sh"
cat >job.yaml <<'END'
name: job
ranks: 2
oversubscribe: true
tasks:
  - name: nap
    matrix: {x: 1-20}
    kernel: sleep
    args: {seconds: 0.01}
  - name: mark
    needs: [nap]
    matrix: {x: 1-40}
    command: [sh, -c, "echo ${x} >>marks; sleep 0.08; echo ${x}"]
results: job.h5
END

# It leaves a line in `marks` for each command.
stopped_in_the_middle() # COMMAND...
{
    rm -f marks
    "$@" >out 2>err &
    local pid=$!
    for _ in $(seq 1500); do
        [ "$(wc -l 2>/dev/null <marks)" -ge 6 ] 2>/dev/null && break
        sleep 0.02
    done
    kill -TERM $pid
    wait $pid
    local rc=$?
    [ $rc -eq 5 ] || fail "exit $rc instead of 5"
}

# interrupted [OPTION...]: a run with some tasks of each stage committed
interrupted()
{
    rm -rf job.h5 job.h5.gm
    stopped_in_the_middle "$GRIDMILL" run job.yaml "$@"
    says 'gridmill resume .*job\.h5'
    [ ! -e job.h5 ] || fail "a results file, though the job is incomplete"
}

# whole RANKS-AT-LEAST: every task is there once, and no command that was committed ran twice
whole()
{
    [ ! -e job.h5.gm ] || fail "the folder is left"
    h5 "
status, tried = f['tasks/status'][...], f['attempts/task'][...]
assert len(status) == 60 and (status == 1).all(), status
assert len(np.unique(tried)) == 60
if len(tried) != 60: # nobody was lost: who was taken for that, and why?
    again = [i for i, t in enumerate(tried) if (tried == t).sum() > 1]
    raise SystemExit((f['ranks/lost_why'][...].tolist(), {k: f['attempts'][k][...][again].tolist() for k in f['attempts']}))
assert f['logs/mark/stdout/data'][...].tobytes().decode() == ''.join(f'{x}\n' for x in range(1, 41))
assert len(f['ranks/host']) >= int(sys.argv[2]), len(f['ranks/host'])
rank = f['tasks/rank'][...]
assert rank.max() < len(f['ranks/host']), rank.max()
assert f['job'].attrs['start'] <= f['tasks/start'][...].min(), 'the job began with its first launch'
# a command is run a second time only where its first run was not committed: two ranks
marks = open('marks').read().split()
assert set(marks) == {str(x) for x in range(1, 41)} and len(marks) <= 40 + 2, len(marks)
" job.h5 "$1"
    [ "$(hash_of job.h5)" = "$want" ] || fail "another result than that of a clean run"
}

expect 0 "$GRIDMILL" run job.yaml -q
want=$(hash_of job.h5) || exit 1

by_all()
{
    interrupted
    expect 0 "$GRIDMILL" resume job.h5 --ranks 4 --json
    "$PYTHON" -c '
import json, sys
s = json.load(open("out"))
assert s["outcome"] == "done" and s["committed"] == 60, s["outcome"]' || fail "--json"
    whole 4
    interrupted
    expect 0 "${MPIRUN[@]}" -n 3 "$RUNNER" --resume job.h5 -q
    whole 3
    expect 2 "${MPIRUN[@]}" -n 1 "$RUNNER" --resume job.h5 -q
    says 'job\.h5: is whole, there is nothing to resume'
}

# What may differ, and what may not.
differing()
{
    interrupted
    expect 2 "$GRIDMILL" resume job.h5 --set tasks.nap.args.seconds=0.5
    says 'tasks\.nap\.args\.seconds: .*ranks, mapping, per-rank, time and results'
    expect 2 "$GRIDMILL" resume job.h5 --set tasks.nap.args.second=1
    says 'second'
    expect 2 "$GRIDMILL" resume job.h5 --set name=other
    says '^gridmill: name: is not what'
    expect 2 "$GRIDMILL" run job.yaml
    says 'gridmill resume .*job\.h5 .*--force'
    expect 2 "${MPIRUN[@]}" -n 2 "$RUNNER" job.yaml
    says 'gridmill resume .*job\.h5 .*--force'
    expect 2 "$GRIDMILL" resume job.h5 --json --failed --set 'tasks.mark.command=[true]'
    says 'tasks\.mark\.command'
}

# Slurm has started the batch job again: the same job goes on, another one is refused.
started_again()
{
    interrupted
    sed 's/1-20/1-21/' job.yaml >other.yaml
    expect 2 env SLURM_RESTART_COUNT=1 "$GRIDMILL" run other.yaml -q
    says 'tasks\.nap\.matrix\.x: .*unfinished run'
    expect 2 env SLURM_RESTART_COUNT=1 "${MPIRUN[@]}" -n 2 "$RUNNER" other.yaml -q
    says 'tasks\.nap\.matrix\.x: .*unfinished run'
    cp -r job.h5.gm kept.h5.gm
    cp marks marks.kept
    expect 0 env SLURM_RESTART_COUNT=1 "$GRIDMILL" run job.yaml -q
    whole 2
    rm job.h5
    mv kept.h5.gm job.h5.gm
    mv marks.kept marks
    expect 0 env SLURM_RESTART_COUNT=2 "${MPIRUN[@]}" -n 2 "$RUNNER" job.yaml -q
    whole 2
}

# Another name for the results; a folder that was moved.
moved()
{
    interrupted
    expect 0 "$GRIDMILL" resume job.h5.gm -q --results later.h5
    [ ! -e job.h5.gm ] && [ ! -e job.h5 ] || fail "the old name is left"
    mv later.h5 job.h5
    whole 2
    interrupted
    mkdir elsewhere
    mv job.h5.gm elsewhere/
    expect 0 "$GRIDMILL" resume elsewhere/job.h5 -q
    mv elsewhere/job.h5 .
    whole 2
}

# A file that was packed of what there was is no whole one: its rest runs, too.
packed_early()
{
    interrupted
    expect 0 "$GRIDMILL" result pack job.h5 -o part.h5
    expect 0 "$GRIDMILL" resume part.h5 -q
    [ ! -e part.h5.gm ] && [ -d job.h5.gm ] || fail "the folders: $(ls -d ./*.gm)"
    rm -r job.h5.gm
    mv part.h5 job.h5
    whole 2
    expect 2 "$GRIDMILL" resume job.h5
    says 'job\.h5: is whole, there is nothing to resume: no task of it has failed$'
}

# Two at once: one has the folder, the other one says so.
two_at_once()
{
    interrupted
    "$GRIDMILL" resume job.h5 -q >first 2>&1 &
    first=$!
    for _ in $(seq 200); do
        grep -q '"launch": 1' job.h5.gm/plan.json 2>/dev/null && break
        sleep 0.01
    done
    expect 2 "$GRIDMILL" resume job.h5
    says 'a run that is going on writes there'
    wait $first || fail "the first resume: $(cat first)"
    whole 2
}

# Failed tasks stay so; --failed runs them, and what was skipped for them, from the packed file too.
failed_tasks()
{
    cat >failing.yaml <<'END'
ranks: 2
oversubscribe: true
tasks:
  - {name: try, matrix: {x: 1-6}, command: [sh, -c, "test ${x} -ne 3 -o -e mended"]}
  - {name: then, needs: [try], command: ["true"]}
results: failing.h5
END
    expect 1 "$GRIDMILL" run failing.yaml -q
    expect 2 "$GRIDMILL" resume failing.h5
    says 'is whole, there is nothing to resume .*--failed'
    expect 1 "$GRIDMILL" resume failing.h5 --failed -q
    touch mended
    expect 0 "${MPIRUN[@]}" -n 3 "$RUNNER" --resume failing.h5 --failed -q
    h5 "
assert (f['tasks/status'][...] == 1).all(), f['tasks/status'][...]
assert f['tasks/attempts'][...].tolist() == [1, 1, 3, 1, 1, 1, 1], f['tasks/attempts'][...]" failing.h5
    expect 2 "$GRIDMILL" resume failing.h5 --failed
    says 'no task of it has failed'
    [ ! -e failing.h5.gm ] || fail "a folder is left"

    # --failed is remembered until its tasks have run: by a later resume, and by a launch after a lost one.
    # What failed again stays so.
    cat >again.yaml <<'END'
ranks: 1
grace: 1s
matrix: {x: 1-6}
command: [sh, -c, "test ${x} != 3 || { test ! -e slow || { rm slow; sleep 60; }; test ! -e kill || { rm kill; kill -9 $PPID; }; }; test -e mended.${x}"]
results: again.h5
END
    tried()
    {
        h5 "
got = f['tasks/status'][...].tolist(), f['tasks/attempts'][...].tolist()
assert got == (json.loads(sys.argv[2]), json.loads(sys.argv[3])), got" again.h5 "$@"
    }
    expect 1 "$GRIDMILL" run again.yaml -q
    cp again.h5 first.h5
    touch slow mended.1 mended.4
    "$GRIDMILL" resume again.h5 --failed -q >out 2>err &
    pid=$!
    for _ in $(seq 300); do
        [ ! -e slow ] && break
        sleep 0.02
    done
    kill -TERM $pid
    wait $pid
    [ $? -eq 5 ] || fail "the first resume is not incomplete: $(cat err)"
    touch mended.2 mended.3
    expect 1 "$GRIDMILL" resume again.h5 -q
    tried '[1, 2, 1, 1, 2, 2]' '[2, 2, 2, 2, 2, 2]'
    mv first.h5 again.h5
    rm mended.*
    touch kill mended.1
    expect 1 "$GRIDMILL" resume again.h5 --failed -q
    says 'the rest is launched again'
    tried '[1, 2, 2, 2, 2, 2]' '[2, 2, 2, 2, 2, 2]'

    # Two of them at once have one folder: the other one says so, or comes after it.
    for _ in 1 2 3; do
        "$GRIDMILL" resume again.h5 --failed -q >one 2>&1 &
        pid=$!
        "$GRIDMILL" resume again.h5 --failed -q >two 2>&1
        two=$?
        wait $pid
        one=$?
        case $one$two in
            11) ;;
            12) grep -qE 'another run has just|a run that is going on|finished meanwhile' two || fail "two at once: $(cat two)" ;;
            21) grep -qE 'another run has just|a run that is going on|finished meanwhile' one || fail "two at once: $(cat one)" ;;
            *) fail "two at once: $one $(cat one), $two $(cat two)" ;;
        esac
        [ -e again.h5 ] && [ ! -e again.h5.gm ] && [ ! -e again.h5.gm.unpacked ] || fail "left: $(ls -d again*)"
    done
    # What one that was killed had unpacked goes with the next.
    mkdir -p again.h5.gm.unpacked/shards/000
    touch again.h5.gm.unpacked/lock again.h5.gm.unpacked/shards/000/rank-000000.h5
    touch mended.2 mended.3 mended.4 mended.5 mended.6
    expect 0 "$GRIDMILL" resume again.h5 --failed -q
    [ ! -e again.h5.gm.unpacked ] || fail "the unpacked folder is left"
}

# Killed between the rename of FILE and the end of its folder's removal, whose plan goes first.
left_over()
{
    interrupted
    cp -r job.h5.gm kept.h5.gm
    expect 0 "$GRIDMILL" resume job.h5 -q
    mv kept.h5.gm job.h5.gm
    h5 "open('job.h5.gm/plan.json', 'wb').write(f['job/plan'][()])" job.h5
    for state in plan shards lock; do
        case $state in
            shards) rm job.h5.gm/plan.json ;;
            lock) rm -r job.h5.gm/shards job.h5.gm/job.h5 ;;
        esac
        expect 2 "$GRIDMILL" resume job.h5
        says 'job\.h5: is whole, .*job\.h5\.gm is left over and can be removed'
        expect 2 "$GRIDMILL" run job.yaml
        says 'results are there already'
        expect 2 env SLURM_RESTART_COUNT=1 "$GRIDMILL" run job.yaml
        says 'results are there already'
        [ "$(hash_of job.h5)" = "$want" ] || fail "$state: another result"
        [ $state = plan ] && continue
        expect 2 "$GRIDMILL" resume job.h5 --failed
        says 'job\.h5: is whole, .*in the way'
    done

    # Killed before the plan was written: there is no run, and nothing of one.
    rm -r job.h5 job.h5.gm
    mkdir job.h5.gm
    touch job.h5.gm/lock
    expect 2 "$GRIDMILL" resume job.h5
    says 'has no plan\.json, .*gridmill run'
    expect 0 env SLURM_RESTART_COUNT=1 "$GRIDMILL" run job.yaml -q
    [ "$(hash_of job.h5)" = "$want" ] || fail "another result"
    # What has shards, or was never a job's, is not taken for that.
    interrupted
    rm job.h5.gm/plan.json
    expect 2 "$GRIDMILL" run job.yaml
    says 'job\.h5\.gm: is left over .*remove it'
    rm -r job.h5.gm
    mkdir job.h5.gm
    expect 2 "$GRIDMILL" run job.yaml
    says 'job\.h5\.gm: is in the way'
    rmdir job.h5.gm || fail "something was written into a folder that is not ours"
}

# A task that would not end before the time is over is not begun: exit 5, and the rest later.
timed()
{
    cat >timed.yaml <<'END'
ranks: 2
oversubscribe: true
matrix: {x: 1-60}
kernel: sleep
args: {seconds: 0.2}
results: timed.h5
END
    expect 5 "$GRIDMILL" run timed.yaml -q --set time=2.5
    says 'stopped with ([5-9]|1[0-9]|2[0-4]) of 60 tasks done, no other fits .*gridmill resume .*timed\.h5'
    expect 5 env SLURM_JOB_END_TIME=$(($(date +%s) + 3)) "$GRIDMILL" resume timed.h5 -q --set grace=1s --set time=0
    says '(time is over|no other fits).*gridmill resume .*timed\.h5'
    expect 0 "$GRIDMILL" resume timed.h5 -q --set time=10m
    h5 "assert (f['tasks/status'][...] == 1).all() and len(f['attempts/task']) == 60" timed.h5
}

# The results' folder takes no new file in the middle: what is committed stays, and a resume packs.
read_only()
{
    mkdir shut
    "$GRIDMILL" run job.yaml --results shut/job.h5 -q >first 2>&1 &
    first=$!
    for _ in $(seq 300); do
        [ "$(wc -l 2>/dev/null <marks)" -ge 6 ] 2>/dev/null && break
        sleep 0.02
    done
    if mount --bind -o ro shut shut 2>/dev/null && mount -o remount,bind,ro shut 2>/dev/null; then
        at_end+=("umount $work/shut")
        wait $first
        rc=$?
        [ $rc -eq 5 ] || fail "read-only: exit $rc: $(cat first)"
        grep -q 'Read-only file system' first || fail "read-only: $(cat first)"
        expect 0 "$GRIDMILL" result show shut/job.h5
        umount shut || fail "umount"
        at_end=()
        expect 0 "$GRIDMILL" resume shut/job.h5 -q
        [ "$(hash_of shut/job.h5)" = "$want" ] || fail "read-only: another result"
    else
        wait $first || fail "a run beside"
    fi
}

# An input that changed.
changed_input()
{
    seq 40 >lines.txt
    cat >lines.yaml <<'END'
name: lines
ranks: 2
oversubscribe: true
shards: {of: lines.txt, lines: 1}
command: [sh, -c, "echo >>marks; sleep 0.08; cat ${shard.path} >/dev/null"]
results: lines.h5
END
    stopped_in_the_middle "$GRIDMILL" run lines.yaml -q
    [ -d lines.h5.gm ] || fail "no unfinished run"
    cp lines.txt kept.txt
    echo 41 >>lines.txt
    expect 2 "$GRIDMILL" resume lines.h5
    says 'lines\.txt: is not what the unfinished run has read'
    cp kept.txt lines.txt
    expect 0 "$GRIDMILL" resume lines.h5 -q
    expect 2 "$GRIDMILL" resume nothing.h5
    says 'nothing\.h5: no such results'
}

before_part()
{
    cp ../job.yaml .
}

lanes "by_all changed_input" "differing started_again" "moved packed_early two_at_once" \
    failed_tasks "left_over read_only"
lanes timed # by the clock: nothing beside it
exit 0
