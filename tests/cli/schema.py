"""What holds for every results file of schema 1, whatever job wrote it (docs/design/results.md).

usage: schema.py FILE...
"""
import glob
import hashlib
import json
import os
import re
import sys

import h5py
import numpy as np

GROUPS = ("job", "hosts", "ranks", "tasks", "attempts", "stages", "logs", "series",
          "telemetry", "receipt")
TASK_COLUMNS = ("stage", "index", "rank", "n_ranks", "start", "end", "attempts", "status",
                "reason", "exit_code", "signal")


def text(value):
    return bytes(value).decode() if isinstance(value, (bytes, np.bytes_)) else str(value)


def no_variable_length(name, thing):
    types = [(name, thing.dtype)] if isinstance(thing, h5py.Dataset) else []
    for where, dtype in types:
        assert h5py.check_vlen_dtype(dtype) is None, f"{where}: a variable-length type"
        string = h5py.check_string_dtype(dtype)
        assert string is None or string.length is not None, f"{where}: a variable-length string"


def is_heap(thing):
    return isinstance(thing, h5py.Group) and {"data", "offset"} <= set(thing)


def check_heap(group, n, name):
    offset = group["offset"][...]
    assert offset.shape == (n + 1,), f"{name}: offset has {offset.shape}, {n} tasks"
    assert offset[0] == 0 and (np.diff(offset.astype(np.int64)) >= 0).all(), name
    assert offset[-1] == len(group["data"]), f"{name}: offset ends at {offset[-1]}"


def digest(path):
    """Of a file; of a folder or a pattern: of its files' digests and names, sorted by name."""
    if os.path.isfile(path):
        with open(path, "rb") as data:
            return hashlib.sha256(data.read()).hexdigest()
    found = glob.glob(os.path.join(path, "*") if os.path.isdir(path) else path)
    names = sorted((os.path.basename(p), p) for p in found if os.path.isfile(p))
    assert names, path
    lines = "".join(f"{digest(p)}  {name}\n" for name, p in names)
    return hashlib.sha256(lines.encode()).hexdigest()


def check_job(f):
    assert text(f.attrs["schema"]) == "gridmill.results/1"
    canonical = json.loads(text(f["job/canonical"][()]))
    assert set(canonical) == {"version", "resources", "tasks", "attributes"}
    json.loads(text(f["job/plan"][()]))
    assert len(f["job/jobspec"][()]) > 0
    inputs = f["job/inputs"]
    for path, sha256 in zip(inputs["path"][...], inputs["sha256"][...]):
        assert digest(text(path)) == text(sha256), path


def check_ranks(f):
    ranks = f["ranks"]
    n = len(ranks["host"])
    hosts = {text(h) for h in f["hosts/name"][...]}
    assert n >= 1 and hosts
    for key in ranks:
        assert len(ranks[key]) == n, key
    assert {text(h) for h in ranks["host"][...]} <= hosts
    assert int(ranks["tasks"][...].sum()) >= 1
    for planned, seen, tasks in zip(ranks["planned"], ranks["seen"], ranks["tasks"]):
        assert re.fullmatch(r"[0-9,-]+", text(planned)), planned
        assert tasks == 0 or re.fullmatch(r"[0-9,-]+", text(seen)), seen
    xml = [text(x) for x in f["hosts/xml"][...]]
    assert len(set(xml)) == len(xml) and all("<topology" in x for x in xml)
    return n


def check_tasks(f, n_ranks):
    tasks = f["tasks"]
    n = len(tasks["index"])
    for key in TASK_COLUMNS:
        assert tasks[key].shape == (n,), key
    for key in ("params", "message"):
        check_heap(tasks[key], n, key)
    done = tasks["status"][...] == 1
    assert (tasks["rank"][...][done] < n_ranks).all()
    assert (tasks["end"][...][done] >= tasks["start"][...][done]).all()
    assert (tasks["attempts"][...][done] >= 1).all()
    assert len(f["attempts/task"]) >= int(done.sum())
    # In the order of stage and index, each once.
    stage, index = tasks["stage"][...].astype(np.int64), tasks["index"][...].astype(np.int64)
    key = stage * (1 << 40) + index
    assert (np.diff(key) > 0).all()
    offset, data = tasks["params/offset"][...], tasks["params/data"][...].tobytes()
    for i in range(n):
        params = data[offset[i]:offset[i + 1]]
        assert not params or isinstance(json.loads(params), dict), params
    return n


def check_stages(f, n_tasks):
    stages = f["stages"]
    sizes = {}
    for name, stage in stages.items():
        sizes[name] = int(np.prod(stage["shape"][...])) if "shape" in stage else 1
        for output, value in stage.get("outputs", {}).items():
            where = f"{name}.{output}"
            assert text(value.attrs["description"]) and "unit" in value.attrs, where
            if is_heap(value):
                check_heap(value, sizes[name], where)
            else:
                assert value.shape[0] == sizes[name], where
        for series, value in f["series"].get(name, {}).items():
            assert text(value.attrs["description"]) and "unit" in value.attrs, series
            check_heap(value, sizes[name], f"{name}.{series}")
        for log in ("stdout", "stderr"):
            check_heap(f["logs"][name][log], sizes[name], f"{name} {log}")
    assert sum(sizes.values()) == n_tasks, (sizes, n_tasks)


def main():
    for path in sys.argv[1:]:
        with h5py.File(path, "r") as f:
            missing = [g for g in GROUPS if g not in f]
            assert not missing, missing
            f.visititems(no_variable_length)
            check_job(f)
            n_ranks = check_ranks(f)
            n_tasks = check_tasks(f, n_ranks)
            check_stages(f, n_tasks)
            # No object a task: their number depends on the job's stages alone.
            names = []
            f.visit(names.append)
            assert len(names) < 100 + 60 * len(f["stages"]), len(names)
            print(f"{path}: {n_tasks} tasks on {n_ranks} ranks, {len(names)} objects")


if __name__ == "__main__":
    main()
