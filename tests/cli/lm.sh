# Language models: the example's numbers are the same for any number of ranks and threads, and by
# mpirun; a known model tells its story to the letter, on one rank and on two.
. "$(dirname "$0")/lib.sh"
job=$(example lm)
small=(-q --set tasks.train.args.steps=12 --set tasks.train.args.sample-tokens=20)

first=
for n in 1 2 3 4 7; do
    expect 0 "$GRIDMILL" run "$job" --ranks $n --oversubscribe "${small[@]}" --results "$work/lm-$n.h5"
    hash=$(hash_of "$work/lm-$n.h5")
    echo "lm: $n ranks: $hash"
    first=${first:-$hash}
    [ "$hash" = "$first" ] || fail "$n ranks give other numbers than 1"
done
expect 0 "$GRIDMILL" run "$job" --ranks 1 --oversubscribe "${small[@]}" \
    --set 'per-rank={cores: 3}' --results "$work/threads.h5"
[ "$(hash_of "$work/threads.h5")" = "$first" ] || fail "3 threads give other numbers than 1"
expect 0 "${MPIRUN[@]}" -n 2 "$RUNNER" "$job" "${small[@]}" --results "$work/mpirun.h5"
[ "$(hash_of "$work/mpirun.h5")" = "$first" ] || fail "mpirun directly gives other numbers"
expect 0 "$GRIDMILL" run "$job" "${small[@]}" --oversubscribe --set tasks.train.args.init-seed=1 \
    --results "$work/seed.h5"
[ "$(hash_of "$work/seed.h5")" != "$first" ] || fail "another seed has the same hash"

# The texts of the prompts, and that a prompt's text does not depend on the cut.
expect 0 "$GRIDMILL" run "$job" "${small[@]}" --oversubscribe --set tasks.write.shards.lines=5 \
    --results "$work/cut.h5"
h5 "
def texts(f):
    o = f['stages/write/outputs']
    flat = lambda k: o[k]['data'][...]
    text, ends = flat('text').tobytes(), np.cumsum(flat('bytes'))
    assert ends[-1] == len(text) and flat('tokens').sum() == o['new_tokens'][...].sum()
    assert list(flat('prompt')) == list(range(5))
    return [text[e - n:e] for e, n in zip(ends, flat('bytes'))]
a, b = texts(f), texts(h5py.File(sys.argv[2], 'r'))
assert a == b, (a, b)
assert all(b'\\n' not in t for t in a)
o = f['stages/score/outputs']
assert o['tokens'][...].sum() == o['document_tokens']['data'][...].sum()
assert abs(o['nats'][...].sum() - o['document_nats']['data'][...].sum()) < 1e-6" \
    "$work/lm-3.h5" "$work/cut.h5"

# What the guide says of the model in the results.
cp lm-1.h5 lm.h5
awk '/^```python$/ { on = 1; next } /^```$/ { on = 0 } on' "$GRIDMILL_SOURCE/docs/guide/language-models.md" >guide.py
expect 0 "$PYTHON" -B guide.py
says '^\[[0-9.]+\]$'
printf 'kernel: lm.generate\nargs: {model: model.safetensors, prompt: And}\nresults: again.h5\n' >again.yaml
expect 0 "$GRIDMILL" run again.yaml -q --oversubscribe

[ -n "${GRIDMILL_TEST_DATA-}" ] || {
    echo "not run: a known model, without GRIDMILL_TEST_DATA"
    exit 0
}
stories=$GRIDMILL_TEST_DATA/models/stories260K
cp "$EXAMPLES/datasets/lm-stories.yaml" .
ln -s "$stories"/*.bin .
for n in 1 2; do
    expect 0 "$GRIDMILL" run lm-stories.yaml --ranks $n --oversubscribe -q --results "stories-$n.h5"
    h5 "
got = f['stages/main/outputs/text/data'][...].tobytes()
want = open(sys.argv[2], 'rb').read()
assert got == want, got" "stories-$n.h5" "$stories/expected_temp0_200steps.txt"
done
printf '\n\n\n' >empty.txt
sed -i '/prompt:/d' lm-stories.yaml
expect 0 "$GRIDMILL" run lm-stories.yaml --ranks 2 --oversubscribe -q --results lines.h5 \
    --set 'shards={of: empty.txt, lines: 1}'
h5 "
got = f['stages/main/outputs/text/data'][...].tobytes()
assert got == 3 * open(sys.argv[2], 'rb').read(), got" lines.h5 "$stories/expected_temp0_200steps.txt"
exit 0
