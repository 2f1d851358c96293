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

# Full from the start: refused, and nothing is left.
head -c 4000000 /dev/zero >small/ballast 2>/dev/null
rm -rf small/flood.h5.gm
head -c 4000000 /dev/zero >small/ballast2 2>/dev/null
expect 2 "$GRIDMILL" run job.yaml --ranks 1
says 'No space left on device'
nothing_left small/flood.h5
exit 0
