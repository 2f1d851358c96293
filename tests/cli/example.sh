# An example runs as its first lines say, and an independent reader understands the results.
#   example.sh NAME
. "$(dirname "$0")/lib.sh"
name=$1
job=$(example "$name")
file=$work/jobspecs/$name.h5

expect 0 "$GRIDMILL" check "$job"
expect 0 "$GRIDMILL" plan "$job" --oversubscribe
nothing_left "$file"
expect 0 "$GRIDMILL" run "$job" --oversubscribe
[ -f "$file" ] || fail "no $file"
[ ! -e "$file.gm" ] || fail "the job folder is still there"
expect 0 "$PYTHON" -B "$(dirname "$0")/schema.py" "$file"
expect 0 "$GRIDMILL" result show "$file"
says "$name"

case $name in
    hello)
        says "hello from Gridmill"
        ;;
    gemm)
        h5 "
o = f['stages/gemm/outputs'] if 'gemm' in f['stages'] else f['stages'][list(f['stages'])[0]]['outputs']
rate = next(o[k] for k in o if 'flops' in k)
assert rate.shape == (6,) and (rate[...] > 0).all(), rate[...]" "$file"
        ;;
    stream)
        h5 "
for stage in ('alone', 'together'):
    o = f['stages/' + stage + '/outputs']
    for name in ('copy', 'scale', 'add', 'triad'):
        best, median = o[name][0], o[name + '_median'][0]
        assert 0.01 < median <= best < 100000, (stage, name, median, best)
        assert o['array_bytes'][0] == 64 << 20" "$file"
        # Sizes as they are asked for; ranks that share cores; whole tiles and not.
        expect 0 "$GRIDMILL" run "$job" -q --oversubscribe --force --set ranks=3 \
            --set tasks.alone.args.mib=1 --set tasks.together.args.mib=3
        h5 "
o = f['stages/together/outputs']
assert o['array_bytes'][0] == 3 << 20 and o['triad'][0] > 0" "$file"
        ;;
    latency)
        h5 "
o = f['stages/main/outputs']
t = o['half_trip'][0]
assert o['size'][0].tolist() == [8, 64, 512, 4096, 32768, 262144, 1048576]
assert t.shape == (7, 4, 4) and (t == t.transpose(0, 2, 1)).all()
off = ~np.eye(4, dtype=bool)
assert (t[:, off] > 0.05).all() and (t[:, ~off] == 0).all(), t
pairs = t[0][np.triu_indices(4, 1)]
assert np.isclose(o['latency'][0], np.median(pairs)) and o['farthest'][0] == pairs.max()
large = np.median(t[-1][np.triu_indices(4, 1)])
assert np.isclose(o['bandwidth'][0], 1048576 / large * 1e-3)
assert (o['bcast'][0] > 0).all() and (o['sum'][0] > 0).all()" "$file"
        first=$(hash_of "$file") # times are not in it
        expect 0 "$GRIDMILL" run "$job" -q --oversubscribe --force
        [ "$(hash_of "$file")" = "$first" ] || fail "times are in the hash"
        expect 1 "$GRIDMILL" run "$job" --oversubscribe --force --set group=1
        says 'a message needs two ranks: give the stage group: 2 or all'
        expect 1 "$GRIDMILL" run "$job" --oversubscribe --force --set 'args.sizes=[8, 12]'
        says 'sizes: 12 is no multiple of 8'
        expect 1 "$GRIDMILL" run "$job" --oversubscribe --force --set 'args.sizes=[16, 8]'
        says 'sizes: 8 follows 16'
        ;;
    sweep)
        "$GRIDMILL" result show "$file" --json >out || fail "result show --json"
        h5 "
s = f['stages'][list(f['stages'])[0]]
assert len(f['tasks']['index']) == 12, len(f['tasks']['index'])" "$file"
        ;;
    pipeline)
        # What the command read is what stands in the results: no task is late.
        h5 "
o = f['stages/score/outputs']
log = f['logs/report/stdout/data'][...].tobytes().decode()
for name in ('rows', 'correct'):
    want = '(0): ' + ', '.join(str(int(v)) for v in o[name][...])
    assert want in log, (want, log)" "$file"
        ;;
    digits-sweep)
        h5 "
layers = f['stages/train/outputs/accuracy']
assert layers.shape == (8,), layers
log = f['logs/sizes/stdout/data'][...].tobytes().decode()
assert log.split()[1].endswith('digits.csv.gz'), log
assert f['stages/score/outputs/rows'][...].sum() > 300" "$file"
        rm -f "$file"
        expect 0 "$GRIDMILL" run "$job" --oversubscribe
        says "digits-sweep is over: $file"
        ;;
    farm)
        h5 "
import gzip
table = np.loadtxt(gzip.open(sys.argv[2], 'rt'), delimiter=',')
log, tries = f['logs/main/stdout'], f['tasks/attempts'][...]
got = [float(v) for v in log['data'][...].tobytes().split()]
assert np.allclose(got, table[:, :64].mean(axis=0), rtol=1e-5), got
assert (tries == [2 if i % 8 == 1 else 1 for i in range(1, 65)]).all(), tries
assert len(f['attempts/task']) == 72 and (f['tasks/status'][...] == 1).all()" \
            "$file" "$EXAMPLES/data/digits.csv.gz"
        ;;
    lm)
        h5 "
o = f['stages/train/outputs']
assert 1.5 < o['final_loss'][0] < 3 and o['sample']['data'].shape[0] > 50
assert f['series/train/loss/data'].shape == (150,)
assert f['series/train/valid_step/data'][...].tolist() == [50, 100, 150]
assert len(f['stages/write/outputs/prompt/data']) == 5
o = f['stages/score/outputs']
mean = o['nats'][...].sum() / o['tokens'][...].sum()
assert 1.5 < mean < 3 and o['bytes'][...].sum() == 4836, mean" "$file"
        ;;
    digits)
        says "accuracy"
        h5 "
o = f['stages/score/outputs']
c = o['confusion'][...].sum(axis=0)
assert c.shape == (10, 10) and 340 <= c.sum() <= 380, c
assert c.sum() == o['rows'][...].sum()
assert np.trace(c) == o['correct'][...].sum()
assert f['stages/train/outputs/accuracy'].shape == (6,)
" "$file"
        ;;
esac
exit 0
