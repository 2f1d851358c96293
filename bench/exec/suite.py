"""Commands: short programs on two ranks, each with its output and usage captured and committed,
against loops that start them and do nothing else. Interleaved, so that a slow minute is slow for all.

A rate is programs a second from the first start to the last end, as the results have it; of the
whole run, launch and pack included, in *_run."""
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time

import harness

REPEAT = 5
N_TRUE, N_NOTHING = 10000, 20000
# Run untimed before each sample, ours and the loops': page tables of short programs live in memory
# that a hypervisor takes back while nobody uses it, and its first touch costs more than a program.
N_WARM = 3000


def loop(program, way, path, n):
    """Programs a second of two processes that start one at a time, or of one that keeps two
    running: the better of the two."""
    argv = [program, way]
    subprocess.run([*argv, str(N_WARM), "2", path], stdout=subprocess.DEVNULL, check=True)
    pair = [subprocess.Popen([*argv, str(n // 2), "1", path], stdout=subprocess.PIPE, text=True)
            for _ in range(2)]
    apart = sum(float(p.communicate()[0]) for p in pair)
    if any(p.returncode != 0 for p in pair):
        raise RuntimeError(f"{way} {path} failed")
    alone = subprocess.run([*argv, str(n), "2", path], stdout=subprocess.PIPE, text=True, check=True)
    return max(apart, float(alone.stdout))


def gridmill(program, folder, path, n):
    """Programs a second while they ran, and of the whole run; warmed up."""
    run_job(program, folder, path, N_WARM)
    return run_job(program, folder, path, n)


def run_job(program, folder, path, n):
    job, results = os.path.join(folder, "job.yaml"), os.path.join(folder, "job.h5")
    with open(job, "w", encoding="utf-8") as f:
        f.write(f"ranks: 2\ntasks: [{{name: s, matrix: {{x: 1-{n}}}, command: [{path}]}}]\n"
                f"results: {results}\n")
    ms = harness.timed_ms([program, "run", job, "-q", "--force", "--oversubscribe"])
    said = subprocess.run([program, "result", "tasks", results, "--json"], capture_output=True,
                          text=True, check=True)
    tasks = [t for t in json.loads(said.stdout)["tasks"] if t["status"] == "done"]
    if len(tasks) != n:
        raise RuntimeError(f"{len(tasks)} of {n} tasks are done")
    took = max(t["end"] for t in tasks) - min(t["start"] for t in tasks)
    return n / took, n / ms * 1e3


def piped(argv, n):
    """Programs a second of a tool that reads arguments; warmed up."""
    for count in (n // 3, n):
        lines = "".join(f"{i}\n" for i in range(count))
        began = time.perf_counter()
        subprocess.run(argv, input=lines, text=True, check=True, stdout=subprocess.DEVNULL)
    return n / (time.perf_counter() - began)


def gnu_parallel():
    found = shutil.which("parallel")
    if found is None:
        return None
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    return found if said.stdout.startswith("GNU parallel") else None


def run(build, _root):
    ours = os.path.join(build, "bin", "gridmill")
    spawn = os.path.join(build, "bin", "bench_spawn")
    nothing = os.path.join(build, "bin", "bench_nothing")
    parallel = gnu_parallel()
    folder = tempfile.mkdtemp(prefix="gridmill-bench.", dir="/dev/shm")
    samples = {}

    def add(name, value):
        samples.setdefault(name, []).append(value)

    try:
        for i in range(-1, REPEAT):  # one round to warm up
            n_true, n_nothing = (N_TRUE, N_NOTHING) if i >= 0 else (1000, 1000)
            true = gridmill(ours, folder, "/bin/true", n_true)
            floor = loop(spawn, "posix_spawn", "/bin/true", n_true)
            xargs = piped(["xargs", "-P2", "-n1", "/bin/true"], n_true)
            empty = gridmill(ours, folder, nothing, n_nothing)
            vfork = loop(spawn, "vfork", nothing, n_nothing)
            slow = parallel and piped([parallel, "-j2", "/bin/true"], n_true // 10)
            if i < 0:
                continue
            for name, value in (("true", true[0]), ("true_run", true[1]), ("spawn", floor),
                                ("xargs", xargs), ("empty", empty[0]), ("empty_run", empty[1]),
                                ("vfork", vfork)):
                add(name, value)
            if parallel:
                add("parallel", slow)
    finally:
        shutil.rmtree(folder)

    middle = {name: statistics.median(values) for name, values in samples.items()}
    rate = "1/s"
    spawn_how = "a bare posix_spawn loop, two running, nothing captured"
    yield harness.line("exec", "true", rate, samples["true"], middle["spawn"],
                       f"{spawn_how}; peer: xargs -P2", middle["xargs"])
    yield harness.line("exec", "true_run", rate, samples["true_run"], middle["spawn"],
                       f"{spawn_how}; value: launch and pack included")
    yield harness.line("exec", "true_xargs", rate, samples["true"], peer=middle["xargs"],
                       floor_how="peer: xargs -P2")
    if parallel:
        yield harness.line("exec", "true_parallel", rate, samples["true"], peer=middle["parallel"],
                           floor_how="peer: GNU parallel -j2")
    vfork_how = "a bare vfork loop of a program without a C library, two running"
    yield harness.line("exec", "static", rate, samples["empty"], middle["vfork"], vfork_how)
    yield harness.line("exec", "static_run", rate, samples["empty_run"], middle["vfork"],
                       f"{vfork_how}; value: launch and pack included")
