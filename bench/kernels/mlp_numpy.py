#!/usr/bin/python3
"""mlp.train's arithmetic in numpy, as one would write it there: whole mini-batches, float32,
in-place where numpy offers it. Prints samples a second of training steps.

  OPENBLAS_NUM_THREADS=1 mlp_numpy.py 64,32,10 BATCH ROWS SECONDS
"""
import sys
import time

import numpy as np


def train_step(weights, biases, moments, x, labels, lr, momentum):
    """Forward, softmax cross-entropy, backward, momentum descent (ReLU between layers)."""
    last = len(weights) - 1
    inputs = [x]
    for i, (w, b) in enumerate(zip(weights, biases)):
        z = inputs[-1] @ w
        z += b
        if i < last:
            np.maximum(z, 0, out=z)
        inputs.append(z)
    z = inputs.pop()
    z -= z.max(axis=1, keepdims=True)
    p = np.exp(z, out=z)
    p /= p.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -np.log(p[rows, labels]).sum()
    p[rows, labels] -= 1
    d = p
    d *= np.float32(1 / len(labels))
    gradients = []
    for i in range(last, -1, -1):
        gradients.append((inputs[i].T @ d, d.sum(axis=0)))
        if i > 0:
            d = d @ weights[i].T
            d *= inputs[i] > 0
    for i, (gw, gb) in enumerate(reversed(gradients)):
        for value, moment, g in ((weights[i], moments[i][0], gw), (biases[i], moments[i][1], gb)):
            moment *= momentum
            moment += g
            value -= lr * moment
    return loss


def main():
    widths = [int(v) for v in sys.argv[1].split(",")]
    batch, n_rows, seconds = int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    rng = np.random.default_rng(0)
    x = rng.random((n_rows, widths[0]), dtype=np.float32)
    labels = rng.integers(0, widths[-1], n_rows)
    weights = [
        ((rng.random((a, b), dtype=np.float32) * 2 - 1) * np.float32((6 / a) ** 0.5))
        for a, b in zip(widths, widths[1:])
    ]
    biases = [np.zeros(b, np.float32) for b in widths[1:]]
    moments = [(np.zeros_like(w), np.zeros_like(b)) for w, b in zip(weights, biases)]
    lr, momentum = np.float32(0.01), np.float32(0.9)
    done, spent = 0, 0.0
    for epoch in range(1 << 30):
        begin = time.perf_counter()
        order = rng.permutation(n_rows)
        for first in range(0, n_rows, batch):
            rows = order[first : first + batch]
            train_step(weights, biases, moments, x[rows], labels[rows], lr, momentum)
        if epoch > 0:  # the first is the warm-up
            done += n_rows
            spent += time.perf_counter() - begin
        if spent > seconds:
            break
    print(done / spent)


if __name__ == "__main__":
    main()
