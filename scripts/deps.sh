#!/usr/bin/env bash
# Installs what Gridmill needs from Debian 12's own packages; does nothing, fast, when all of it
# is there. docs/design/dependencies.md tells what each package is for.
#
#   scripts/deps.sh          to build and run
#   scripts/deps.sh --test   to run the tests too (Slurm, h5py, clang-format, ...)
#   scripts/deps.sh --soak   to fuzz too (clang with libFuzzer)
#   scripts/deps.sh --bench  to measure beside other programs too (Scotch, GNU parallel, Dask, mpi4py, PyTorch)
#   scripts/deps.sh --list   prints the packages and installs nothing (with --test, --soak or --bench: those too)
set -euo pipefail

build=(
    gcc g++ cmake ninja-build pkg-config git
    openmpi-bin libopenmpi-dev libpmix-dev libhwloc-dev
    libhdf5-openmpi-dev hdf5-tools
    libopenblas-pthread-dev libyaml-dev libsodium-dev zlib1g-dev
)
tests=(
    libcriterion-dev
    python3 python3-h5py python3-jsonschema python3-numpy python3-yaml
    clang-format clang-tidy cppcheck
    slurm-wlm munge
    hwloc iproute2 man-db procps util-linux
)
soak=(
    clang libclang-rt-14-dev
)
bench=(
    parallel
    python3-distributed python3-mpi4py python3-torch
    scotch
)

usage()
{
    sed -n '2,9s/^# \{0,1\}//p' "$0"
}

want=("${build[@]}")
list=no
for word in "$@"; do
    case $word in
        --test) want+=("${tests[@]}") ;;
        --soak) want+=("${soak[@]}") ;;
        --bench) want+=("${bench[@]}") ;;
        --list) list=yes ;;
        -h | --help) usage; exit 0 ;;
        *) echo "deps.sh: unknown option $word (try --help)" >&2; exit 2 ;;
    esac
done
if [ "$list" = yes ]; then
    printf '%s\n' "${want[@]}"
    exit 0
fi

if ! command -v dpkg-query >/dev/null; then
    echo "deps.sh: this is no Debian; install by your own means what stands for:" >&2
    echo "  ${want[*]}" >&2
    exit 2
fi

missing=()
while read -r package; do
    missing+=("$package")
done < <(
    comm -23 <(printf '%s\n' "${want[@]}" | sort) \
        <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${want[@]}" 2>/dev/null |
            sed -n 's/^installed //p' | sort)
)
if [ ${#missing[@]} -eq 0 ]; then
    echo "deps: all ${#want[@]} packages are installed"
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "deps.sh: not root and no sudo; as root, run:" >&2
        echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 2
    fi
    as_root=(sudo)
fi
echo "deps: installing ${missing[*]}"
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends "${missing[@]}"
