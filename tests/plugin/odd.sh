# Tasks that are not alike, side by side in rows or each by itself: everything that was put out is
# there, once, whichever way it took and on however many ranks; failures, retries and what they said.
. "$(dirname "$0")/../cli/lib.sh"
: "${GRIDMILL_PLUGINS:?the folder of the plugins}"
cp "$GRIDMILL_PLUGINS/odd.so" .
cat >job.yaml <<'END'
ranks: 2
oversubscribe: true
tasks:
  - name: odd
    kernel: ./odd.so#my.odd
    matrix: {scale: [1, 2], n: 0-9999}
    args: {scale: "${scale}"}
    retry: {limit: 1}
results: job.h5
END

right() # FILE
{
    h5 "
import numpy as np
n = 20000
i = np.arange(n)
lost = (i % 1009 == 5) | (i == 4242)
again = (i % 71 == 2) & ~(i % 1009 == 5)
t = f['tasks']
assert (t['status'][:] == np.where(lost, 2, 1)).all()
want = 1 + (lost | again)
assert (t['attempts'][:] == want).all(), np.flatnonzero(t['attempts'][:] != want)[:9]
assert len(f['attempts/task']) == want.sum()
assert (t['end'][:] >= t['start'][:]).all()
square = f['stages/odd/outputs/square']
if isinstance(square, type(f)) or hasattr(square, 'keys'):
    at, data = square['offset'][:], square['data'][:]
    assert (np.diff(at) == ~lost).all()
    assert (data == (np.where(i < 10000, 1.0, 2.0) * i * i)[~lost]).all()
else:
    assert (square[:] == np.where(i < 10000, 1.0, 2.0) * i * i)[~lost].all()
g = f['stages/odd/outputs/list']
at, data = g['offset'][:], g['data'][:]
width = np.where(i % 11 == 3, 1000, 2) * ~lost * (i % 13 != 4)
assert (np.diff(at) == width).all()
assert (data == np.concatenate([np.arange(k, k + w) for k, w in enumerate(width)])).all()
g = f['series/odd/trace']
at, data = g['offset'][:], g['data'][:]
traced = (i % 101 == 0) & ~lost
assert (np.diff(at) == np.where(traced, 3, 0)).all()
assert (data == (i[traced][:, None] + np.arange(3)).ravel()).all()
at, data = t['message/offset'][:], t['message/data'][:].tobytes()
says = [data[a:b].decode() for a, b in zip(at, at[1:])]
assert all((s != '') == l for s, l in zip(says, lost))
assert 'begins never' in says[5] and 'nobody asked it to stop' in says[4242], (says[5], says[4242])
at, data = t['params/offset'][:], t['params/data'][:].tobytes()
assert data[at[12345]:at[12346]] == b'{\"n\":2345,\"scale\":2.0}', data[at[12345]:at[12346]]
" "$1"
}

expect 1 "$GRIDMILL" run job.yaml
right job.h5
expect 0 "$GRIDMILL" result hash job.h5
cp out two
expect 1 "$GRIDMILL" run job.yaml --set ranks=1 --force
right job.h5
expect 0 "$GRIDMILL" result hash job.h5
cmp out two || fail "another hash on one rank"
exit 0
