"""Every example of a man page, run for real. An example is what stands between .EX and .EE; the
comment line before it says what it is, and one without such a line is a fault:

  .\\" check          a jobspec that the checker accepts
  .\\" run            ... and that runs on this machine
  .\\" refused: TEXT  one that it refuses, with this in what it says
  .\\" file: NAME     written to NAME for the shell examples after it; NAME.yaml is checked too
  .\\" shell          lines "$ COMMAND" ("> " goes on), each with its output; "..." stands for any lines

usage: manual_examples.py GRIDMILL-BIN SOURCE PAGE...
"""
import os
import re
import subprocess
import sys
import tempfile

ESCAPES = {r"\-": "-", r"\&": "", r"\e": "\\", r"\(aq": "'", r"\(dq": '"', r"\(ha": "^",
           r"\(ti": "~", r"\(ga": "`"}
WIDTH = 80 - 11  # what a terminal leaves of an indented example
KINDS = ("check", "run", "refused", "file", "shell")


def plain(line):
    """A line of roff as its reader sees it."""
    line = line[2:] if line.startswith(r"\&") else line
    return re.sub(r"\\\((?:aq|dq|ha|ti|ga)|\\[-&e]", lambda m: ESCAPES[m[0]], line)


def examples(page, text):
    """(line, kind, argument, block) of each example; kind None: unmarked."""
    found, marker, block, start = [], None, None, 0
    for n, line in enumerate(text.splitlines(), 1):
        if block is not None:
            if line == ".EE":
                found.append((f"{page}:{start}", *marker, "\n".join(block) + "\n"))
                block = marker = None
            else:
                block.append(plain(line))
        elif line == ".EX":
            block, start, marker = [], n, marker or (None, "")
        else:
            m = re.match(r'\.\\" (\w+)(?:: (.*))?$', line)
            marker = (m[1], m[2] or "") if m and m[1] in KINDS else None
    return found


class Place:
    """A folder with the examples' data, and the programs on the PATH."""

    def __init__(self, programs, source, folder):
        self.folder = folder
        os.symlink(os.path.join(source, "jobspecs/data"), os.path.join(folder, "data"))
        dead = ("SLURM_", "OMPI_", "PMIX_", "GRIDMILL_LAUNCH")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(dead)}
        self.env.update(PATH=f"{programs}:{self.env['PATH']}", LC_ALL="C.UTF-8")
        self.n = 0

    def sh(self, command, text=None):
        p = subprocess.run(["bash", "-c", command], cwd=self.folder, env=self.env, input=text,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           timeout=100, stdin=None if text is not None else subprocess.DEVNULL)
        return p.returncode, p.stdout

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)

    def expect(self, code, command, text=None):
        rc, out = self.sh(command, text)
        return None if rc == code else f"exit {rc}: {command}\n{out}"

    def check(self, block, _):
        return self.expect(0, "gridmill check -", block)

    def run(self, block, _):
        self.n += 1
        self.write(f"example-{self.n}.yaml", block)
        return self.expect(0, f"gridmill run -q example-{self.n}.yaml")

    def refused(self, block, words):
        rc, out = self.sh("gridmill check -", block)
        if rc == 2 and words and words in out:
            return None
        return f"exit {rc}, and it did not say '{words}':\n{out}"

    def file(self, block, name):
        self.write(name, block)
        return self.expect(0, f"gridmill check {name}") if name.endswith(".yaml") else None

    def shell(self, block, _):
        """Each command with the lines below it."""
        command, want = None, []
        for line in block.splitlines() + ["$ "]:
            if line.startswith("$ "):
                fault = command and self.one(command, want)
                if fault:
                    return fault
                command, want = line[2:], []
            elif line.startswith("> ") and not want:
                command += "\n" + line[2:]
            elif command is None:
                return f"no command before: {line}"
            else:
                want.append(line)
        return None

    def one(self, command, want):
        _, out = self.sh(command)
        pattern = "".join("(?:.*\n)*?" if line.strip() == "..." else re.escape(line) + "\n"
                          for line in want)
        if re.fullmatch(pattern, out):
            return None
        wanted = "\n".join(want)
        return f"$ {command}\nprinted\n{out}instead of\n{wanted}"


def judge(place, page, text):
    wrong = []
    found = examples(page, text)
    for where, kind, argument, block in found:
        fault = getattr(place, kind)(block, argument) if kind else "no marker says what it is"
        if any(len(line) > WIDTH for line in block.splitlines()):
            fault = f"wider than {WIDTH}"
        if fault:
            wrong.append(f"{where}: {fault}")
    return len(found), wrong


BAD = ('.EX\nkernel: gemm\n.EE\n',
       '.\\" check\n.EX\nkernel: gemmm\n.EE\n',
       '.\\" refused: no such\n.EX\nkernel: gemm\n.EE\n',
       '.\\" refused: another sentence\n.EX\nkernel: gemmm\n.EE\n',
       '.\\" run\n.EX\ncommand: [false]\n.EE\n',
       '.\\" shell\n.EX\n$ echo a\nb\n.EE\n',
       '.\\" check\n.EX\ncommand: [echo]' + 80 * " " + '\n.EE\n')


def main(programs, source, *pages):
    with tempfile.TemporaryDirectory(prefix="gridmill-test.") as folder:
        place = Place(programs, source, folder)
        for text in BAD:
            if not judge(place, "sample", text)[1]:
                print(f"this test cannot fail: it accepted\n{text}")
                return 1
        wrong, n = [], 0
        for page in pages:
            with open(page) as f:
                count, faults = judge(place, os.path.basename(page), f.read())
            n += count
            wrong += faults
        print(f"{n} examples, {len(wrong)} wrong")
        for line in wrong:
            print(line)
        return 1 if wrong or n == 0 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
