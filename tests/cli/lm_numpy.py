#!/usr/bin/env python3
"""lm.train against a trainer in numpy, in double: the first ten losses and the held-out loss within
1e-4, for GPT-2 and Llama, with clipping, warm-up, decay, accumulation and uneven micro-batches.

  lm_numpy.py GRIDMILL TEXT     (77: no numpy or h5py)
"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
try:
    import h5py
    import numpy as np
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)
sys.path.insert(0, str(Path(__file__).parent.parent / "golden/lm"))
import reference

COMMON = {"tokenizer": "byte", "layers": 2, "dim": 48, "heads": 4, "context": 40, "batch": 5, "micro-batch": 2,
          "accumulation": 2, "steps": 10, "lr": 0.01, "lr-last": 0.001, "schedule": "cosine", "warmup": 3,
          "beta1": 0.9, "beta2": 0.95, "eps": 1e-8, "weight-decay": 0.1, "clip": 1.0, "valid-share": 0.1,
          "init-seed": 3, "data-seed": 5, "sample-tokens": 0}
SETUPS = [{"arch": "gpt2"}, {"arch": "gpt2", "schedule": "linear", "clip": 0.0, "weight-decay": 0.0},
          {"arch": "llama", "kv-heads": 2}, {"arch": "llama", "tied": False, "hidden": 100, "warmup": 0}]


def outputs(gridmill, text, args):
    job = {"name": "reference", "results": "reference.h5", "ranks": 1, "kernel": "lm.train",
           "args": dict(args, data=str(text))}
    Path("reference.yaml").write_text(json.dumps(job))
    Path("reference.h5").unlink(missing_ok=True)
    done = subprocess.run([gridmill, "run", "reference.yaml", "-q", "--oversubscribe"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    with h5py.File("reference.h5") as f:
        found = {k: v["data"][...] for k, v in f["series/main"].items()}
        for k, v in f["stages/main/outputs"].items():
            found[k] = v[...] if isinstance(v, h5py.Dataset) else v["data"][...]
        return found


def main():
    folder = tempfile.TemporaryDirectory(prefix="gridmill-test.")
    gridmill, text = sys.argv[1], Path(sys.argv[2]).resolve()
    os.chdir(folder.name)
    ids = np.frombuffer(text.read_bytes(), np.uint8).astype(np.int64)
    for setup in SETUPS:
        args = dict(COMMON, **setup)
        first = outputs(gridmill, text, dict(args, steps=0))
        w, config, _ = reference.read_safetensors(first["model"].tobytes())
        want, held = reference.train(w, config, args, ids)
        got = outputs(gridmill, text, args)
        found = got["loss"].ravel()
        off = np.abs(found - want).max()
        print(setup, "losses", " ".join(f"{x:.5f}" for x in found), f"off by {off:.1e}; "
              f"held out {got['final_loss'].ravel()[0]:.5f}, off by {abs(got['final_loss'].ravel()[0] - held):.1e}")
        assert len(found) == 10 and off < 1e-4, (found, want)
        assert found[9] < found[0] - 0.5, "it learned something"
        assert abs(got["final_loss"].ravel()[0] - held) < 1e-4
        last, _, _ = reference.read_safetensors(got["model"].tobytes())
        assert set(last) == set(w)
        worst = max(np.abs(last[k] - w[k]).max() for k in w)
        assert worst < 2e-3, worst


main()
