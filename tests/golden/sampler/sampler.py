#!/usr/bin/env python3
"""The tokens that kernels/model/sampler.h draws are those of numpy in double with a Philox of its own,
for temperatures, top-k and top-p, alone and together, on vocabularies up to GPT-2's.

  sampler.py SAMPLER_PICKS     (77: no numpy)
"""
import subprocess
import sys

sys.dont_write_bytecode = True
try:
    import numpy as np
except ImportError:
    print("skipped: no numpy")
    sys.exit(77)
import philox

ROWS = 60
NEAR = 1e-5  # of the sum: a draw so near to the border of two tokens may be either of them


def pick(logits, temperature, k, p, u):
    """The token, and all that rounding might make of it."""
    z = logits.astype(np.float64) / temperature
    e = np.exp(z - z.max())
    order = np.arange(len(e))
    if 0 < k < len(e) or p < 1:
        order = np.lexsort((order, -logits.astype(np.float64)))
    if k:
        order = order[:k]
    q = e[order] / e[order].sum()
    ends = np.cumsum(q)
    fair = {}
    for wanted in (p, p - NEAR, p + NEAR):
        n = len(q) if p >= 1 else min(len(q), int(np.searchsorted(ends, wanted)) + 1)
        cut = ends[:n] / ends[n - 1]
        for v in (u, max(0.0, u - NEAR), min(u + NEAR, 1 - 1e-16)):
            fair[int(order[min(n - 1, np.searchsorted(cut, v, side="right"))])] = True
    return list(fair)


def main():
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if len(sys.argv) < 3 else int(sys.argv[2])
    print("seed", seed)
    rng, sure, total = np.random.default_rng(seed), 0, 0
    for vocab in (2, 65, 512, 50257):
        for temperature, k, p in ((1, 0, 1), (0.7, 0, 1), (1, 5, 1), (2, 0, 0.9), (0.8, 40, 0.95),
                                  (1, 1, 0.5), (1.3, 0, 0.01), (1, vocab, 0.5), (0.05, vocab + 9, 1)):
            logits = rng.normal(0, 3, (ROWS, vocab)).astype(np.float32)
            logits[::3] = np.round(logits[::3])  # equal logits
            out = subprocess.run([sys.argv[1], str(vocab), str(temperature), str(k), str(p), str(seed)],
                                 input=logits.tobytes(), stdout=subprocess.PIPE, check=True).stdout
            got = [int(line) for line in out.split()]
            assert len(got) == ROWS, len(got)
            for i in range(ROWS):
                fair = pick(logits[i], temperature, k, p, philox.uniform(seed, 5, i))
                assert got[i] in fair, (vocab, temperature, k, p, i, got[i], fair)
                sure += len(fair) == 1
                total += 1
    print(f"{total} tokens, {sure} of them with one possibility")
    assert sure > 0.95 * total
    assert got != [0] * ROWS


main()
