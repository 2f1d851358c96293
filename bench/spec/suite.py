"""Reading jobspecs: bench_spec's lines (parse and validate beside libyaml's bare event loop), and
what `gridmill check` takes for a job of ten million tasks and for an alias bomb, in time and
memory, beside `gridmill --version` (the same program, doing nothing). In turns."""
import os
import statistics
import subprocess
import tempfile
import time

import harness

TURNS = 15

TEN_MILLION = "matrix: {a: 1-10000, b: 1-1000}\ncommand: [echo, '${a}', '${b}']\n"


def bomb():
    """Nine levels of nine aliases each: 9^9 strings, if somebody expanded them."""
    text = "x0: &x0 [" + ", ".join(["lol"] * 9) + "]\n"
    for i in range(1, 9):
        text += f"x{i}: &x{i} [" + ", ".join([f"*x{i - 1}"] * 9) + "]\n"
    return text


def timed_ms(argv, code):
    began = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, check=False)
    ms = (time.perf_counter() - began) * 1e3
    if done.returncode != code:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stderr.decode()}")
    return ms


def peak_mib(build, argv):
    helper = os.path.join(build, "bin", "bench_spec")
    told = subprocess.run([helper, "peak", *argv], capture_output=True, check=True).stdout
    return int(told) / 2**20


def run(build, root):
    yield from harness.json_lines([os.path.join(build, "bin", "bench_spec")])

    gridmill = os.path.join(build, "bin", "gridmill")
    nothing = [gridmill, "--version"]
    with tempfile.TemporaryDirectory(prefix="gridmill-bench.") as folder:
        cases = []
        for name, text, code in (("check 10^7 tasks", TEN_MILLION, 0), ("check alias bomb", bomb(), 2)):
            path = os.path.join(folder, name.replace(" ", "-") + ".yaml")
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            cases.append((name, [gridmill, "check", path], code))
        for name, argv, code in cases:
            ours, bare, memory, least = [], [], [], []
            for turn in range(-1, TURNS):  # one to warm up
                samples = (timed_ms(argv, code), timed_ms(nothing, 0),
                           peak_mib(build, argv), peak_mib(build, nothing))
                if turn >= 0:
                    for to, sample in zip((ours, bare, memory, least), samples):
                        to.append(sample)
            how = "gridmill --version, in turns"
            yield harness.line("spec", name, "ms", ours, statistics.median(bare), how)
            yield harness.line("spec", f"{name}, memory", "MiB", memory, statistics.median(least), how)
