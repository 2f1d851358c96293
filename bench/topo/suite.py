"""Machines of up to 16,384 hosts: how long they load, how long a job's placement takes beside what
is held, what a claim takes, and how many bytes each resource has. All lines are bench_topo's."""
import os

import harness


def run(build, root):
    del root
    yield from harness.json_lines([os.path.join(build, "bin", "bench_topo")])
