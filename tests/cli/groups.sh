# Groups of ranks that end before their time: Ctrl-C and a timeout in the middle of sums larger
# than MPI buffers, which no rank may hang in; and groups larger than the job.
. "$(dirname "$0")/lib.sh"
cat >train.yaml <<END
ranks: 2
oversubscribe: true
tasks:
  - name: train
    kernel: mlp.train
    group: all
    args: {data: "$EXAMPLES/data/digits.csv.gz", layers: [64, 512, 10], epochs: 1000000}
results: train.h5
END

# Ranks that a step has no part for idle, and are said to; an axis may have work for all.
expect 0 "$GRIDMILL" check train.yaml --set ranks=7
says "train.yaml.*tasks\[0\].group: warning: the arguments give 4 of a task's 7 ranks work: 3 will idle"
expect 0 "$GRIDMILL" check train.yaml --set ranks=7 --set tasks.train.args.micro-batch=4
says_not 'will idle'
expect 0 "$GRIDMILL" check train.yaml --set ranks=7 --set 'tasks.train.matrix.batch=[8, 64]' \
    --set 'tasks.train.args.batch=${batch}'
says_not 'will idle'

"$GRIDMILL" run train.yaml -q >out 2>err &
pid=$!
for _ in $(seq 100); do
    ls train.h5.gm/shards/*/*.h5 >/dev/null 2>&1 && break
    sleep 0.1
done
sleep 1
began=$SECONDS
kill -INT "$pid" || fail "it had ended already"
wait "$pid"
rc=$?
[ $rc -eq 5 ] || fail "exit $rc instead of 5"
[ $((SECONDS - began)) -le 10 ] || fail "it took $((SECONDS - began)) s to stop"
nothing_left train.h5

# Each attempt starts afresh: nothing of the one before is taken for its own.
expect 1 timeout 60 "$GRIDMILL" run train.yaml \
    --set tasks.train.timeout=0.5s --set 'tasks.train.retry={limit: 2, on: [timeout]}'
says 'train\[0\].*longer than its timeout'
h5 "
n = len(f['attempts']['attempt'])
assert n == 3, n" train.h5
rm -f train.h5 train.summary.json

# Where the file does not say how many ranks there are, the launch does.
sed -i '/^ranks:/d' train.yaml
expect 3 "$GRIDMILL" run train.yaml --set tasks.train.group=99
says 'train.*group of 99'
expect 3 "${MPIRUN[@]}" -n 2 "$RUNNER" train.yaml --set tasks.train.group=99
says 'train.*group of 99'
nothing_left train.h5
exit 0
