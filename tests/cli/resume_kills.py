"""kill -9 of any process of a run at any instant, also while it packs and while it is resumed: each
time h5py opens what is there, `gridmill resume` completes, every task is there once, and the result's
hash is that of a run that nobody disturbed.

    resume_kills.py BIN ROUNDS     the seed is printed; GRIDMILL_TEST_SEED repeats one
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
import numpy as np

BIN, ROUNDS = sys.argv[1], int(sys.argv[2])
GRIDMILL = os.path.join(BIN, "gridmill")
SEED = int(os.environ.get("GRIDMILL_TEST_SEED", 0)) or random.SystemRandom().randrange(1, 1 << 31)
JOB = """
name: job
ranks: 3
oversubscribe: true
tasks:
  - name: quick
    matrix: {seed: 1-150}
    kernel: mlp.train
    args: {data: digits.csv.gz, scale: 0.0625, layers: [64, 4, 10], epochs: 1, lr: 0.1, init-seed: "${seed}"}
  - name: nap
    matrix: {x: 1-60}
    kernel: sleep
    args: {seconds: 0.01}
  - name: each
    matrix: {x: 1-60}
    needs: [nap]
    command: [sh, -c, "echo ${x}"]
    retry: {limit: 1, on: [exit, signal, node]}
  - name: pair
    matrix: {seed: 1-4}
    group: 2
    crash-limit: 9
    kernel: mlp.train
    args: {data: digits.csv.gz, scale: 0.0625, layers: [64, 8, 10], epochs: 2, lr: 0.1, init-seed: "${seed}"}
  - name: last
    needs: [each, pair]
    matrix: {x: 1-3}
    command: [test, -s, "${results}"]
results: job.h5
"""
TASKS = 150 + 60 + 60 + 4 + 3


def environment():
    env = dict(os.environ)
    for name in list(env):
        if name.startswith(("SLURM_", "OMPI_", "PMIX_", "GRIDMILL_LAUNCH")):
            del env[name]
    return env


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return b""


def alive(pid):
    state = [line for line in read(f"/proc/{pid}/status").split(b"\n") if line.startswith(b"State:")]
    return bool(state) and state[0].split()[1] not in (b"Z", b"X")


def family(work):
    """The processes of the job: all that have the folder in their words or their environment."""
    found = []
    for path in glob.glob("/proc/[0-9]*"):
        pid = int(path.split("/")[2])
        if pid == os.getpid():
            continue
        words = read(path + "/cmdline")
        ours = work.encode() in words or b"GRIDMILL_TEST_KILLS_ID=" + work.encode() in read(path + "/environ")
        if ours and alive(pid):
            found.append(pid)
    return sorted(found)


def start(work, words):
    env = environment()
    env["GRIDMILL_TEST_KILLS_ID"] = work
    out = open(os.path.join(work, "said"), "wb")
    return subprocess.Popen([GRIDMILL] + words, cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=out,
                            stderr=out)


def fail(text, work):
    said = read(os.path.join(work, "said")).decode(errors="replace")
    sys.exit(f"FAILED: {text}\n{said[-3000:]}")


def finish(child, work, story=(), limit=90):
    """Its exit code, once nothing of it is left."""
    try:
        code = child.wait(limit)
    except subprocess.TimeoutExpired:
        fail(f"it still runs after {limit} s: {story}", work)
    until = time.monotonic() + 20
    while family(work):
        if time.monotonic() > until:
            left = [read(f"/proc/{p}/cmdline").replace(b"\0", b" ") for p in family(work)]
            fail(f"still there after {story}: {left}", work)
        time.sleep(0.05)
    return code


def hash_of(work):
    said = subprocess.run([GRIDMILL, "result", "hash", "job.h5"], cwd=work, env=environment(),
                          capture_output=True, text=True)
    if said.returncode != 0:
        fail(f"result hash: {said.stderr}", work)
    return said.stdout.split()[0]


def check_shards(work):
    """h5py opens every shard and reads what is committed there."""
    rows = 0
    for path in glob.glob(os.path.join(work, "job.h5.gm/shards/*/*.h5")):
        with h5py.File(path, "r", libver="latest", swmr=True) as f:
            for name in f:
                data = f[name][...]
                rows += len(data) if name == "commits" else 0
    return rows


def check_file(work, want):
    if hash_of(work) != want:
        fail("another result than that of a clean run", work)
    with h5py.File(os.path.join(work, "job.h5"), "r") as f:
        status = f["tasks/status"][...]
        if len(status) != TASKS or (status != 1).any():
            fail(f"{len(status)} tasks, status {np.bincount(status).tolist()}", work)
        tried = np.stack([f["attempts/task"][...], f["attempts/attempt"][...].astype(np.uint64)], axis=1)
        if len(np.unique(tried, axis=0)) != len(tried):
            fail("an attempt is there twice", work)
        if len(np.unique(tried[:, 0])) != TASKS:
            fail("not every task was tried", work)
        text = f["logs/each/stdout/data"][...].tobytes().decode()
        if text != "".join(f"{x}\n" for x in range(1, 61)):
            fail("what the commands printed is not there once each", work)
    if glob.glob(os.path.join(work, "job.h5.*")):
        fail(f"left behind: {glob.glob(os.path.join(work, 'job.h5.*'))}", work)


def disturb(rng, child, work, longest):
    """Kills one process, or several, after a while; what it was."""
    began = time.monotonic()
    until = began + rng.uniform(0, 0.9) * longest
    packing = rng.random() < 0.25  # the moment that FILE.tmp is there
    while time.monotonic() < until and child.poll() is None:
        if packing and os.path.exists(os.path.join(work, "job.h5.tmp")):
            break
        time.sleep(0.002)
    pids = family(work)
    if not pids:
        return "nobody"
    victims = rng.sample(pids, min(len(pids), rng.choice([1, 1, 1, 2])))
    names = []
    for pid in victims:
        words = read(f"/proc/{pid}/cmdline").split(b"\0")
        name = os.path.basename(words[0].decode(errors="replace")) or "?"
        names.append(f"{name}@{time.monotonic() - began:.2f}")
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return "+".join(names)


def one_round(number, rng, work, want, longest):
    for name in glob.glob(os.path.join(work, "job.*")):
        if not name.endswith(".yaml"):
            subprocess.run(["rm", "-rf", name], check=True)
    story = []
    child = start(work, ["run", "job.yaml", "--set", f"on-loss.restarts={rng.choice([0, 0, 3])}"])
    for _ in range(rng.choice([1, 1, 2, 3])):
        victim = disturb(rng, child, work, longest)
        story.append(victim)
        code = finish(child, work, story)
        story[-1] += f": {code}, {check_shards(work)} commits"
        if code not in (0, 5, -9):
            fail(f"exit {code}: {story}", work)
        if code == 0 or os.path.exists(os.path.join(work, "job.h5")):
            break
        began = os.path.isdir(os.path.join(work, "job.h5.gm"))
        ranks = rng.choice(["2", "3", "4"])  # a task is of two
        child = start(work, ["resume", "job.h5", "--ranks", ranks] if began else ["run", "job.yaml"])
    code = finish(child, work)
    if code != 0 and not os.path.exists(os.path.join(work, "job.h5")):
        code = finish(start(work, ["resume", "job.h5"]), work)
        story.append(f"resume: {code}")
        if code != 0:
            fail(f"resume: exit {code}: {story}", work)
    subprocess.run(["rm", "-rf", os.path.join(work, "job.h5.gm")], check=True)
    for name in glob.glob(os.path.join(work, "job.h5.*tmp*")):
        os.unlink(name)
    print(f"round {number}: {'; '.join(story)}", flush=True)
    check_file(work, want)


def main():
    print(f"seed: {SEED}", flush=True)
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory(prefix="gridmill-kills-") as work:
        with open(os.path.join(work, "job.yaml"), "w", encoding="utf-8") as f:
            f.write(JOB)
        data = os.path.join(os.environ["GRIDMILL_SOURCE"], "jobspecs/data/digits.csv.gz")
        os.symlink(data, os.path.join(work, "digits.csv.gz"))
        began = time.monotonic()
        if finish(start(work, ["run", "job.yaml"]), work) != 0:
            fail("a run that nobody disturbs", work)
        longest = time.monotonic() - began
        want = hash_of(work)
        check_file(work, want)
        print(f"a run takes {longest:.1f} s", flush=True)
        try:
            for number in range(ROUNDS):
                one_round(number, rng, work, want, longest)
        finally:
            for pid in family(work):
                os.kill(pid, signal.SIGKILL)


main()
