"""Operators against the libraries and the memory under them, and training against numpy: what
bench_kernels and bench_operators print, one JSON line a measurement."""
import os

import harness


def run(build, root):
    for program in ("bench_kernels", "bench_operators"):
        yield from harness.json_lines([os.path.join(build, "bin", program)])
