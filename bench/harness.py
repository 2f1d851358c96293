"""What the suites share: the line schema, statistics, the machine's name, processes.

One line a measurement, JSON:
  suite, name   what was measured
  value, unit   the result: the median, unless floor_how says otherwise
  floor         the least (or most) that is possible here, measured in the same run; or null
  floor_how     what the floor is
  peer          another program doing the same, measured in the same run; or null
  ratio         value / floor; value / peer where there is no floor; or null
  n, p50, p95   samples, their median and their 95th percentile
  machine       where
"""
import json
import os
import re
import statistics
import subprocess
import time

KEYS = (
    "suite name value unit floor floor_how peer ratio n p50 p95 machine".split()
)


def machine():
    """"AMD EPYC 9B14, 2 cores": processor, and how many of its cores we may use."""
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for text in f:
            if text.startswith("model name"):
                model = re.sub(r"\s+", " ", text.split(":", 1)[1]).strip()
                break
    n = len(os.sched_getaffinity(0))
    return f"{model}, {n} core{'s' if n != 1 else ''}"


def slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def p95(samples):
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, -(-95 * len(ordered) // 100) - 1)]


def line(suite, name, unit, samples, floor=None, floor_how="", peer=None):
    """A line from samples; the value is their median."""
    value = statistics.median(samples)
    base = floor if floor is not None else peer
    return {
        "suite": suite,
        "name": name,
        "value": value,
        "unit": unit,
        "floor": floor,
        "floor_how": floor_how,
        "peer": peer,
        "ratio": value / base if base else None,
        "n": len(samples),
        "p50": value,
        "p95": p95(samples),
        "machine": machine(),
    }


def check(measured):
    """A line of another program: all keys, no others; the machine is ours to say."""
    measured.setdefault("machine", machine())
    if set(measured) != set(KEYS):
        raise ValueError(f"not a line of the schema: {sorted(set(measured) ^ set(KEYS))}")
    return {key: measured[key] for key in KEYS}


def timed_ms(argv, env=None):
    """Milliseconds from start to end of a process that must succeed."""
    began = time.perf_counter()
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    ms = (time.perf_counter() - began) * 1e3
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stderr}")
    return ms


def json_lines(argv, env=None):
    """The lines that a measuring program prints."""
    done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}")
    return [check(json.loads(text)) for text in done.stdout.splitlines() if text.strip()]
