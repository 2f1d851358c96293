# Ctrl-C in the middle: exit 5 soon, every task that was committed is readable, no process of the
# job is left; the folder is kept for a resume.
. "$(dirname "$0")/lib.sh"
cat >job.yaml <<'END'
name: long
matrix: {x: 1-400}
kernel: sleep
args: {seconds: 0.05}
results: long.h5
END

stopped_by() # SIGNAL
{
    rm -rf long.h5 long.h5.gm
    # A job-control shell of its own, so that the signal is not ignored in the background.
    "$PYTHON" -c '
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.setpgid(0, 0)
os.execv(sys.argv[1], sys.argv[1:])' "$GRIDMILL" run job.yaml --oversubscribe >out 2>err &
    local pid=$! began
    for _ in $(seq 100); do
        ls long.h5.gm/shards/*/*.h5 >/dev/null 2>&1 && break
        sleep 0.1
    done
    ls long.h5.gm/shards/*/*.h5 >/dev/null 2>&1 || fail "no shard after 10 s"
    sleep 1.5
    began=$SECONDS
    kill "-$1" "$pid" || fail "it had ended already"
    wait "$pid"
    local rc=$?
    [ $rc -eq 5 ] || fail "$1: exit $rc instead of 5"
    [ $((SECONDS - began)) -le 10 ] || fail "$1: it took $((SECONDS - began)) s to stop"
    [ ! -e long.h5 ] || fail "$1: a results file, though the job is incomplete"
    [ -d long.h5.gm ] || fail "$1: the job folder is gone"
    says 'long\.h5\.gm|resum'
    # Nothing runs on.
    local left
    left=$(grep -lsF "$work" /proc/[0-9]*/cmdline | grep -v "/$$/" || true)
    for p in $left; do
        tr '\0' ' ' <"$p" 2>/dev/null | grep -q 'gridmill-runner\|mpirun' &&
            fail "$1: still there: $(tr '\0' ' ' <"$p")"
    done

    expect 0 "$GRIDMILL" result show long.h5 --json
    "$PYTHON" - out <<'END' || fail "$1: what was committed is not readable"
import json, sys

def numbers(v, key):
    if isinstance(v, dict):
        for k, x in v.items():
            if k == key and isinstance(x, (int, float)):
                yield x
            yield from numbers(x, key)
    elif isinstance(v, list):
        for x in v:
            yield from numbers(x, key)

done = max(numbers(json.load(open(sys.argv[1])), "done"), default=0)
print("done:", done)
assert 0 < done < 400, done
END
    hash_of long.h5 >/dev/null || exit 1
}

stopped_by INT
stopped_by TERM

# A second run does not walk over the unfinished one.
expect 2 "$GRIDMILL" run job.yaml --oversubscribe
says 'long\.h5\.gm'
[ -d long.h5.gm ] || fail "the unfinished run is gone"
exit 0
