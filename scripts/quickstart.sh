#!/usr/bin/env bash
# From a fresh clone to a result: installs the packages, builds, trains and scores a model on
# handwritten digits over this machine's cores, and leaves digits.h5 in the folder jobspecs.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/deps.sh
cmake --preset release -DBUILD_TESTING=OFF >/dev/null # errors go to standard error
cmake --build --preset release

echo
echo "\$ build/release/bin/gridmill run jobspecs/digits.yaml --force"
build/release/bin/gridmill run jobspecs/digits.yaml --force

cat <<END

The results: $PWD/jobspecs/digits.h5
  h5ls -r jobspecs/digits.h5                             what is in it
  build/release/bin/gridmill result show jobspecs/digits.h5
  build/release/bin/gridmill plan jobspecs/digits.yaml   who would run where, and why
END
