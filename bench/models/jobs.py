"""A training as a job, on ranks: it takes its turns beside programs (turns.py)."""
import array
import json
import os
import random
import struct
import subprocess


def write_rows(path, rows, cols, classes):
    """A .npy of random rows, the last column a class."""
    drawn = random.Random(1)
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {cols + 1}), }}"
    text = text.ljust(117) + "\n"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode())
        for _ in range(rows):
            row = array.array("f", [v / 255 for v in drawn.randbytes(cols)])
            row.append(drawn.randrange(classes))
            row.tofile(f)


def write_text(path, n):
    """Random letters and lines."""
    drawn = random.Random(2)
    with open(path, "w", encoding="ascii") as f:
        f.write("".join(drawn.choice("abcdefghij klmnop\n") for _ in range(n)))


class Job:
    """`value` of an output's summary -> milliseconds, by `ms`."""

    def __init__(self, build, folder, name, text, output, ms):
        self.argv = [os.path.join(build, "bin", "gridmill"), "run",
                     os.path.join(folder, f"{name}.yaml"), "-q", "--force", "--oversubscribe"]
        self.summary = os.path.join(folder, f"{name}.summary.json")
        self.output, self.ms = output, ms
        with open(self.argv[2], "w", encoding="utf-8") as f:
            f.write(text + f"\nresults: {os.path.join(folder, name)}.h5\n")

    def turn(self, seconds):
        del seconds
        done = subprocess.run(self.argv, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(self.argv)}: exit {done.returncode}\n{done.stderr}")
        with open(self.summary, encoding="utf-8") as f:
            return self.ms(json.load(f)["stages"][0]["outputs"][self.output]["value"])

    def end(self):
        pass
