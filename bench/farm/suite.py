"""The farm on two ranks: claims alone (bench_farm), every task committed, makespans over their lower
bound, and the same small tasks by mpi4py.futures and Dask where those are installed."""
import importlib.util
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile

import h5py
import harness

CLAIMS = 20_000_000
COMMITTED = 10_000_000
REPEAT = 5
PYTHON_TASKS = 5000

FUTURES = """
import sys, time
from mpi4py.futures import MPIPoolExecutor
if __name__ == "__main__":
    n, chunk = int(sys.argv[-2]), int(sys.argv[-1])
    with MPIPoolExecutor() as pool:
        list(pool.map(abs, range(100)))
        began = time.perf_counter()
        assert len(list(pool.map(abs, range(n), chunksize=chunk))) == n
        print(n / (time.perf_counter() - began))
"""

DASK = """
import sys, time
from dask.distributed import Client, LocalCluster
if __name__ == "__main__":
    n = int(sys.argv[-1])
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, \\
            Client(cluster) as client:
        client.gather(client.map(abs, range(100), pure=False))
        began = time.perf_counter()
        assert len(client.gather(client.map(abs, range(n), pure=False))) == n
        print(n / (time.perf_counter() - began))
"""


def mpi_env():
    return dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")


def mpirun(n, *argv):
    return ["mpirun", "--oversubscribe", "--mca", "pml", "ob1", "-n", str(n), *argv]


def gridmill(build, folder, text, *more):
    """Runs a job; its results file, and the summary."""
    job, results = os.path.join(folder, "job.yaml"), os.path.join(folder, "job.h5")
    with open(job, "w", encoding="utf-8") as f:
        f.write(text + f"\nresults: {results}\n")
    harness.timed_ms([os.path.join(build, "bin", "gridmill"), "run", job, "-q", "--force",
                      "--oversubscribe", *more])
    with open(results.removesuffix(".h5") + ".summary.json", encoding="utf-8") as f:
        return results, json.load(f)


def committed(build, folder):
    """Tasks a second, from the first start until all are on file and the ranks were told so."""
    tally = os.path.join(folder, "tally")
    with open(tally, "wb") as f:
        f.truncate(COMMITTED)
    results, summary = gridmill(
        build, folder, f"ranks: 2\nkernel: noop\nmatrix: {{i: 1-{COMMITTED}}}\n"
        f"args: {{width: 64, tally: {tally}}}")
    with open(tally, "rb") as f:
        ran = f.read()
    if ran.count(1) != COMMITTED or summary["committed"] != COMMITTED:
        raise RuntimeError(f"{ran.count(1)} of {COMMITTED} tasks ran once")
    os.remove(tally)
    os.remove(results)
    return COMMITTED / summary["phases"]["tasks"]


def hdf5_rate(build, folder):
    """Rows of 64 bytes a second by HDF5 itself, a flush a thousand: bench_pack's floor."""
    rows = harness.json_lines(
        mpirun(2, os.path.join(build, "bin", "bench_pack"), folder, "rows"), mpi_env())
    return next(r["floor"] for r in rows if r["name"] == "rows_64b_1000")


def times(kind, n):
    """Seconds of n tasks, always the same ones; the longest is small beside the sum."""
    draw = random.Random(20260101)
    one = {
        "uniform": lambda: 0.005,
        "bimodal": lambda: 0.060 if draw.random() < 0.05 else 0.003,
        "heavy_tailed": lambda: min(0.120, 0.002 * draw.paretovariate(1.1)),
    }[kind]
    return [round(one(), 6) for _ in range(n)]


def makespan(build, folder, seconds):
    """Of tasks that sleep, over the least that any schedule of what they took could have."""
    ranks = 4
    results, _ = gridmill(build, folder, f"ranks: {ranks}\nkernel: sleep\n"
                          f"matrix: {{s: {seconds}}}\nargs: {{seconds: '${{s}}'}}")
    with h5py.File(results) as f:
        took = f["tasks/end"][:].max() - f["tasks/start"][:].min()
        slept = f["stages/main/outputs/slept"][:]
    if len(slept) != len(seconds):
        raise RuntimeError("not every task slept")
    os.remove(results)
    return took / max(slept.sum() / ranks, slept.max())


def said(argv, env=None):
    done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stderr}")
    return float(done.stdout.split()[-1])


def has(module):
    return importlib.util.find_spec(module.split(".", maxsplit=1)[0]) is not None and \
        importlib.util.find_spec(module) is not None


def others(folder):
    """Tasks a second of other farms with two workers, each task a call of abs()."""
    rates = {}
    for name, text in (("futures", FUTURES), ("dask", DASK)):
        with open(os.path.join(folder, f"farm_{name}.py"), "w", encoding="utf-8") as f:
            f.write(text)
    script = os.path.join(folder, "farm_futures.py")
    if has("mpi4py.futures"):
        for name, chunk in (("mpi4py_1", 1), ("mpi4py_100", 100)):
            rates[name] = said(mpirun(3, sys.executable, "-m", "mpi4py.futures", script,
                                      str(PYTHON_TASKS), str(chunk)), mpi_env())
    if has("dask.distributed"):
        rates["dask"] = said([sys.executable, os.path.join(folder, "farm_dask.py"),
                              str(PYTHON_TASKS)])
    return rates


def run(build, _root):
    yield from harness.json_lines(
        mpirun(2, os.path.join(build, "bin", "bench_farm"), str(CLAIMS)), mpi_env())
    folder = tempfile.mkdtemp(prefix="gridmill-bench.", dir="/dev/shm")
    try:
        ours, floor = [], []
        for i in range(-1, REPEAT):  # one round to warm up
            pair = committed(build, folder), hdf5_rate(build, folder)
            if i >= 0:
                ours.append(pair[0])
                floor.append(pair[1])
        yield harness.line("farm", "committed_64b", "1/s", ours, statistics.median(floor),
                           "HDF5's own append of 64-byte rows, a thousand a flush")
        rates = others(folder)
        for name, rate in rates.items():
            yield harness.line("farm", f"committed_64b_{name}", "1/s", ours, peer=rate,
                               floor_how=f"peer: {name}, two workers, nothing kept")
        for kind, n in (("uniform", 4000), ("bimodal", 4000), ("heavy_tailed", 4000)):
            seconds = times(kind, n)
            samples = [makespan(build, folder, seconds) for _ in range(3)]
            yield harness.line("farm", f"makespan_{kind}", "1", samples, 1.0,
                               "the sum of what tasks took over the ranks, or the longest")
    finally:
        shutil.rmtree(folder)
