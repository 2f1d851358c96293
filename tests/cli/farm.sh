# Many small tasks: each runs once, with its own result, and however many there are a rank's memory
# stays that of a job of one task. Arguments: tasks of noop, tasks of sleep, commands.
. "$(dirname "$0")/lib.sh"
n=${1:-300000} slept=${2:-20000} commands=${3:-1000}

cat >noop.yaml <<END
kernel: noop
matrix: {a: [x, y], i: 1-$((n / 2))}
args: {width: 24, tally: $PWD/tally}
results: noop.h5
END
cat >sleep.yaml <<END
kernel: sleep
matrix: {i: 1-$slept}
args: {seconds: 0}
results: sleep.h5
END
cat >true.yaml <<END
tasks: [{name: main, matrix: {i: 1-$commands}, command: [/bin/true]}]
results: true.h5
END
cat >peak.py <<'END'
"""Runs a rank and writes its peak memory, MiB."""
import os, resource, subprocess, sys
done = subprocess.run(sys.argv[2:])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
with open(sys.argv[1] + "." + os.environ["OMPI_COMM_WORLD_RANK"], "w") as f:
    print(round(peak), file=f)
sys.exit(done.returncode)
END

run() # NAME ARGUMENT...: on two ranks; NAME.0 and NAME.1 have their memory
{
    truncate -s 0 tally
    truncate -s "$n" tally
    expect 0 "${MPIRUN[@]}" -n 2 "$PYTHON" -B peak.py "$@"
}

slim() # NAME TASKS: as much memory as the job of one task, and 100 MiB at most
{
    local rank more
    for rank in 0 1; do
        more=$(($(cat "$1.$rank") - $(cat least.$rank)))
        [ "$more" -le 100 ] || fail "rank $rank took $more MiB more for $2 tasks"
        echo "rank $rank: $more MiB more for $2 tasks"
    done
}

run least "$RUNNER" noop.yaml --set 'matrix.i=[1]' --set 'matrix.a=[x]'
rm noop.h5 noop.summary.json
run most "$RUNNER" noop.yaml
slim most "$n"
h5 "
import numpy as np
n = $n
assert len(f['tasks/status']) == n and (f['tasks/status'][:] == 1).all()
assert (f['tasks/attempts'][:] == 1).all()
got = f['stages/main/outputs/bytes'][:].view('<u8')
assert got.shape == (n, 3) and (got[:, 0] == np.arange(n)).all()
assert len(np.unique(got[:, 1])) == n and (got[:, 1] == got[:, 2]).all()
assert (np.fromfile('tally', 'u1') == 1).all(), 'a task ran not once'
assert set(f['tasks/rank'][:]) == {0, 1}, 'one rank did it all'
" noop.h5
expect 0 "$GRIDMILL" result hash noop.h5
cp out two
truncate -s 0 tally
truncate -s "$n" tally
expect 0 "$GRIDMILL" run noop.yaml --set ranks=3 --set oversubscribe=true --force -q
expect 0 "$GRIDMILL" result hash noop.h5
cmp out two || fail "another hash on three ranks"
"$PYTHON" -c 'import sys; sys.exit(open("tally", "rb").read().count(1) != int(sys.argv[1]))' "$n" ||
    fail "a task ran not once on three ranks"

expect 0 "$GRIDMILL" run sleep.yaml --set ranks=2 --set oversubscribe=true -q
h5 "assert (f['tasks/status'][:] == 1).all() and len(f['tasks/status']) == $slept" sleep.h5

run commands "$RUNNER" true.yaml
slim commands "$commands"
h5 "
assert len(f['tasks/status']) == $commands and (f['tasks/status'][:] == 1).all()
assert (f['tasks/attempts'][:] == 1).all() and (f['tasks/exit_code'][:] == 0).all()
assert set(f['tasks/rank'][:]) == {0, 1}, 'one rank did it all'
" true.h5
exit 0
