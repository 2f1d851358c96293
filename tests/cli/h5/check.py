"""What write_results wrote, read by h5py: the schema of docs/design/results.md from outside.

usage: check.py WRITE_RESULTS MODE
"""
import os
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
except ImportError as why:
    print(f"skipped: {why}")
    sys.exit(77)

N = 40


def text(x):
    return bytes(x).decode()


def score(i):
    return i % 7 + i / 1048576


def matrix(i):
    return (np.float32(i) + np.arange(6, dtype=np.float32) / 8).reshape(2, 3)


def described(name, thing):
    assert "description" in thing.attrs, f"{name}: no description"
    if isinstance(thing, h5py.Dataset):
        assert "unit" in thing.attrs, f"{name}: no unit"
        assert h5py.check_string_dtype(thing.dtype) is None or \
            h5py.check_string_dtype(thing.dtype).length is not None, f"{name}: variable length"


def heap(group, i):
    a, b = group["offset"][i:i + 2]
    return group["data"][a:b]


def check_job(f):
    job = f["job"]
    assert text(f.attrs["schema"]) == "gridmill.results/1"
    assert job.attrs["schema_version"] == 1
    for key, value in (("name", "fixture"), ("id", "0123456789abcdef" * 2),
                       ("build", "0.1.0+test"), ("mapping", "pack"), ("outcome", "done"),
                       ("launcher", "mpirun")):
        assert text(job.attrs[key]) == value, key
    assert job.attrs["start"] == 1000.5 and job.attrs["end"] == 2000.25
    assert text(job["jobspec"][()]) == "name: fixture\n"
    assert text(job["canonical"][()]) == '{"version":1}'
    assert text(job["plan"][()]).startswith("{")
    assert text(job["versions"].attrs["openmpi"]) == "4.1.4"
    assert text(job["inputs/path"][0]) == "/data/digits.csv"
    assert len(text(job["inputs/sha256"][0])) == 64
    assert job["inputs/size"][0] == 1234
    assert [text(x) for x in f["hosts/name"]] == ["n0", "n1"]
    assert text(f["hosts/xml"][f["hosts/topology"][1]]) == "<topology/>"
    stage = f["stages/probe"]
    assert stage.attrs["n_tasks"] == N and text(stage.attrs["kernel"]) == "probe"
    assert list(stage["shape"]) == [N] and text(stage["axes"][0]) == "i"
    assert [text(x) for x in stage["declared/name"]][:2] == ["score", "count"]


def check_ranks(f):
    ranks = f["ranks"]
    assert [text(x) for x in ranks["host"]] == ["n0", "n0", "n1", "n1"]
    assert [text(x) for x in ranks["seen"]] == ["0-1"] * 4
    assert [text(x) for x in ranks["inherited"]] == ["0-3"] * 4
    assert list(ranks["pid"]) == [4000, 4001, 4002, 4003]
    assert list(ranks["tasks"]) == [10, 10, 10, 13]
    assert ranks["busy"][0] == 2.5


def check_outputs(f, ran):
    outputs = f["stages/probe/outputs"]
    all_ran = len(ran) == N
    assert outputs["score"].shape == (N,) and outputs["score"].dtype == np.float64
    assert outputs["matrix"].dtype == np.float32
    assert text(outputs["count"].attrs["unit"]) == "things"
    for i in range(N):
        if i in ran:
            assert outputs["score"][i] == score(i)
            assert outputs["count"][i] == i - 5
            assert (outputs["matrix"][i] == matrix(i)).all()
            assert list(heap(outputs["labels"], i)) == [i * 10 + k for k in range(i % 6)]
            assert list(outputs["labels/shape"][i]) == [i % 6]
            assert list(heap(f["series/probe/loss"], i)) == [1 / (i + k + 1) for k in range(i % 4)]
            assert bytes(heap(outputs["model"], i)) == bytes((i + k) % 256 for k in range(i % 301))
        else:
            assert np.isnan(outputs["score"][i]) and outputs["count"][i] == 0
            assert np.isnan(outputs["matrix"][i]).all()
            assert outputs["labels/shape"][i][0] == 2**64 - 1
            assert len(heap(f["series/probe/loss"], i)) == 0
    assert text(outputs["score"].attrs["layout"]) == "stacked"
    assert text(outputs["labels"].attrs["layout"]) == "ragged"
    assert all_ran == (not np.isnan(outputs["score"]).any())


def check_tasks(f, ran):
    tasks = f["tasks"]
    assert list(tasks["stage"]) == [0] * N + [1] * 3
    assert list(tasks["index"]) == list(range(N)) + [0, 1, 2]
    assert list(tasks["status"][:N]) == [1 if i in ran else 0 for i in range(N)]
    for i in ran:
        assert text(heap(tasks["params"], i)) == f'{{"i":{i}}}'
        assert tasks["start"][i] == 1000 + i and tasks["end"][i] == 1000.25 + i
        assert tasks["attempts"][i] == 1
    assert list(f["stages/probe"].attrs["task_rows"]) == [0, N]
    assert list(f["stages/say"].attrs["task_rows"]) == [N, N + 3]


def check_commands(f):
    tasks, attempts = f["tasks"], f["attempts"]
    assert list(tasks["status"][N:]) == [1, 2, 3]
    assert list(tasks["reason"][N:]) == [0, 3, 5]
    assert list(tasks["attempts"][N:]) == [2, 1, 0]
    assert list(tasks["signal"][N:]) == [0, 9, 0]
    assert list(tasks["rank"][N:]) == [3, 3, -1]
    assert text(heap(tasks["message"], N + 1)) == "killed by signal 9"
    assert text(heap(tasks["message"], N)) == ""
    assert text(heap(f["logs/say/stdout"], 0)) == "h\u00e9llo\n"
    assert text(heap(f["logs/say/stdout"], 1)) == ""
    assert len(attempts["task"]) == N + 3
    assert list(attempts["task"][N:]) == [N, N, N + 1]
    assert list(attempts["status"][N:]) == [4, 1, 2]
    assert list(attempts["exit_code"][N:]) == [3, 0, 0]
    assert attempts["max_rss"][0] == 4096 and attempts["user"][0] == 0.125


def check_large(f):
    m = f["stages/probe/outputs/matrix"]
    assert text(m.attrs["layout"]) == "stacked" and m.shape == (N, 3000, 1001)
    assert m.fletcher32 and np.isnan(m[0]).all() and np.isnan(m[2, 5]).all()
    want = (np.arange(3000 * 1001) % 8191).astype(np.float32).reshape(3000, 1001)
    assert (m[1] == want).all()


def check_packed(path, mode):
    with h5py.File(path, "r") as f:
        f.visititems(described)
        check_job(f)
        assert len(f["telemetry"]) == 0
        receipt = f["receipt"]
        assert receipt.attrs["launches"] == 0, "no rank of the fixture told what it used"
        assert len(receipt["ranks"]) == len(f["ranks/host"]) and len(receipt["stages"]) == len(f["stages"])
        assert receipt["ranks"]["tasks"].sum() == f["ranks/tasks"][:].sum()
        if mode == "large":
            return check_large(f)
        ran = {"whole": set(range(N)), "part": set(range(0, N, 3)), "none": set()}[mode]
        if mode != "none":
            check_outputs(f, ran)
        check_tasks(f, ran)
        if mode == "whole":
            check_ranks(f)
            check_commands(f)
        objects = []
        f.visit(objects.append)
        assert len(objects) < 160, f"{len(objects)} objects: one a task?"


def check_shard(path):
    """A shard that is being written, as docs/design/results.md says to read it."""
    with h5py.File(path, "r", libver="latest", swmr=True) as f:
        commits, records, heap_bytes = f["commits"][:], f["records"][:], f["heap"]
        commits = commits[commits["stage"] != 2**32 - 1]
        assert list(commits["task"]) == list(range(0, N, 3))
        assert (commits["status"] == 1).all()
        for c in commits:
            i = int(c["task"])
            rows = records[int(c["first"]):int(c["first"] + c["n"])]
            r = rows[(rows["kind"] == 1) & (rows["index"] == 0)][0]
            raw = heap_bytes[int(r["offset"]):int(r["offset"] + r["nbytes"])]
            assert raw.view(np.float64)[0] == score(i)


def main():
    program, mode = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        if mode == "live":
            p = subprocess.Popen([program, folder, mode], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
            assert p.stdout.readline() == "ready\n"
            check_shard(os.path.join(folder, "fixture.h5.gm/shards/000/rank-000000.h5"))
            p.communicate("\n")
            assert p.returncode == 0
            return
        subprocess.run([program, folder, mode], check=True)
        check_packed(os.path.join(folder, "fixture.h5"), mode)
        assert not os.path.exists(os.path.join(folder, "fixture.h5.tmp"))


main()
