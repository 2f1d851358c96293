"""kill -9 of a launch at random moments, again and again, and each time a resume on some number of
ranks: the tasks go on from their checkpoints, and what they compute has the bytes of a run that nobody
disturbed.

    checkpoint_kills.py BIN KILLS     of each of two jobs; the seed is printed; GRIDMILL_TEST_SEED repeats one
"""
import glob
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

import h5py

BIN, KILLS = sys.argv[1], int(sys.argv[2])
GRIDMILL, RUNNER = os.path.join(BIN, "gridmill"), os.path.join(BIN, "gridmill-runner")
SEED = int(os.environ.get("GRIDMILL_TEST_SEED", 0)) or random.SystemRandom().randrange(1, 1 << 31)
ARGS = "data: digits.csv.gz, scale: 0.0625, layers: [64, 48, 10], lr: 0.01"
JOBS = {
    "alone": f"""
name: alone
ranks: 2
oversubscribe: true
matrix: {{seed: 1-2}}
kernel: mlp.train
checkpoint: 50ms
crash-limit: 1000
args: {{{ARGS}, epochs: 1200, init-seed: "${{seed}}"}}
results: job.h5
""",
    "pair": f"""
name: pair
ranks: 2
oversubscribe: true
group: 2
kernel: mlp.train
checkpoint: 50ms
crash-limit: 1000
args: {{{ARGS}, epochs: 200, optimizer: adamw}}
results: job.h5
"""}


def environment(work):
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("SLURM_", "OMPI_", "PMIX_", "GRIDMILL_LAUNCH"))}
    env.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", GRIDMILL_TEST_KILLS_ID=work)
    return env


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return b""


def family(work, name=b""):
    """The living processes of the job, by the mark in their environment."""
    mark, found = b"GRIDMILL_TEST_KILLS_ID=" + work.encode(), []
    for path in glob.glob("/proc/[0-9]*"):
        if path == f"/proc/{os.getpid()}" or mark not in read(path + "/environ").split(b"\0"):
            continue
        if b"State:\tZ" not in read(path + "/status") and name in read(path + "/comm"):
            found.append(int(path.split("/")[2]))
    return found


def fail(text, work):
    sys.exit(f"FAILED: {text}\n{read(os.path.join(work, 'said')).decode(errors='replace')[-3000:]}")


def start(work, words):
    with open(os.path.join(work, "said"), "ab") as out:
        return subprocess.Popen(words, cwd=work, env=environment(work), stdin=subprocess.DEVNULL, stdout=out,
                                stderr=out)


def finish(child, work, limit=120):
    try:
        code = child.wait(limit)
    except subprocess.TimeoutExpired:
        fail(f"it still runs after {limit} s", work)
    until = time.monotonic() + 20
    while family(work):
        if time.monotonic() > until:
            fail("processes are left", work)
        time.sleep(0.02)
    return code


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def hash_of(work):
    said = subprocess.run([GRIDMILL, "result", "hash", "job.h5"], cwd=work, env=environment(work),
                          capture_output=True, text=True)
    if said.returncode != 0:
        fail(f"result hash: {said.stderr}", work)
    return said.stdout.split()[0]


def outputs(work):
    """Every output and series that was not measured, by name, as bytes."""
    found = {}

    def keep(name, item):
        measured = name.endswith("samples_per_s")
        if isinstance(item, h5py.Dataset) and ("/outputs/" in name or name.startswith("series/")) and not measured:
            found[name] = item[...].tobytes()

    with h5py.File(os.path.join(work, "job.h5"), "r") as f:
        f.visititems(keep)
        if (f["tasks/status"][...] != 1).any():
            fail("a task is not done", work)
        return found, f["attempts/continued"][...][f["attempts/status"][...] == 1]


def launch(rng, work, first):
    """The job's next launch, started by gridmill or by mpirun."""
    ranks = rng.choice([2, 2, 3])
    if rng.random() < 0.5:
        words = [GRIDMILL, "run", "job.yaml"] if first else [GRIDMILL, "resume", "job.h5"]
        return start(work, words + ["--ranks", str(ranks), "-q", "--set", "on-loss.restarts=0"])
    words = [RUNNER, "job.yaml", "--set", f"ranks={ranks}"] if first else [RUNNER, "--resume", "job.h5"]
    return start(work, ["mpirun", "--oversubscribe", "-n", str(ranks)] + words + ["-q"])


def saved(work):
    return glob.glob(os.path.join(work, "job.h5.gm/checkpoints/[0-9]*-*"))


def disturb(rng, child, work):
    """Waits until something was saved, then a while longer; then kills all, or one rank."""
    until = time.monotonic() + 30
    while not saved(work) and child.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    time.sleep(rng.uniform(0, 0.4))
    ranks = family(work, b"gridmill-runner"[:15])
    if rng.random() < 0.3 and ranks:
        kill([rng.choice(ranks)])
        return "one rank"
    kill(family(work))
    return "all"


def whole(work):
    return os.path.exists(os.path.join(work, "job.h5")) and not os.path.isdir(os.path.join(work, "job.h5.gm"))


def one_job(name, rng, work):
    with open(os.path.join(work, "job.yaml"), "w", encoding="utf-8") as f:
        f.write(JOBS[name])
    if finish(start(work, [GRIDMILL, "run", "job.yaml", "-q"]), work) != 0:
        fail("a run that nobody disturbs", work)
    want, (clean, went_on) = hash_of(work), outputs(work)
    if went_on.any() or not clean:
        fail("the undisturbed run went on from somewhere", work)
    kills, runs, story, best = 0, 0, [], 0
    while kills < KILLS:
        os.unlink(os.path.join(work, "job.h5"))
        while kills < KILLS and not whole(work):
            first = not os.path.exists(os.path.join(work, "job.h5.gm/plan.json"))
            if first:
                subprocess.run(["rm", "-rf", os.path.join(work, "job.h5.gm")], check=True)
            child = launch(rng, work, first)
            story.append(disturb(rng, child, work))
            story[-1] += f": {finish(child, work)}"
            kills += 1
        if not whole(work):
            code = finish(start(work, [GRIDMILL, "resume", "job.h5", "-q"]), work)
            if code != 0 and not whole(work):
                fail(f"the last resume: exit {code}: {story}", work)
        runs += 1
        got, went_on = outputs(work)
        best = max(best, int(went_on.max()))
        for key in sorted(set(clean) | set(got)):
            if clean.get(key) != got.get(key):
                fail(f"{key} has other bytes: {story}", work)
        if hash_of(work) != want:
            fail(f"another hash: {story}", work)
    print(f"{name}: {kills} kills, {runs} runs, up to {best} steps not taken again: {'; '.join(story)}", flush=True)
    if best == 0:
        fail("nothing ever went on from a checkpoint", work)
    os.unlink(os.path.join(work, "job.h5"))


def main():
    print(f"seed: {SEED}", flush=True)
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory(prefix="gridmill-kills-") as work:
        os.symlink(os.path.join(os.environ["GRIDMILL_SOURCE"], "jobspecs/data/digits.csv.gz"),
                   os.path.join(work, "digits.csv.gz"))
        try:
            for name in JOBS:
                one_job(name, rng, work)
        finally:
            kill(family(work))


main()
