# The results' file system fills up in the middle: the sentence names the file and the cause, the
# exit code says incomplete, and what was committed before is readable.
. "$(dirname "$0")/lib.sh"
mkdir small
mount -t tmpfs -o size=3m none small 2>/dev/null || skip "no right to mount a tmpfs"
at_end+=("umount $work/small")

cat >job.yaml <<'END'
name: flood
matrix: {x: 1-60}
command: [sh, -c, "head -c 200000 /dev/urandom | od"]
results: small/flood.h5
END
expect 5 "$GRIDMILL" run job.yaml --ranks 1
says 'flood\.h5\S*: .*No space left on device'
says_not 'Assertion|Segmentation|HDF5-DIAG'
[ ! -e small/flood.h5 ] || fail "a results file, though the job is incomplete"
[ ! -e small/flood.h5.tmp ] || fail "half a results file is left"
expect 0 "$GRIDMILL" result show small/flood.h5

# The same again on two ranks, whose result can be told: still full, the resume says so and loses nothing;
# with room it runs exactly the rest, and the result is that of a run that nothing disturbed.
cat >seeded.yaml <<'END'
name: seeded
ranks: 2
oversubscribe: true
matrix: {x: 1-60}
command: [sh, -c, "yes ${x}-line-of-a-task | head -c 120000"]
results: small/seeded.h5
END
rm -r small/flood.h5.gm
expect 0 "$GRIDMILL" run seeded.yaml -q --results whole.h5
want=$(hash_of whole.h5) || exit 1
expect 5 "$GRIDMILL" run seeded.yaml
says 'No space left on device'
says 'gridmill resume \S*small/seeded\.h5'
says_not 'Assertion|Segmentation|HDF5-DIAG'
[ ! -e small/seeded.h5 ] || fail "a results file, though the job is incomplete"
expect 0 "$GRIDMILL" result show small/seeded.h5
committed=$(grep -oE '[0-9]+ of 60 tasks' out | grep -oE '^[0-9]+')
[ "${committed:-0}" -gt 0 ] && [ "$committed" -lt 60 ] || fail "${committed:-none} of 60 tasks are committed"
head -c 4000000 /dev/zero >small/ballast 2>/dev/null
"$GRIDMILL" resume small/seeded.h5 >out 2>err </dev/null
rc=$?
[ $rc -eq 5 ] || [ $rc -eq 2 ] || fail "exit $rc of a resume on a full disk"
says 'No space left on device'
says_not 'Assertion|Segmentation|HDF5-DIAG'
expect 0 "$GRIDMILL" result show small/seeded.h5
says "$committed of 60 tasks"
rm small/ballast
mount -o remount,size=64m small || fail "no more room"
expect 0 "$GRIDMILL" resume small/seeded.h5 -q
[ "$(hash_of small/seeded.h5)" = "$want" ] || fail "another result than that of a clean run"
h5 "
assert (f['tasks/status'][...] == 1).all() and len(f['tasks/status']) == 60
done = f['attempts/task'][...][f['attempts/status'][...] == 1]
assert len(np.unique(done)) == len(done) == 60, 'a task was done twice'" small/seeded.h5
[ ! -e small/seeded.h5.gm ] && [ ! -e small/seeded.h5.tmp ] || fail "left: $(ls small)"
rm small/seeded.*
mount -o remount,size=3m small || fail "less room"

# Full from the start: refused, and nothing is left.
head -c 4000000 /dev/zero >small/ballast 2>/dev/null
expect 2 "$GRIDMILL" run job.yaml --ranks 1
says 'No space left on device'
nothing_left small/flood.h5

# No room in /dev/shm for what a host's ranks share: told, and nobody waits for anybody.
cat >shared.sh <<'END'
mount -t tmpfs -o size=1m none /dev/shm && exec "$@"
END
rm small/ballast
expect 5 timeout 60 unshare -m sh shared.sh "${MPIRUN[@]}" --mca btl self,tcp -n 2 "$RUNNER" job.yaml
says '/dev/shm has room for 1\.0 MiB: enlarge it'
nothing_left small/flood.h5
exit 0
