"""The YAML test suite against libyaml's baseline, and what we say beyond it.

  yaml_suite.py check PROGRAM     yaml_check over all cases at once: verdicts, and our own faults
                                  against tests/golden/yaml/own-faults.tsv (GM_BLESS=1 writes it)
  yaml_suite.py gridmill PROGRAM  `PROGRAM check --yaml-only` case by case: verdicts by exit code

Needs GRIDMILL_TEST_DATA. In the golden table what stood in quotes is "…": it is the suite's text.
"""
import os
import re
import subprocess
import sys
import tarfile
import tempfile

GOLDEN = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "golden", "yaml", "own-faults.tsv"
)


def baseline(folder):
    with open(os.path.join(folder, "libyaml-baseline.tsv"), encoding="utf-8") as f:
        rows = [text.rstrip("\n").split("\t") for text in f][1:]
    return {case: verdict for case, _, verdict in rows}


def extract(folder, to):
    """{case: file} of the suite's inputs."""
    files = {}
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".tar.xz"):
            continue
        with tarfile.open(os.path.join(folder, name)) as tar:
            for member in tar.getmembers():
                if not member.isfile() or os.path.basename(member.name) != "in.yaml":
                    continue
                case = os.path.dirname(member.name).removeprefix("./")
                files[case] = os.path.join(to, case.replace("/", "-") + ".yaml")
                with open(files[case], "wb") as f:
                    f.write(tar.extractfile(member).read())
    return files


def others(folder):
    """{name: file} of what is YAML and no case of the suite: libyaml takes it."""
    found = {}
    for sub in ("libyaml-examples", "hostile"):
        for name in sorted(os.listdir(os.path.join(folder, sub))):
            found[f"{sub}/{name}"] = os.path.join(folder, sub, name)
    return found


def run_check(program, files):
    """Verdicts of all files by name, and the rows of our own faults."""
    by_file = {file: name for name, file in files.items()}
    done = subprocess.run([program, *by_file], capture_output=True, text=True, check=False)
    if done.returncode != 0 or "Sanitizer" in done.stderr or "runtime error" in done.stderr:
        sys.exit(f"{program}: exit {done.returncode}\n{done.stderr}")
    verdicts, rows, name = {}, [], None
    for text in done.stdout.splitlines():
        word, _, rest = text.partition(" ")
        if word in ("accept", "reject") and rest in by_file:
            name = by_file[rest]
            verdicts[name] = word
        elif ": warning: " in text:
            place = re.match(r":(\d+:\d+)", text.removeprefix(files[name]))
            told = re.sub(r"'[^']*'", "'…'", text.split(": warning: ", 1)[1])
            rows.append(f"{name}\t{place.group(1) if place else '-'}\t{told}\n")
    return verdicts, rows


def run_gridmill(program, files):
    words = {0: "accept", 2: "reject"}
    verdicts = {}
    for name, file in files.items():
        done = subprocess.run([program, "check", "--yaml-only", file], capture_output=True, check=False)
        verdicts[name] = words.get(done.returncode, f"exit {done.returncode}")
    return verdicts


def golden_differs(rows):
    table = "".join(rows)
    if os.environ.get("GM_BLESS"):
        with open(GOLDEN, "w", encoding="utf-8") as f:
            f.write(table)
    with open(GOLDEN, encoding="utf-8") as f:
        wanted = f.read()
    for text in sorted(set(wanted.splitlines()) ^ set(table.splitlines())):
        print(f"{'not told now' if text in wanted else 'told now'}: {text}")
    return wanted != table


def main():
    _, how, program = sys.argv
    folder = os.path.join(os.environ.get("GRIDMILL_TEST_DATA", ""), "yaml")
    if not os.path.isfile(os.path.join(folder, "libyaml-baseline.tsv")):
        print("skipped: GRIDMILL_TEST_DATA names no folder with yaml")
        return 77
    with tempfile.TemporaryDirectory() as to:
        wanted = baseline(folder)
        files = extract(folder, to)
        if set(wanted) != set(files):
            sys.exit(f"not the baseline's cases: {sorted(set(wanted) ^ set(files))}")
        files.update(others(folder))
        wanted.update({name: "accept" for name in others(folder)})
        if how == "check":
            verdicts, rows = run_check(program, files)
        else:
            verdicts, rows = run_gridmill(program, files), None
    wrong = [name for name in files if verdicts.get(name) != wanted[name]]
    for name in wrong:
        print(f"{name}: {verdicts.get(name)}, libyaml says {wanted[name]}")
    if wrong or (rows is not None and golden_differs(rows)):
        return 1
    print(f"{len(files)} files: the verdicts are libyaml's"
          + (f"; {len(rows)} faults of our own" if rows is not None else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
