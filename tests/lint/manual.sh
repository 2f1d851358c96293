#!/bin/sh
# The man pages format without a warning, and scripts/deps.sh lists every package that CMake's
# messages name.
#   manual.sh ROOT
set -eu
cd "$1"
for package in $(sed -nE 's/^ *gridmill_dependency\(.* ([a-z0-9-]+)\)$/\1/p' \
    scripts/cmake/GridmillDependencies.cmake); do
    scripts/deps.sh --test --list | grep -qx "$package" || {
        echo "scripts/deps.sh does not list $package"
        exit 1
    }
done
command -v man >/dev/null || {
    echo "skipped: no man"
    exit 77
}
for page in docs/man/*.[1-8]; do
    said=$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 "$page" 2>&1 >/dev/null)
    [ -z "$said" ] || {
        echo "$page: $said"
        exit 1
    }
done
