"""One job packed alone, by three ranks, compressed and sharded (tests/mpi/pack.c), read by h5py: the
same datasets and attributes, stored as was asked for; and each task's digest, from its definition.

usage: forms.py MPI_PACK
"""
import os
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
except ImportError as why:
    print(f"skipped: {why}")
    sys.exit(77)

MASK = (1 << 64) - 1


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def mix(z):
    z = (z + 0x9E3779B97F4A7C15) & MASK
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


def value(f, stage, name, i):
    """A task's value, or None."""
    path = f"stages/{stage}/outputs/{name}"
    at = f[path] if path in f else f[f"series/{stage}/{name}"]
    if isinstance(at, h5py.Dataset):
        return at[i]
    a, b = at["offset"][i:i + 2]
    if "shape" in at:
        shape = at["shape"][i]
        return None if (shape == MASK).any() else at["data"][a:b].reshape(shape)
    return at["data"][a:b] if b > a else None


def digest(f, stage, i):
    declared = f[f"stages/{stage}/declared"]
    d = 0
    for k, name in enumerate(declared["name"][:]):
        if int(declared["flags"][k]) & 1:  # measured
            continue
        v = value(f, stage, name.decode(), i)
        if v is None:
            continue
        v = np.asarray(v)
        d = mix(d ^ ((k + 1) << 32 | v.ndim << 16 | int(declared["dtype"][k])))
        for n in v.shape:
            d = mix(d ^ int(n))
        d = mix(d ^ crc32c(v.tobytes()))
    return d


def datasets(f):
    found = {}
    f.visititems(lambda name, x: found.update({name: x}) if isinstance(x, h5py.Dataset) else None)
    return found


def same(a, b):
    one, other = datasets(a), datasets(b)
    assert one.keys() == other.keys(), one.keys() ^ other.keys()
    for name, x in one.items():
        y = other[name]
        assert x.shape == y.shape and x.dtype == y.dtype, name
        assert x[()].tobytes() == y[()].tobytes(), name
        for key, text in x.attrs.items():
            assert np.array_equal(text, y.attrs[key]), (name, key)


def main(program):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
        done = subprocess.run(
            ["mpirun", "--oversubscribe", "--mca", "pml", "ob1", "-n", "3", program, folder],
            env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        files = {form: h5py.File(f"{folder}/{form}.h5")
                 for form in ("alone", "team", "gzip", "sharded", "damaged")}
        for form in ("team", "gzip", "sharded"):
            same(files["alone"], files[form])
        for form, f in files.items():
            for name, x in datasets(f).items():
                if form == "sharded" and x.is_virtual:
                    for part in x.virtual_sources():
                        assert part.file_name.startswith("sharded.h5.parts/0/part-"), part
                elif x.chunks is not None:
                    assert x.fletcher32, (form, name)
                    assert x.compression == ("gzip" if form == "gzip" else None), (form, name)
        assert any(x.is_virtual for x in datasets(files["sharded"]).values())
        assert os.path.getsize(f"{folder}/gzip.h5") < os.path.getsize(f"{folder}/team.h5") / 3
        f = files["alone"]
        assert (f["tasks/timed_with"][:][f["tasks/attempts"][:] > 0] == 1).all()
        for i in (0, 1, 5, 12345, 33000):
            assert f["tasks/digest"][i] == digest(f, "probe", i), i
        n = f["stages/probe"].attrs["n_tasks"]
        assert len(np.unique(f["tasks/digest"][:n])) == n
        damaged = files["damaged"]["tasks/reason"][:] == 8
        assert damaged.sum() == 1 and files["damaged"]["tasks/digest"][damaged] == 0
        for f in files.values():
            f.close()


main(sys.argv[1])
