#!/bin/sh
# Every tracked C file is as .clang-format would write it (in no git clone: every C file).
#   format.sh CLANG-FORMAT ROOT
set -eu
cd "$2"
files=$(git ls-files '*.c' '*.h' 2>/dev/null || true)
[ -n "$files" ] || files=$(find scheduler kernels plugins runner bench tests -name '*.[ch]')
# Deleted and not yet committed is no fault of the format.
bad=$(for f in $files; do
    [ -f "$f" ] && echo "$f"
done | xargs "$1" --dry-run 2>&1 | sed -n 's/^\([^: ]*\):[0-9]*:[0-9]*: .*/\1/p' | sort -u)
[ -z "$bad" ] || {
    printf '%s: clang-format -i would change it\n' $bad
    exit 1
}
