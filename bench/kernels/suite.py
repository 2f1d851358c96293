"""Operators against the libraries and the memory under them, training against numpy, tokenizers
against a copy: what bench_* print, one JSON line a measurement."""
import os

import harness


def run(build, root):
    for program in ("bench_kernels", "bench_operators", "bench_products", "bench_text"):
        yield from harness.json_lines([os.path.join(build, "bin", program)])
    yield from harness.json_lines([os.path.join(build, "bin", "bench_products"), "2"])
