"""What the lints share: the tree's C sources, and their text without comments and strings."""
import os
import re

FOLDERS = ("scheduler", "kernels", "plugins", "runner", "bench", "tests")
SUFFIXES = (".c", ".h", ".cu", ".cuh")

# A comment, a string or a character: whichever starts first holds the others.
TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL
)


def files(root):
    """Paths of all C sources under root, relative to it, in order."""
    found = []
    for folder in FOLDERS:
        for at, folders, names in os.walk(os.path.join(root, folder)):
            folders.sort()
            for name in sorted(names):
                if name.endswith(SUFFIXES):
                    found.append(os.path.relpath(os.path.join(at, name), root))
    return found


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def _blank(text):
    """As many lines as before, so that line numbers stay."""
    return "\n" * text.count("\n")


def without_comments(text):
    return TOKEN.sub(lambda m: " " + _blank(m[0]) if m[0].startswith("/") else m[0], text)


def code_only(text):
    """No comments, and strings emptied."""

    def plain(m):
        first = m[0][0]
        return " " + _blank(m[0]) if first == "/" else first + _blank(m[0]) + first

    return TOKEN.sub(plain, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1
