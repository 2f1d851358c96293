#!/bin/sh
# GRIDMILL_PARTS=kernels where neither pkg-config nor zlib, CUDA or OpenMP can be found: it is
# configured; with "build", it is also built and run, and its program needs the C library alone.
#   part.sh CMAKE ROOT [build]
set -eu
cmake=$1
root=$2
command -v make >/dev/null || { echo "there is no make"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
PKG_CONFIG_LIBDIR=$tmp "$cmake" -G "Unix Makefiles" -S "$root" -B "$tmp/b" -DGRIDMILL_PARTS=kernels -DGRIDMILL_CUDA=OFF \
    -DGRIDMILL_OPENMP=OFF -DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON \
    -DCMAKE_DISABLE_FIND_PACKAGE_ZLIB=ON -DGRIDMILL_WERROR=ON >"$tmp/out" 2>&1 || {
    cat "$tmp/out"
    exit 1
}
if grep -rEi '(mpi|hdf5|hwloc|yaml|sodium|criterion|openblas|pmix|zlib)[-/.a-z0-9]*\.(so|h|pc)\b|-isystem' \
    "$tmp/b/CMakeFiles/Makefile2" "$tmp/b"/*/CMakeFiles/*/flags.make \
    "$tmp/b"/*/*/CMakeFiles/*/flags.make "$tmp/b"/*/*/CMakeFiles/*/link.txt 2>/dev/null; then
    echo "a library is named that must not be needed"
    exit 1
fi
if "$cmake" -S "$root" -B "$tmp/c" -DGRIDMILL_PARTS=some >"$tmp/out" 2>&1 ||
    ! grep -q "GRIDMILL_PARTS=some: must be all, or kernels" "$tmp/out"; then
    cat "$tmp/out"
    exit 1
fi
[ "${3:-}" = build ] || exit 0
"$cmake" --build "$tmp/b" -j 2 >"$tmp/out" 2>&1 || {
    tail -n 30 "$tmp/out"
    exit 1
}
"$tmp/b/bin/gpu_operators" cpu
"$tmp/b/bin/gpu_operators" cuda && exit 1
if ldd "$tmp/b/bin/gpu_operators" | grep -vE 'linux-vdso|libm\.|libc\.|libdl\.|libpthread\.|ld-linux'; then
    echo "the program needs a library"
    exit 1
fi
