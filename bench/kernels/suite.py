"""Operators against the libraries under them, and training against numpy: what bench_kernels
prints, one JSON line a measurement."""
import os

import harness


def run(build, root):
    yield from harness.json_lines([os.path.join(build, "bin", "bench_kernels")])
