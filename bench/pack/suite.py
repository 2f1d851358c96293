"""Results of 1 MiB to shards beside raw writes, the pack by two ranks beside MPI_File_write_at_all,
rows of 64 bytes beside HDF5's own batches, and the pack of 10^6 tasks. All lines are bench_pack's."""
import os
import shutil
import tempfile

import harness

PARTS = (("values", None), ("pack", "/dev/shm"), ("gzip", "/dev/shm"), ("rows", "/dev/shm"),
         ("tasks", "/dev/shm"))


def run(build, root):
    del root
    program = os.path.join(build, "bin", "bench_pack")
    env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    for part, parent in PARTS:  # `values` syncs: on a disk
        folder = tempfile.mkdtemp(prefix="gridmill-bench.", dir=parent)
        try:
            yield from harness.json_lines(
                ["mpirun", "--oversubscribe", "--mca", "pml", "ob1", "-n", "2", program, folder,
                 part], env)
        finally:
            shutil.rmtree(folder)
