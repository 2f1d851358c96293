#!/bin/sh
# A missing or too old library ends the configuration with the Debian package to install.
#   dependencies.sh CMAKE ROOT
set -eu
cmake=$1
root=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/pc"

modules="ompi-c pmix hwloc hdf5-openmpi openblas yaml-0.1 libsodium zlib criterion"

module() # NAME VERSION: what pkg-config finds instead of the real one
{
    printf 'Name: %s\nDescription: %s\nVersion: %s\nLibs:\nCflags:\n' "$1" "$1" "$2" \
        >"$tmp/pc/$1.pc"
}

expect() # TEXT CMAKE-OPTIONS...: configuring fails and says it
{
    want=$1
    shift
    rm -rf "$tmp/build"
    if PKG_CONFIG_PATH='' PKG_CONFIG_LIBDIR="$tmp/pc" \
        "$cmake" -S "$root" -B "$tmp/build" "$@" >"$tmp/out" 2>&1; then
        echo "configured, but wanted: $want"
        exit 1
    fi
    # CMake wraps its messages.
    if ! tr -s ' \n' ' ' <"$tmp/out" | grep -qF "$want"; then
        cat "$tmp/out"
        echo "did not say: $want"
        exit 1
    fi
    echo "said: $want"
}

expect "needs ompi-c 4.1 or newer, but it is not installed: apt-get install libopenmpi-dev"
for m in $modules; do
    module "$m" 99
done
module yaml-0.1 0.1.4
expect "needs yaml-0.1 0.2.2 or newer, but version 0.1.4 is installed: apt-get install libyaml-dev"
module yaml-0.1 99
expect "apt-get install nvidia-cuda-toolkit" -DGRIDMILL_CUDA=ON -DCUDAToolkit_ROOT="$tmp/none" \
    -DCMAKE_DISABLE_FIND_PACKAGE_CUDAToolkit=ON
