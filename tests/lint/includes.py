#!/usr/bin/env python3
"""Includes point downwards only, and each external library stays in its one folder.

  includes.py ROOT         prints what is wrong as file:line: sentence; exit 1 if anything is
  includes.py --self-test  proves that each kind of wrong include is found

The tables below are docs/design/house.md in the form that a machine reads.
"""
import os
import re
import sys
import tempfile

import sources

# Folder -> level. A folder may include itself and folders of lower levels; the longest
# matching prefix decides what folder a file is in.
LEVELS = {
    "plugins/include": 0,
    "scheduler/base": 1,
    "scheduler/spec": 2,
    "scheduler/topo": 3,
    "kernels": 3,
    "scheduler/sched": 4,
    "scheduler/launch": 4,
    "scheduler/result": 4,
    "scheduler/store": 4,
    "plugins/kernel": 4,
    "plugins/policy": 4,
    "plugins/slurm": 4,
    "plugins/example": 4,
    "plugins/rehearse": 5,
    "scheduler/engine": 5,
    "scheduler/sim": 5,
    "scheduler/cli": 6,
    "scheduler/daemon": 6,
    "scheduler/web": 6,
    "runner": 6,
    "bench": 7,
    "tests": 7,
}

# Folders that see less than their level allows.
ONLY = {
    "kernels": {"plugins/include", "scheduler/base"},
    "plugins/kernel": {"plugins/include", "kernels"},
    "plugins/example": {"plugins/include"},
    "plugins/policy": {"plugins/include"},
    "plugins/slurm": {"plugins/include"},
}

# External headers -> the files that may include them. Benchmarks and tests compare with the
# libraries themselves, so they may include any.
EXTERNAL = [
    (r"yaml\.h$", r"scheduler/spec/"),
    (r"hwloc(\.h$|/)", r"scheduler/topo/"),
    (r"(hdf5|H5\w*)\.h$", r"scheduler/result/"),
    (r"sodium(\.h$|/)", r"scheduler/result/"),
    (r"(mpi|mpi-ext)\.h$", r"runner/|scheduler/result/pack_mpi\."),
    (r"pmix\w*\.h$", r"runner/"),
    (r"(cblas|lapacke|openblas_config)\.h$", r"kernels/"),
    (r"^omp\.h$", r"kernels/"),
    (r"cu(da|blas|rand)\w*\.h$", r"kernels/"),
    (r"zlib\.h$", r"kernels/|scheduler/result/bulk\."),
    (r"dlfcn\.h$", r"scheduler/base/dso\.c$"),
    (r"sqlite3\.h$", r"scheduler/store/"),
    (r"microhttpd\.h$", r"scheduler/daemon/"),
    (r"n?curses\.h$", r"scheduler/cli/"),
    (r"slurm/", r"plugins/slurm/"),
]

# Where an include that is no neighbour is looked for, as CMake's include path has it.
INCLUDE_PATH = ("plugins/include", "scheduler", "")

# Written by CMake into the build folder of the folder that includes them.
GENERATED = {"kernel_list.h": "plugins/kernel"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.MULTILINE)


def folder_of(path):
    best = None
    for folder in LEVELS:
        if path.startswith(folder + "/") and (best is None or len(folder) > len(best)):
            best = folder
    return best


def resolve(root, path, name):
    """The file that `#include "name"` in `path` means, or None."""
    for start in (os.path.dirname(path), *INCLUDE_PATH):
        at = os.path.normpath(os.path.join(start, name))
        if os.path.isfile(os.path.join(root, at)):
            return at
    return None


def check_external(path, name):
    if path.startswith(("bench/", "tests/")):
        return None
    for header, allowed in EXTERNAL:
        if re.match(header, name) and not re.match(allowed, path):
            return f"<{name}> belongs to {allowed.replace(chr(92), '')} alone"
    return None


def check_own(root, path, name):
    here = folder_of(path)
    if here is None:
        return "this file is in no folder of the table (tests/lint/includes.py)"
    if ".." in name.split("/"):
        return f'"{name}" climbs; write it from the folders\' names'
    if GENERATED.get(name) == here:
        return None
    target = resolve(root, path, name)
    if target is None:
        return f'"{name}" is no file of ours; write <{name}> for a library\'s'
    there = folder_of(target)
    if there is None or there == here:
        return None
    if here in ONLY and there not in ONLY[here]:
        return f'"{name}": {here} may see {", ".join(sorted(ONLY[here]))} only'
    if LEVELS[there] > LEVELS[here]:
        return f'"{name}" points up: {here} (level {LEVELS[here]}) to {there} ({LEVELS[there]})'
    if LEVELS[there] == LEVELS[here]:
        return f'"{name}" points sideways: {here} to {there}, both level {LEVELS[here]}'
    return None


def check_file(root, path):
    text = sources.without_comments(sources.read(root, path))
    own = os.path.splitext(os.path.basename(path))[0] + ".h"
    has_own = path.endswith((".c", ".cu")) and os.path.isfile(
        os.path.join(root, os.path.dirname(path), own)
    )
    for i, m in enumerate(INCLUDE.finditer(text)):
        line = sources.line_of(text, m.start())
        if m[1] is not None:
            fault = check_own(root, path, m[1]) or check_external(path, m[1])
        else:
            fault = check_external(path, m[2])
        if fault is None and i == 0 and has_own and os.path.basename(m[1] or "") != own:
            fault = f'the first include must be its own header, "{own}"'
        if fault is not None:
            yield f"{path}:{line}: {fault}"


def check_tree(root):
    return [fault for path in sources.files(root) for fault in check_file(root, path)]


SAMPLES = [
    # (files, what must be said; None: nothing)
    ({"scheduler/base/a.h": "", "scheduler/spec/b.c": '#include "base/a.h"\n'}, None),
    ({"scheduler/base/a.c": '#include "a.h"\n', "scheduler/base/a.h": ""}, None),
    ({"scheduler/spec/b.h": "", "scheduler/base/a.c": '#include "spec/b.h"\n'}, "points up"),
    (
        {"scheduler/sched/b.h": "", "scheduler/launch/a.c": '#include "sched/b.h"\n'},
        "points sideways",
    ),
    ({"kernels/op/x.h": "", "scheduler/topo/a.c": '#include "kernels/op/x.h"\n'}, "sideways"),
    ({"scheduler/spec/b.h": "", "kernels/op/x.c": '#include "spec/b.h"\n'}, "may see"),
    ({"scheduler/base/b.h": "", "plugins/kernel/x.c": '#include "base/b.h"\n'}, "may see"),
    ({"scheduler/base/a.c": '#include "../spec/b.h"\n'}, "climbs"),
    ({"scheduler/base/a.c": '#include "hdf5.h"\n'}, "no file of ours"),
    ({"scheduler/base/a.c": "#include <hdf5.h>\n"}, "belongs to"),
    ({"scheduler/result/a.c": "#include <hdf5.h>\n"}, None),
    ({"scheduler/result/pack.c": "#include <mpi.h>\n"}, "belongs to"),
    ({"scheduler/result/pack_mpi.c": "#include <mpi.h>\n"}, None),
    ({"scheduler/base/file.c": "#include <dlfcn.h>\n"}, "belongs to"),
    ({"scheduler/base/a.c": "/* #include <hdf5.h> */\n// #include <mpi.h>\n"}, None),
    ({"tests/unit/test_a.c": "#include <hdf5.h>\n"}, None),
    ({"scheduler/new/a.c": '#include "a.h"\n', "scheduler/new/a.h": ""}, "no folder"),
    (
        {"scheduler/base/a.c": '#include <stdio.h>\n#include "a.h"\n', "scheduler/base/a.h": ""},
        "first include",
    ),
]


def self_test():
    for n, (tree, want) in enumerate(SAMPLES):
        with tempfile.TemporaryDirectory() as root:
            for path, text in tree.items():
                os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                    f.write(text)
            said = "\n".join(check_tree(root))
        if (want is None and said) or (want is not None and want not in said):
            print(f"sample {n}: wanted {want!r}, said {said!r}")
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
    print("\n".join(faults) or f"{n_files} files: every include points downwards")
    return 1 if faults or n_files == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
