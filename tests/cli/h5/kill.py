"""A writer that is killed at random instants: what was committed is there, whole, for h5py and for
our own reader, and both see the same tasks.

usage: kill.py WRITE_RESULTS values|rows [SEED]
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


def tables(path):
    with h5py.File(path, "r", libver="latest", swmr=True) as f:
        return f["commits"][:], f["records"][:], f["heap"][:]


def check_rows(path, rng):
    """Every row of every run, the checksums of a sample; how many tasks."""
    commits, records, heap = tables(path)
    total = 0
    for c in commits:
        count = int(c["count"])
        assert int(c["task"]) == total and c["layout"] == 1 and c["status"] == 1
        rows = records[int(c["first"]):int(c["first"] + c["n"])]
        timed = count % 2 == 0
        assert list(rows["kind"]) == [8, 9, 9] + [10] * timed + [11]
        part = {k: heap[int(r["offset"]):int(r["offset"] + r["nbytes"])]
                for k, r in zip(("table", "score", "count", "times")[:3 + timed], rows)}
        assert len(part["table"]) == 16 * count
        i = np.arange(total, total + count)
        table = part["table"].reshape(count, 16)
        assert (table[:, :8].copy().view(np.float64)[:, 0] == i % 7 + i / 1048576).all()
        assert (table[:, 8:].copy().view(np.int64)[:, 0] == i - 5).all()
        if timed:
            assert (part["times"].view(np.float64).reshape(count, 2)[:, 0] == 1000.0 + i).all()
        r = rows[-1]
        raw = heap[int(r["offset"]):int(r["offset"] + r["nbytes"])]
        checks = raw.view(np.uint32).reshape(count, 2 + timed)
        if rng.random() < 0.02:
            k = rng.randrange(count)
            assert crc32c(table[k, :8].tobytes()) == checks[k, 0]
            assert crc32c(table[k, 8:].tobytes()) == checks[k, 1]
            if timed:
                assert crc32c(part["times"][16 * k:16 * k + 16].tobytes()) == checks[k, 2]
            assert crc32c(raw.tobytes()) == r["data_crc"]
            assert crc32c(c.tobytes()[:-4]) == c["crc"]
        total += count
    return total


def check(path, rng):
    """Every commit's score and model, the checksums of a sample; how many commits."""
    commits, records, heap = tables(path)
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
    rows = sys.argv[2] == "rows"
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    rng = random.Random(seed)
    counts = []
    for _ in range(KILLS):
        with tempfile.TemporaryDirectory() as folder:
            p = subprocess.Popen([program, folder, "rows" if rows else "endless"], stdout=subprocess.PIPE, text=True)
            assert p.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0, 0.04))
            p.kill()
            assert p.wait() == -9
            ours = subprocess.run([program, folder, "verify-rows" if rows else "verify"], stdout=subprocess.PIPE,
                                  text=True, check=True)
            shard = os.path.join(folder, "fixture.h5.gm/shards/000/rank-000000.h5")
            theirs = (check_rows if rows else check)(shard, rng)
            assert int(ours.stdout) == theirs, (int(ours.stdout), theirs)
            counts.append(theirs)
    print(f"{KILLS} kills, {min(counts)} to {max(counts)} tasks committed")
    assert max(counts) > 100


main()
