"""docs/guide/kernels.md, from its first block to its last, against an installation alone. The word behind a
fence says what a block is:

  ```LANGUAGE FILE     is written to FILE, where the shell is
  ```sh                is run by the one shell of the page; each command ends with 0
  ```sh fails          its one command ends with 2
  ```text              is what the block before it printed; "..." stands for the rest of a word

usage: guide.py CMAKE BUILD-FOLDER PAGE
"""
import os
import re
import subprocess
import sys
import tempfile


def blocks(text):
    """(line, info words, body) of each fenced block."""
    found, info, body, start = [], None, [], 0
    for n, line in enumerate(text.splitlines(), 1):
        if info is None and line.startswith("```"):
            info, body, start = line[3:].split(), [], n
        elif info is not None and line == "```":
            found.append((start, info, "\n".join(body) + "\n"))
            info = None
        elif info is not None:
            body.append(line)
    assert info is None, f"line {start}: a block without an end"
    return found


class Shell:
    """Commands one after the other: folder and variables go from block to block."""

    def __init__(self, folder, env):
        self.folder, self.env = folder, env
        self.state = os.path.join(folder, ".state")

    def run(self, script, code=0):
        body = f'set -e\n{script}\n{{ pwd; env -0 | base64 -w0; }} >"{self.state}"\n'
        p = subprocess.run(["bash", "-c", body], cwd=self.folder, env=self.env, text=True, timeout=200,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if p.returncode != code:
            return p.stdout, f"exit {p.returncode} instead of {code}:\n{p.stdout}"
        if code == 0:
            import base64
            pwd, env = open(self.state).read().split("\n")
            self.folder = pwd
            self.env = dict(v.split("=", 1) for v in base64.b64decode(env).decode().split("\0") if v)
        return p.stdout, None


def judge(text, shell):
    said, n = None, 0
    for line, info, body in blocks(text):
        fault = None
        if not info:
            fault = "no word says what it is"
        elif info == ["text"]:
            want = re.escape(body).replace(re.escape("..."), r"\S*")
            if said is None or not re.fullmatch(want, said):
                fault = f"this was printed:\n{said}"
        elif info[0] == "sh":
            said, fault = shell.run(body, 2 if info[1:] == ["fails"] else 0)
            n += 1
        elif len(info) == 2 and "/" not in info[1]:
            with open(os.path.join(shell.folder, info[1]), "w") as f:
                f.write(body)
        else:
            fault = f"what is '{' '.join(info)}'?"
        if fault:
            return n, f"line {line}: {fault}"
    return n, None


BAD = ("```sh\nfalse\n```\n", "```sh fails\ntrue\n```\n", "```\ntrue\n```\n", "```sh\necho a\n```\n```text\nb\n```\n",
       "```sh\ncd no-folder\n```\n", "```yaml\na: 1\n```\n")
GOOD = "```sh\nmkdir a\ncd a\nexport B=7\n```\n```c f.txt\nx\n```\n```sh\ncat f.txt\necho $B.12\n```\n```text\nx\n7.1...\n```\n"


def main(cmake, build, page):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "OMPI_", "PMIX_", "GRIDMILL_"))}
    with tempfile.TemporaryDirectory(prefix="gridmill-test.") as top:
        for text in BAD:
            if judge(text, Shell(top, env))[1] is None:
                print(f"this test cannot fail: it accepted\n{text}")
                return 1
        fault = judge(GOOD, Shell(top, env))[1]
        if fault:
            print(f"this test refuses what is right: {fault}")
            return 1
        prefix, work = os.path.join(top, "gridmill"), os.path.join(top, "work")
        os.mkdir(work)
        subprocess.run([cmake, "--install", build, "--prefix", prefix], check=True, stdout=subprocess.DEVNULL)
        pc = next(d for d, _, files in os.walk(prefix) if "gridmill.pc" in files)
        env.update(PATH=f"{prefix}/bin:/usr/bin:{env['PATH']}", PKG_CONFIG_PATH=pc, CMAKE_PREFIX_PATH=prefix, LC_ALL="C.UTF-8")
        with open(page) as f:
            n, fault = judge(f.read(), Shell(work, env))
        print(f"{os.path.basename(page)}: {n} blocks of commands" + (f"; {fault}" if fault else ""))
        return 1 if fault or n < 5 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
