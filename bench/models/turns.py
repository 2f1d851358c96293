"""Programs that take turns: each is started once, says "ready" when it is warm, and measures for
some seconds when it is asked to ("turn SECONDS" -> one number). While one measures, the others
wait for a line: no thread of theirs runs."""
import os
import subprocess
import time

QUIET = 0.06  # s: after a turn, until no thread of its pools spins any more


def waiting(how):
    """The environment of a program whose OpenMP threads wait so: "passive", or "brief", the
    library's default, which spins for some milliseconds. Never "active": such threads spin on
    through the others' turns."""
    env = {name: value for name, value in os.environ.items()
           if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    return env if how == "brief" else dict(env, OMP_WAIT_POLICY=how)


class Program:
    def __init__(self, argv, env=None):
        self.argv = argv
        self.process = subprocess.Popen(
            argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if self._line() != "ready":
            raise RuntimeError(f"{' '.join(argv)}: is not ready")

    def _line(self):
        text = self.process.stdout.readline()
        if not text:
            raise RuntimeError(f"{' '.join(self.argv)}: exit {self.process.wait()}")
        return text.strip()

    def turn(self, seconds):
        time.sleep(QUIET)
        self.process.stdin.write(f"turn {seconds}\n")
        self.process.stdin.flush()
        return float(self._line())

    def end(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            raise RuntimeError(f"{' '.join(self.argv)}: exit {self.process.returncode}")


def rounds(programs, n, seconds):
    """`n` numbers of each program, in turns."""
    told = [[] for _ in programs]
    for _ in range(n):
        for program, samples in zip(programs, told):
            samples.append(program.turn(seconds))
    return told
