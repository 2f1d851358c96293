"""PyTorch, tuned: each setting that its users would try is measured, and the fastest one stays."""
import os
import statistics
import subprocess
import sys

import turns

PYTHON = "/usr/bin/python3"  # the one that Debian's python3-torch is for
PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer_torch.py")
CODES = {"gpt": ("eager", "foreach", "trace"), "train": ("eager", "foreach"),
         "infer": ("eager", "frozen", "mkldnn")}


def version():
    """PyTorch's version, or None where it is not installed."""
    done = subprocess.run([PYTHON, PROGRAM, "version"], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def start(what, numbers, threads, blas, wait, code):
    env = dict(turns.waiting(wait), OMP_NUM_THREADS=str(threads),
               OPENBLAS_NUM_THREADS=str(blas))
    argv = [PYTHON, PROGRAM, what, *map(str, numbers), str(threads), code]
    return turns.Program(argv, env)


def best_of(what, numbers, settings, seconds):
    """The fastest of some settings, still running; each is told on stderr."""
    best, least = None, None
    for setting in settings:
        program = start(what, numbers, *setting)
        ms = min(program.turn(seconds) for _ in range(2))
        threads, blas, wait, code = setting
        print(f"  PyTorch {what} {'x'.join(map(str, numbers))}: OMP {threads} OPENBLAS {blas} "
              f"{wait} {code}: {ms:.4g} ms", file=sys.stderr)
        if least is None or ms < least[0]:
            best, program, least = program, best, (ms, setting)
        if program is not None:
            program.end()
    return best, least[1]


def tuned(what, numbers, threads, seconds, quick):
    """(program, its setting in words). First the pools, with the plainest code; then the code."""
    code = CODES[what][0]
    pools = [(threads, threads, "passive", code)]
    if threads > 1 and not quick:
        pools += [(1, threads, "passive", code), (threads, 1, "passive", code),
                  (threads, threads, "brief", code)]
    program, setting = best_of(what, numbers, pools, seconds)
    codes = [] if quick else [setting[:3] + (c,) for c in CODES[what][1:]]
    if codes:
        other, found = best_of(what, numbers, codes, seconds)
        first, second = (statistics.median(s) for s in turns.rounds((program, other), 3, seconds))
        if second < first:
            program, other, setting = other, program, found
        other.end()
    return program, "OMP {} OPENBLAS {} {} {}".format(*setting)
