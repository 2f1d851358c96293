# Launches that fail at their start: what is missing is said and not asked for again, what passes
# is tried again; mpiruns of one user that begin and end at the same time leave each other alone.
. "$(dirname "$0")/lib.sh"
cat >job.yaml <<'END'
ranks: 2
oversubscribe: true
matrix: {x: 1-4}
kernel: sleep
args: {seconds: 0.001}
results: job.h5
END
nothing_kept()
{
    [ ! -e job.h5.gm ] && [ ! -e job.h5 ] || fail "left behind: $(ls -d job.h5*)"
}

echo "-- /dev/shm is too small for Open MPI"
cat >tiny.sh <<'END'
mount -t tmpfs -o size=1m none /dev/shm || exit 77
exec "$@"
END
if unshare -m true 2>/dev/null; then
    expect 3 unshare -m bash tiny.sh "$GRIDMILL" run job.yaml
    says '^gridmill: /dev/shm on .* has no room .*each takes 4\.0 MiB, 1\.0 MiB are free; enlarge it'
    [ "$(grep -c 'launched again' err)" -le 1 ] || fail "tried again and again"
    nothing_kept
else
    echo "   not run: no mount namespace for this user"
fi

# mpirun that fails so often, as the file `fails` says, and then does as it should.
cat >mpirun <<'END'
#!/bin/bash
n=$(cat fails)
if [ "$n" -gt 0 ]; then
    echo $((n - 1)) >fails
    cat words >&2
    exit "$(cat status)"
fi
exec mpirun "$@"
END
chmod +x mpirun
export GRIDMILL_MPIRUN=$work/mpirun

echo "-- a folder that another mpirun takes away is no end"
cat >words <<'END'
--------------------------------------------------------------------------
A call to mkdir was unable to create the desired directory:

  Directory: /tmp/ompi.n0.0/pid.1234
  Error:     No such file or directory
--------------------------------------------------------------------------
END
echo 1 >fails
echo 1 >status
expect 0 "$GRIDMILL" run job.yaml
says 'note: mpirun could not make its folder /tmp/ompi\.n0\.0/pid\.1234: No such file or directory; the rest is launched again \(1 of 3\)'
rm job.h5

echo "-- two that fail the same way are enough"
echo "mpirun: nothing works, says process 123" >words
echo 9 >fails
echo 0 >status
expect 5 "$GRIDMILL" run job.yaml
says 'note: two launches failed at their start the same way: there is no third'
says '^gridmill: the launcher said: mpirun: nothing works, says process 123$'
[ "$(cat fails)" -eq 7 ] || fail "$((9 - $(cat fails))) launches"
nothing_kept
unset GRIDMILL_MPIRUN

echo "-- many at once, in a folder of their own"
mkdir tmp
export TMPDIR=$work/tmp
pids=()
for i in 1 2 3 4; do
    for k in 1 2 3; do
        "$GRIDMILL" run job.yaml -q --results "job$i.$k.h5" || exit
    done >"out$i" 2>&1 &
    pids+=($!)
done
for i in 1 2 3 4; do
    wait "${pids[i - 1]}" || fail "run $i: $(cat "out$i")"
done
[ -z "$(ls tmp)" ] || fail "left in TMPDIR: $(find tmp | head)"
exit 0
