# Two hosts, three ranks on the one and one on the other, which is as fast while tasks are short and then
# ten times as slow, so that it has tasks in hand when the rest is done: the farm takes back what that host
# has not begun, over MPI. Every task runs once, and the slow host's rank does not keep the others waiting
# for more than a task of its own.
. "$(dirname "$0")/lib.sh"
: "${GRIDMILL_PLUGINS:?the folder of the kernel and the library}"
cluster_up 2
need_mpirun gn0 gn1
cp "$GRIDMILL_PLUGINS"/cli/lost/crash.so .
cat >job.yaml <<END
ranks: 4
oversubscribe: true
results: job.h5
tasks:
  - name: work
    matrix: {s: [0.001, 0.05], x: 1-200}
    kernel: ./crash.so#test.crash
    args: {x: "\${x}", seconds: "\${s}", log: $work/log}
END
cat >with <<END
#!/bin/sh
export LD_PRELOAD=$GRIDMILL_PLUGINS/cluster/recall.so RECALLS=$work/recalls SLOW_HOST=gn1
exec "\$@"
END
chmod +x with
expect 0 on head timeout 120 mpirun --mca pml ob1 --mca btl self,vader,tcp -H gn0:3,gn1:1 -n 4 \
    --bind-to none "$work/with" "$RUNNER" "$work/job.yaml"
h5 "
n = 400
assert (f['tasks/status'][...] == 1).all() and len(f['tasks/status']) == n
assert (f['tasks/attempts'][...] == 1).all()
x = f['stages/work/outputs/square'][...].ravel()
assert (x == np.tile(np.arange(1, 201) ** 2, 2)).all(), x
ran = np.bincount(np.loadtxt(sys.argv[2], dtype=int), minlength=201)
assert (ran[1:] == 2).all(), 'a task ran not once'
rank, end = f['tasks/rank'][...], f['tasks/end'][...]
assert set(rank) == {0, 1, 2, 3}, set(rank)
last = [end[rank == r].max() for r in range(4)]
print('tasks a rank:', np.bincount(rank), 'ends apart:', round(max(last) - min(last), 3), 's')
assert max(last) - min(last) < 1, last
back = np.loadtxt(sys.argv[3], dtype=int, ndmin=2)
print('recalled:', back.tolist())
of = np.concatenate([np.arange(a, a + k) for a, k in back])
assert (rank[of] != 3).any(), 'all that was taken back went to the same host again'" \
    job.h5 log recalls
exit 0
