#!/usr/bin/env python3
"""Words that have no place in the sources.

  banned.py ROOT         prints what is wrong as file:line: sentence; exit 1 if anything is
  banned.py --self-test  proves that each rule finds what it is for

Comments and strings are taken out first, so that prose may speak of strcpy.
"""
import os
import re
import sys
import tempfile

import sources

# Functions, and what to write instead. Not called anywhere, tests and benchmarks included.
FUNCTIONS = {
    "strcpy": "str_* of base/str.h",
    "strcat": "str_* of base/str.h",
    "stpcpy": "str_* of base/str.h",
    "strncpy": "memcpy with a checked length",
    "strncat": "str_* of base/str.h",
    "sprintf": "snprintf, or str_* of base/str.h",
    "vsprintf": "vsnprintf",
    "gets": "fgets",
    "atoi": "strtol with its end checked",
    "atol": "strtol with its end checked",
    "atoll": "strtoll with its end checked",
    "atof": "strtod with its end checked",
    "strtok": "strcspn",
    "system": "proc_spawn of base/proc.h",
    "alloca": "an arena",
    "tmpnam": "mkstemp",
    "mktemp": "mkstemp",
}

# Calls with a place of their own -> the file that may make them; tests may.
PLACED = {
    "exit": None,  # a file with a main
    "quick_exit": None,
    "popen": "",  # tests alone
    "MPI_Abort": "runner/main.c",
}

CALL = re.compile(r"(?<![\w.>])(\w+)\s*\(")
MAIN = re.compile(r"\bint\s+main\s*\(")
# Variables that tell who started us: one file reads them.
LAUNCH_ENV = re.compile(r'getenv\s*\(\s*"(?:SLURM|OMPI|PMIX?|FLUX)_')
LAUNCH_ENV_READER = "scheduler/launch/alloc.c"
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def is_free(path):
    return path.startswith(("tests/", "bench/"))


def check_calls(path, text):
    code = sources.code_only(text)
    has_main = MAIN.search(code) is not None
    for m in CALL.finditer(code):
        name, line = m[1], sources.line_of(code, m.start())
        if name in FUNCTIONS:
            yield line, f"{name}(): write {FUNCTIONS[name]} instead"
        elif name in PLACED and not is_free(path):
            where = PLACED[name]
            if where is None and not has_main:
                yield line, f"{name}() below a main: return an error instead"
            elif where is not None and path != where:
                yield line, f"{name}() belongs to {where or 'tests'} alone"


def check_text(path, text):
    for m in UNFINISHED.finditer(text):
        yield sources.line_of(text, m.start()), f"unfinished: {m[1]}"
    if path == LAUNCH_ENV_READER or is_free(path):
        return
    bare = sources.without_comments(text)
    for m in LAUNCH_ENV.finditer(bare):
        yield sources.line_of(bare, m.start()), f"launchers are asked in {LAUNCH_ENV_READER}"


def check_tree(root):
    faults = []
    for path in sources.files(root):
        text = sources.read(root, path)
        for check in (check_calls, check_text):
            faults += [f"{path}:{line}: {what}" for line, what in check(path, text)]
    return faults


SAMPLES = [
    # (path, text, what must be said; None: nothing)
    *[("scheduler/base/a.c", f"int x = {f}(a, b);\n", f"{f}()") for f in FUNCTIONS],
    ("tests/unit/test_a.c", "void f(void) { system (cmd); }\n", "system()"),
    ("scheduler/base/a.c", "/* strcpy(a, b) */ // atoi(x)\n", None),
    ("scheduler/base/a.c", 'f("system(x)", \'"\', "\\"gets(x)");\n', None),
    ("scheduler/base/a.c", 'f(\'"\'); strcpy(a, "b");\n', "strcpy()"),
    ("scheduler/base/a.c", "my_strcpy(a); topo->system(x); s.gets(x); snprintf(a);\n", None),
    ("scheduler/base/a.c", "void f(void)\n{\n    exit(1);\n}\n", "a.c:3: exit()"),
    ("runner/main.c", "int main(void)\n{\n    exit(1);\n}\n", None),
    ("runner/main.c", "int main(void) { MPI_Abort(c, 1); }\n", None),
    ("runner/rank.c", "void f(void) { MPI_Abort(c, 1); }\n", "runner/main.c alone"),
    ("scheduler/base/a.c", "f = popen(a, b);\n", "tests alone"),
    ("tests/unit/test_a.c", "f = popen(a, b);\n", None),
    ("runner/rank.c", 'getenv("SLURM_JOB_ID");\n', "alloc.c"),
    ("runner/rank.c", 'getenv ( "PMIX_RANK" );\n', "alloc.c"),
    ("runner/rank.c", '/* getenv("SLURM_JOB_ID") */ getenv("HOME");\n', None),
    ("scheduler/launch/alloc.c", 'getenv("SLURM_JOB_ID");\n', None),
    ("scheduler/base/a.c", "/* TO" + "DO: later */\n", "unfinished"),
    ("scheduler/base/a.h", "// FIX" + "ME\n", "unfinished"),
]


def self_test():
    for path, text, want in SAMPLES:
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, os.path.dirname(path)))
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write(text)
            said = "\n".join(check_tree(root))
        if (want is None and said) or (want is not None and want not in said):
            print(f"{path}: {text!r}: wanted {want!r}, said {said!r}")
            return 1
    print(f"{len(SAMPLES)} samples judged as they should be")
    return 0


def main(args):
    if args == ["--self-test"]:
        return self_test()
    if len(args) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    n_files = len(sources.files(args[0]))
    faults = check_tree(args[0])
    print("\n".join(faults) or f"{n_files} files: no banned word")
    return 1 if faults or n_files == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
