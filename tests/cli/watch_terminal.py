"""gridmill watch on a terminal: watch_terminal.py GRIDMILL DONE.h5 JOB.yaml

A small terminal stands here in place of a real one: what is on its screen is what the watcher meant."""
import fcntl, os, pty, re, select, signal, struct, subprocess, sys, termios, time

gridmill, done, job = sys.argv[1:4]


class Screen:
    def __init__(self, width, height):
        self.width, self.height = width, height
        self.rows, self.x, self.y = [""] * height, 0, 0
        self.scrolled, self.wrapped, self.raw = 0, 0, b""

    def put(self, c):
        if self.x >= self.width:
            self.wrapped += 1
            self.x, self.y = 0, self.y + 1
        self.rows[self.y] = (self.rows[self.y].ljust(self.x)[:self.x] + c + self.rows[self.y][self.x + 1:])
        self.x += 1

    def feed(self, data):
        self.raw += data
        text = data.decode()
        i = 0
        while i < len(text):
            m = re.match(r"\x1b\[(\d*)([A-Za-z])", text[i:])
            if m:
                i += m.end()
                n, what = int(m[1] or 0), m[2]
                if what == "A":
                    self.y = max(0, self.y - max(n, 1))
                elif what == "K":
                    self.rows[self.y] = self.rows[self.y][:self.x]
                elif what == "J":
                    first = 0 if n == 2 else self.y + 1
                    self.rows[first:] = [""] * (self.height - first)
                    if n == 0:
                        self.rows[self.y] = self.rows[self.y][:self.x]
                elif what == "H":
                    self.x = self.y = 0
                else:
                    assert what == "m", m[0]
                continue
            assert text[i] != "\x1b", "a sequence that is cut: %r" % text[i:i + 20]
            if text[i] == "\n":
                self.y += 1
                if self.y == self.height:
                    self.rows = self.rows[1:] + [""]
                    self.y -= 1
                    self.scrolled += 1
            elif text[i] == "\r":
                self.x = 0
            else:
                self.put(text[i])
            i += 1


def resize(fd, width, height):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


def watch(file, width, height, then=None, **env):
    """The screen at its end, and the exit code; then: called with the terminal and the screen after each part."""
    master, slave = pty.openpty()
    resize(master, width, height)
    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    environment.update(TERM="xterm", LC_ALL="C.UTF-8", **env)
    p = subprocess.Popen([gridmill, "watch", "--wait", "--interval", "0.2", file], stdin=slave, stdout=slave, stderr=slave,
                         env=environment, start_new_session=True,
                         preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(slave)
    screen, end = Screen(width, height), time.time() + 60
    while True:
        assert time.time() < end, "it never ended\n" + "\n".join(screen.rows)
        if not select.select([master], [], [], 0.2)[0]:
            continue
        try:
            data = os.read(master, 1 << 16)
        except OSError:
            break
        if not data:
            break
        screen.feed(data)
        if then:
            screen = then(master, screen)
    os.close(master)
    return screen, p.wait()


def check(screen):
    text = "\n".join(screen.rows).rstrip("\n")
    assert screen.wrapped == 0 and screen.scrolled == 0, "it has scrolled\n" + text
    return text


# One that is over, in windows of any size.
for width, height in ((80, 24), (40, 12), (20, 6), (120, 50)):
    screen, code = watch(done, width, height)
    text = check(screen)
    assert code == 1 and text.startswith("job: failed"), text
    assert b"\x1b[31m" in screen.raw and "\u2501" in text, text
    if width >= 80:
        assert "mark[6] x=7: exit status 1" in text and re.search(r"\n +1  \S+ +\d+ ", text), text
screen, code = watch(done, 80, 24, NO_COLOR="1")
assert not re.search(rb"\x1b\[\d*m", screen.raw), screen.raw
check(screen)

# One that runs: redrawn in place, and the window is made narrow while it does.
frames = []


def shrink(master, screen):
    text = "\n".join(screen.rows)
    if text not in frames:
        frames.append(text)
    if screen.width == 80 and " of 120 tasks" in text and "running" in text and len(frames) > 8:
        check(screen)
        resize(master, 44, 12)
        time.sleep(0.5)  # what was drawn before it was seen, and over what that had become
        while select.select([master], [], [], 0)[0]:
            os.read(master, 1 << 16)
        return Screen(44, 12)
    return screen


run = subprocess.Popen([gridmill, "run", job, "-q", "--results", "shown.h5"], stderr=subprocess.DEVNULL)
screen, code = watch("shown.h5", 80, 24, shrink)
assert run.wait() == 1 and code == 1, code
text = check(screen)
assert screen.width == 44 and text.startswith("job: failed"), text
assert any("ago" in f and "running" in f for f in frames), frames
