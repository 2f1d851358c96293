"""Start-up: one `sleep: 0` task on two ranks, the packed results file on tmpfs included, against
bare MPI programs under mpirun. Interleaved, so that a slow minute is slow for all."""
import json
import os
import shutil
import statistics
import tempfile

import harness

RANKS = 2
REPEAT = 20


def mpirun(*flags):
    return ["mpirun", "--oversubscribe", "-n", str(RANKS), *flags]


def phases(results):
    """Milliseconds of each part of the run, from the summary that it left."""
    with open(results.removesuffix(".h5") + ".summary.json", encoding="utf-8") as f:
        return {name: s * 1e3 for name, s in json.load(f)["phases"].items()}


def run(build, root):
    gridmill = os.path.join(build, "bin", "gridmill")
    bare = os.path.join(build, "bin", "bench_mpi_init")
    job = os.path.join(root, "jobspecs", "sleep.yaml")
    env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    folder = tempfile.mkdtemp(prefix="gridmill-bench.", dir="/dev/shm")
    ours, default, ob1, parts = [], [], [], {}
    try:
        for i in range(-1, REPEAT):  # one round to warm up
            results = os.path.join(folder, f"sleep{i}.h5")
            round_ = (
                harness.timed_ms(
                    [gridmill, "run", job, "-q", "--oversubscribe", "--results", results]
                ),
                harness.timed_ms(mpirun(bare, str(RANKS)), env),
                harness.timed_ms(mpirun("--mca", "pml", "ob1", bare, str(RANKS)), env),
            )
            if not os.path.isfile(results):
                raise RuntimeError("the run left no results")
            if i >= 0:
                for samples, ms in zip((ours, default, ob1), round_):
                    samples.append(ms)
                for name, ms in phases(results).items():
                    parts.setdefault(name, []).append(ms)
    finally:
        shutil.rmtree(folder)

    floor = statistics.median(ob1)
    how = "MPI_Init and MPI_Finalize alone, mpirun --mca pml ob1; peer: mpirun's defaults"
    yield harness.line("start", "run_sleep_0", "ms", ours, floor, how, statistics.median(default))
    yield harness.line("start", "bare_defaults", "ms", default)
    yield harness.line("start", "bare_ob1", "ms", ob1)
    for name, samples in parts.items():
        yield harness.line("start", f"phase_{name}", "ms", samples)
