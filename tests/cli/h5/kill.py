"""A writer that is killed at random instants: what was committed is there, whole, for h5py and for
our own reader, and both see the same tasks.

usage: kill.py WRITE_RESULTS [SEED]
"""
import os
import random
import subprocess
import sys
import tempfile
import time

try:
    import h5py
    import numpy as np
except ImportError as why:
    print(f"skipped: {why}")
    sys.exit(77)

KILLS = 30


def crc32c(data, table=[]):
    if not table:
        for i in range(256):
            for _ in range(8):
                i = i >> 1 ^ (0x82F63B78 if i & 1 else 0)
            table.append(i)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def check(path, rng):
    """Every commit's score and model, the checksums of a sample; how many commits."""
    with h5py.File(path, "r", libver="latest", swmr=True) as f:
        commits, records, heap = f["commits"][:], f["records"][:], f["heap"][:]
    assert list(commits["task"]) == list(range(len(commits)))
    sample = set(rng.sample(range(len(commits)), min(20, len(commits))))
    for n, c in enumerate(commits):
        i = int(c["task"])
        rows = records[int(c["first"]):int(c["first"] + c["n"])]
        assert len(rows) == 8 and (rows["task"] == i).all()
        for r in rows:
            raw = heap[int(r["offset"]):int(r["offset"] + r["nbytes"])]
            assert len(raw) == r["nbytes"]
            if r["kind"] == 1 and r["index"] == 0:
                assert raw.view(np.float64)[0] == i % 7 + i / 1048576
            if r["kind"] == 1 and r["index"] == 6:
                assert (raw == (np.arange(i % 301) + i).astype(np.uint8)).all()
            if n in sample:
                assert crc32c(raw.tobytes()) == r["data_crc"]
                assert crc32c(r.tobytes()[:-4]) == r["crc"]
        if n in sample:
            assert crc32c(c.tobytes()[:-4]) == c["crc"]
    return len(commits)


def main():
    program = sys.argv[1]
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    rng = random.Random(seed)
    counts = []
    for _ in range(KILLS):
        with tempfile.TemporaryDirectory() as folder:
            p = subprocess.Popen([program, folder, "endless"], stdout=subprocess.PIPE, text=True)
            assert p.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0, 0.04))
            p.kill()
            assert p.wait() == -9
            ours = subprocess.run([program, folder, "verify"], stdout=subprocess.PIPE, text=True,
                                  check=True)
            theirs = check(os.path.join(folder, "fixture.h5.gm/shards/000/rank-000000.h5"), rng)
            assert int(ours.stdout) == theirs, (int(ours.stdout), theirs)
            counts.append(theirs)
    print(f"{KILLS} kills, {min(counts)} to {max(counts)} tasks committed")
    assert max(counts) > 100


main()
