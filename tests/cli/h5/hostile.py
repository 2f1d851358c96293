"""Files that crash or hang HDF5 itself: we answer with a sentence. Needs GRIDMILL_TEST_DATA.

usage: hostile.py WRITE_RESULTS
"""
import os
import re
import subprocess
import sys
import tarfile
import tempfile

DATASETS = 6  # names tried in a file, taken from its own bytes


def ask(program, path):
    p = subprocess.run([program, path, "hostile"], stdout=subprocess.PIPE, text=True,
                       errors="replace", timeout=100)
    assert p.returncode == 0, f"{path}: ended with {p.returncode}"
    return p.stdout.strip()


def main():
    data = os.environ.get("GRIDMILL_TEST_DATA", "")
    archive = os.path.join(data, "hostile-hdf5/hdf5-cve-a.tar.xz")
    if not data or not os.path.exists(archive):
        print("skipped: GRIDMILL_TEST_DATA names no folder with hostile-hdf5")
        sys.exit(77)
    tried, damaged = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as tar:
            for member in tar.getmembers():
                if member.isfile() and not member.name.startswith("/") and ".." not in member.name:
                    tar.extract(member, folder)
        paths = [os.path.join(d, n) for d, _, names in os.walk(folder) for n in names]
        for path in sorted(paths):
            answer = ask(sys.argv[1], path)
            assert answer.startswith(path), f"{path}: {answer}"
            with open(path, "rb") as f:
                words = re.findall(rb"[A-Za-z][A-Za-z0-9_.]{2,30}", f.read(100000))
            names = [w.decode() for w in dict.fromkeys(words) if w not in (b"HDF", b"TREE", b"HEAP", b"SNOD")]
            for name in names[:DATASETS]:
                answer = ask(sys.argv[1], f"{path}:/{name}")
                tried += 1
                damaged += "damaged: HDF5" in answer
    print(f"{len(paths)} files, {tried} tables tried, {damaged} times HDF5 itself died of it")
    assert len(paths) > 50 and damaged > 0


main()
