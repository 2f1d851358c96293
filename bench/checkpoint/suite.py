"""Checkpoints: a state's file beside a bare write of its bytes, and a training that is saved every
second beside the same one that is not, in turns."""
import json
import os
import shutil
import statistics
import tempfile

import harness

TURNS = 5
JOB = """
ranks: 1
kernel: mlp.train
args: {{data: {data}, scale: 0.0625, layers: [64, 256, 256, 10], epochs: 150, lr: 0.01, optimizer: adamw}}
results: {folder}/job.h5
"""


def train(build, folder, data, more):
    """Seconds of the one task."""
    job = os.path.join(folder, "job.yaml")
    with open(job, "w", encoding="utf-8") as f:
        f.write(JOB.format(data=data, folder=folder) + more)
    harness.timed_ms([os.path.join(build, "bin", "gridmill"), "run", job, "-q", "--force"])
    with open(os.path.join(folder, "job.summary.json"), encoding="utf-8") as f:
        return json.load(f)["phases"]["tasks"]


def run(build, root):
    folder = tempfile.mkdtemp(prefix="gridmill-bench.", dir=os.getcwd())  # a disk, not memory
    data = os.path.join(root, "jobspecs", "data", "digits.csv.gz")
    try:
        yield from harness.json_lines([os.path.join(build, "bin", "bench_checkpoint"), folder])
        for often in ("1s", "50ms"):
            saved, bare = [], []
            for i in range(-1, TURNS):  # one turn to warm up
                pair = train(build, folder, data, f"checkpoint: {often}\n"), train(build, folder, data, "")
                if i >= 0:
                    saved.append(pair[0])
                    bare.append(pair[1])
            yield harness.line("checkpoint", f"mlp_train_{often}", "s", saved, statistics.median(bare),
                               "the same without checkpoint: a state of 1 MB")
    finally:
        shutil.rmtree(folder)
