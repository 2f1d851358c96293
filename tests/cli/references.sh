# What a command receives for each kind of reference: numbers as text, arrays, series and models
# as .npy files, the results so far as HDF5; and where in its stage it stands.
. "$(dirname "$0")/lib.sh"
seq 1 13 | sed 's/$/,7/' >rows.csv
printf 'one\ntwo\n\nfour\nfive' >lines.txt
ln -s "$EXAMPLES/data" data
cat >job.yaml <<END
results: job.h5
tasks:
  - name: train
    kernel: mlp.train
    matrix: {seed: 1-2}
    args: {data: data/digits.csv.gz, scale: 0.0625, layers: [64, 16, 10], epochs: 3,
           init-seed: "\${seed}"}
  - name: same                     # as many tasks: each gets its own
    matrix: {x: [a, b]}
    command: [echo, "\${x} \${task.index} \${train.accuracy} \$\${x}"]
  - name: best
    command: ["$PYTHON", look.py, "\${train.loss@max:accuracy}", "\${train.model@max:accuracy}",
              "\${train.accuracy@max:accuracy}", "\${train.accuracy@min:accuracy}", "\${results}"]
  - name: rows
    shards: {of: rows.csv, rows: 5}
    command: [echo, "\${shard.index}:\${shard.first}+\${shard.count} \${shard.path}"]
  - name: lines
    shards: {of: lines.txt, lines: 2}
    command: [echo, "\${shard.first}+\${shard.count}"]
END
cat >look.py <<'END'
import sys, h5py, numpy as np

loss, model, most, least, file = sys.argv[1:]
loss, model = np.load(loss), np.load(model)
assert loss.shape == (3,) and loss.dtype == np.float64 and loss[0] > loss[2] > 0, loss
assert model.dtype == np.uint8 and model.ndim == 1 and model.size > 64 * 16 * 4, model
f = h5py.File(file, 'r')
all = f['stages/train/outputs/accuracy'][...]
assert float(most) == all.max() and float(least) == all.min(), (most, least, all)
END
expect 0 "$GRIDMILL" run job.yaml
h5 "
def printed(stage):
    log = f['logs'][stage]['stdout']
    at, text = log['offset'][...], log['data'][...].tobytes().decode()
    return [text[a:b].rstrip() for a, b in zip(at, at[1:])]
accuracy = f['stages/train/outputs/accuracy'][...]
for i, line in enumerate(printed('same')):
    letter, index, value, literal = line.split()
    assert (letter, int(index), literal) == ('ab'[i], i, '\${x}'), line
    assert float(value) == accuracy[i], (value, accuracy[i])
path = sys.argv[2]
assert printed('rows') == [f'{i}:{5 * i}+{n} {path}' for i, n in enumerate([5, 5, 3])]
assert printed('lines') == ['0+2', '2+2', '4+1'], printed('lines')" \
    job.h5 "$work/rows.csv"

# Three tasks cannot be matched with two: the cure is told.
expect 2 "$GRIDMILL" check job.yaml --set 'tasks.same.matrix.x=[a,b,c]'
says 'train.* has 2 tasks.*@max:'
exit 0
