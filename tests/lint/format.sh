#!/bin/sh
# Every tracked C file is as .clang-format would write it (in no git clone: every C file).
#   format.sh CLANG-FORMAT ROOT
set -eu
cd "$2"
files=$(git ls-files '*.c' '*.h' 2>/dev/null || true)
[ -n "$files" ] || files=$(find scheduler kernels plugins runner bench tests -name '*.[ch]')
# Deleted and not yet committed is no fault of the format.
for f in $files; do
    [ -f "$f" ] && echo "$f"
done | xargs "$1" --dry-run -Werror
