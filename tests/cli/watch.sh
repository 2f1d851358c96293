# A job is watched from another process: while mpirun's ranks write, over a kill and a resume, once it is over; the
# watcher's exit code is the job's, what it prints is true, and the job is what it is unwatched.
. "$(dirname "$0")/lib.sh"
cat >job.yaml <<'END'
name: job
ranks: 2
oversubscribe: true
tasks:
  - name: nap
    matrix: {x: 1-80}
    kernel: sleep
    args: {seconds: 0.05}
  - name: mark
    needs: [nap]
    matrix: {x: 1-40}
    command: [sh, -c, "sleep 0.05; echo 'not ${x}' >&2; test ${x} -ne 7"]
results: job.h5
END
pids=()
at_end+=(end_all)
end_all()
{
    local pid
    for pid in "${pids[@]}"; do
        kill -KILL "$pid" 2>/dev/null
    done
}

# ended PID WANT: it ends within 20 s, with this exit code
ended()
{
    local rc
    for _ in $(seq 200); do
        kill -0 "$1" 2>/dev/null || break
        sleep 0.1
    done
    kill -0 "$1" 2>/dev/null && fail "still there: $1"
    wait "$1"
    rc=$?
    [ $rc -eq "$2" ] || fail "exit $rc instead of $2"
}

# until_seen FILE TEXT
until_seen()
{
    for _ in $(seq 300); do
        grep -q -- "$2" "$1" 2>/dev/null && return
        sleep 0.05
    done
    cp "$1" out
    fail "$1 never said: $2"
}

# What is not there, and what is no job.
expect 2 "$GRIDMILL" watch job.h5
says 'job\.h5: there is no results file.*--wait'
expect 2 "$GRIDMILL" watch --json job.h5
expect 2 "$GRIDMILL" watch job.yaml
says 'job\.yaml: not an HDF5 file'
expect 2 "$GRIDMILL" watch
expect 2 "$GRIDMILL" watch --interval soon job.h5
says '--interval: '
expect 2 "$GRIDMILL" watch --interval 0 job.h5
says '--interval: 0: must be 100ms'
mkdir other.h5.gm
expect 2 "$GRIDMILL" watch other.h5
rmdir other.h5.gm

# From before it begins to its end, by people and by a program.
"$GRIDMILL" watch --wait --interval 0.2 job.h5 >plain 2>plain.err &
plain=$!
"$GRIDMILL" watch --wait --interval 0.2 --json job.h5 >json 2>json.err &
json=$!
pids+=($plain $json)
until_seen plain 'job\.h5: waiting'
"$GRIDMILL" run job.yaml -q >run.out 2>run.err &
run=$!
pids+=($run)
until_seen plain ' of 120 tasks'
expect 0 "$GRIDMILL" watch --once job.h5
says '^job: running.* 2 ranks'
says '^  nap  .* 80 '
says '^     1  .* ago$'
ended $run 1
ended $plain 1
ended $json 1
[ ! -s plain.err ] && [ ! -s json.err ] || fail "a word on standard error: $(cat plain.err json.err)"
[ "$(tail -n 1 plain | grep -c '^job: failed, 120 of 120 tasks, 1 failed, .*mark\[6\] x=7: exit status 1; gridmill result failed job\.h5')" -eq 1 ] ||
    fail "the end: $(tail -n 1 plain)"
[ "$(sort plain | uniq -d | wc -l)" -eq 0 ] || fail "a line twice"
"$PYTHON" - json <<'END' || fail "json"
import json, sys
seen = [json.loads(line) for line in open(sys.argv[1])]
assert all(v["schema"] == "gridmill.watch/1" and v["file"] == "job.h5" for v in seen)
order = ["waiting", "starting", "running", "packing", "over"]
states = [order.index(v["state"]) for v in seen]
assert states == sorted(states) and states[0] == 0 and states[-1] == 4, states
told = [v for v in seen if "tasks" in v]
running = [v for v in told if v["state"] == "running"]
assert len(running) > 5, len(running)
done = [v["done"] for v in told]
assert done == sorted(done) and done[-1] == 119, done
assert len({v["id"] for v in told}) == 1
for v in told:
    assert v["tasks"] == 120 and [s["name"] for s in v["stages"]] == ["nap", "mark"], v
    for key in ("done", "failed", "skipped", "retried"):
        assert v[key] == sum(s[key] for s in v["stages"]), v
    assert v["outcome"] is None or v["state"] == "over", v
    assert len(v["ranks"]) == 2 and sum(r["tasks"] for r in v["ranks"]) == v["done"] + v["failed"], v
assert any(v["rate"] > 5 and 0 < v["left"] < 60 for v in running)
assert any(0.3 < r["busy"] < 1.2 for v in running for r in v["ranks"])
last = seen[-1]
assert last["outcome"] == "failed" and last["code"] == 1 and last["resume"] is None, last
assert [(f["stage"], f["task"], f["message"]) for f in last["failures"]] == [("mark", 6, "exit status 1")], last
assert json.loads(last["failures"][0]["params"]) == {"x": 7}
END

# One that is over.
clean=$(hash_of job.h5)
expect 1 "$GRIDMILL" watch job.h5
says '^job: failed, 120 of 120'
expect 1 "$GRIDMILL" watch --once job.h5
says '^  mark\[6\] x=7: exit status 1'
says_not 'resume'
cp job.h5 done.h5
rm job.h5

# Killed while it is watched: it says how to go on. Once that is done, so does a watcher that waits.
"$GRIDMILL" run job.yaml -q >run.out 2>run.err &
run=$!
pids+=($run)
"$GRIDMILL" watch --wait --interval 0.2 job.h5 >plain 2>plain.err &
plain=$!
pids+=($plain)
until_seen plain '[1-9][0-9] of 120 tasks'
kill -KILL $run
wait $run 2>/dev/null
ended $plain 5
grep -qE '^job: incomplete, [0-9]+ of 120 tasks; no run has it: gridmill resume job\.h5 runs the rest$' plain ||
    fail "$(cat plain plain.err)"
expect 5 "$GRIDMILL" watch --json job.h5
"$PYTHON" -c '
import json, sys
v = json.load(open("out"))
assert (v["state"], v["outcome"], v["code"], v["resume"]) == ("stopped", "incomplete", 5, "gridmill resume job.h5"), v
assert 10 <= v["done"] < 120, v' || fail "json of a stopped run"
find job.h5.gm -type f -exec stat -c '%n %s %Y %Z' {} + | sort >before
expect 5 "$GRIDMILL" watch job.h5.gm
find job.h5.gm -type f -exec stat -c '%n %s %Y %Z' {} + | sort >after
cmp -s before after || fail "a look has changed the folder"
"$GRIDMILL" watch --wait --interval 0.2 --json job.h5 >json 2>json.err &
json=$!
pids+=($json)
until_seen json '"stopped"'
expect 1 "$GRIDMILL" resume job.h5 -q --ranks 3
ended $json 1
"$PYTHON" - json <<'END' || fail "json over a resume"
import json, sys
seen = [json.loads(line) for line in open(sys.argv[1])]
done = [v["done"] for v in seen]
assert done == sorted(done) and done[0] >= 10 and done[-1] == 119, done
assert seen[0]["state"] == "stopped" and seen[0]["launch"] == 0 and seen[-1]["code"] == 1
later = [v for v in seen if v["state"] == "running" and v["launch"] == 1]
assert later and len(later[-1]["ranks"]) == 3, seen[-2]
assert sum(r["tasks"] for r in later[-1]["ranks"]) <= 120 - done[0], "what an earlier launch did is not this one's"
END
[ "$(hash_of job.h5)" = "$clean" ] || fail "another result than that of a run that nobody watched"

# What failed is open while it is run again.
cat >again.yaml <<'END'
name: again
ranks: 2
oversubscribe: true
tasks:
  - name: try
    matrix: {x: 1-8}
    command: [sh, -c, "test ${x} -gt 4 || sleep 0.4; test ${x} -gt 4 -o -e go"]
results: again.h5
END
expect 1 "$GRIDMILL" run again.yaml -q
touch go
"$GRIDMILL" resume --failed again.h5 -q >run.out 2>run.err &
run=$!
pids+=($run)
for _ in $(seq 200); do
    [ -e again.h5.gm/job.h5 ] && break
    sleep 0.02
done
"$GRIDMILL" watch --interval 0.1 --json again.h5 >json || fail "watch of resume --failed: $?"
ended $run 0
"$PYTHON" - json <<'END' || fail "json of resume --failed"
import json, sys
seen = [json.loads(line) for line in open(sys.argv[1])]
assert all(v["failed"] == 0 for v in seen if v.get("launch") == 1), seen
assert any(v["state"] == "running" and v["done"] == 4 for v in seen), [(v["state"], v.get("done")) for v in seen]
assert seen[-1]["done"] == 8 and seen[-1]["outcome"] == "done"
END

# A launch that mpirun starts; a rank of it is killed, and told of as lost.
rm -f job.h5
sed 's/1-80/1-200/; s/ranks: 2/ranks: 3/' job.yaml >long.yaml
"${MPIRUN[@]}" --enable-recovery -n 3 "$RUNNER" -q --force long.yaml >run.out 2>run.err &
run=$!
pids+=($run)
"$GRIDMILL" watch --wait --interval 0.2 --json job.h5 >json 2>json.err &
json=$!
pids+=($json)
until_seen json '"done":[1-9][0-9]'
victim=$(pgrep -P $run | sed -n 2p)
kill -KILL "$victim"
until_seen json '"lost_why":"'
ended $json 1
"$PYTHON" - json <<'END' || fail "json of a lost rank"
import json, sys
seen = [json.loads(line) for line in open(sys.argv[1])]
done = [v["done"] for v in seen if "done" in v]
assert done == sorted(done) and done[-1] == 239, done
lost = [v for v in seen if v.get("ranks") and any(r["lost"] for r in v["ranks"])]
assert any(v["state"] == "running" for v in lost) and lost[-1]["state"] == "over"
assert "SIGKILL" in [r["lost_why"] for r in lost[0]["ranks"] if r["lost"]][0]
END

# Ctrl-C ends the watching alone.
rm -f job.h5
"$GRIDMILL" run job.yaml -q >run.out 2>run.err &
run=$!
pids+=($run)
for _ in $(seq 100); do
    [ -e job.h5.gm/job.h5 ] && break
    sleep 0.05
done
"$PYTHON" - "$GRIDMILL" <<'END' || fail "Ctrl-C"
import signal, subprocess, sys, time
p = subprocess.Popen([sys.argv[1], "watch", "--interval", "0.2", "job.h5"], stdout=subprocess.PIPE,
                     preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
p.stdout.readline()
p.send_signal(signal.SIGINT)
assert p.wait(5) == -signal.SIGINT, p.returncode
END
ended $run 1

# On a terminal: a frame in the window that there is, redrawn in place, without a colour where none is wanted.
"$PYTHON" "$(dirname "$0")/watch_terminal.py" "$GRIDMILL" "$work/done.h5" job.yaml || fail "on a terminal"
