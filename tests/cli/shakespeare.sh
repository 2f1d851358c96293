# lm-shakespeare.yaml: the loss over the whole last tenth, and that what is said of time is true.
#   shakespeare.sh STEPS     so many steps (it learns); all: the whole of it (soak), at most 1.70 nats
#                            within ten minutes of steps times the median step; a copy of the curve goes
#                            to the file that GRIDMILL_TEST_CURVE names
. "$(dirname "$0")/lib.sh"
[ -n "${GRIDMILL_TEST_DATA-}" ] || skip "GRIDMILL_TEST_DATA is not set"
cp "$EXAMPLES/datasets/lm-shakespeare.yaml" .
ln -s "$GRIDMILL_TEST_DATA"/datasets/text/tinyshakespeare.txt.gz .
how=(--set 'per-rank={cores: 2}')
[ "$1" = all ] || how=(--set "tasks.train.args.steps=$1" --set tasks.train.args.sample-tokens=4
    --set tasks.train.args.warmup=5 --set tasks.train.args.valid-share=0.01)
expect 0 "$GRIDMILL" run lm-shakespeare.yaml --ranks 1 --oversubscribe "${how[@]}"
h5 "
s = {k: v['data'][...] for k, v in f['series/train'].items()}
o = f['stages/train/outputs']
n, median, held = len(s['loss']), float(np.median(s['step_seconds'])), float(o['final_loss'][0])
print(f'{n} steps of {median * 1000:.1f} ms: {n * median:.0f} s; held out {held:.4f} nats')
if sys.argv[2] != 'all':
    assert n == int(sys.argv[2]) and s['loss'][-1] < s['loss'][0] - 1 and held < 3.2, (s['loss'], held)
    sys.exit()
curve = {'steps': n, 'median_step_s': median, 'seconds': n * median, 'valid_step': s['valid_step'].tolist(),
         'valid_loss': s['valid_loss'].tolist(), 'tokens_per_s': float(o['tokens_per_s'][0]),
         'parameters': int(o['parameters'][0]), 'loss_each_100': s['loss'][::100].tolist(),
         'sample': o['sample']['data'][...].tobytes().decode()}
if sys.argv[3]:
    json.dump(curve, open(sys.argv[3], 'w'), indent=1)
assert held <= 1.70, held
assert n * median <= 600, n * median" lm-shakespeare.h5 "$1" "${GRIDMILL_TEST_CURVE-}"
