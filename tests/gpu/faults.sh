#!/bin/sh
# Each operator made wrong is found by its check: a check that cannot fail proves nothing.
#   faults.sh GPU_OPERATORS
set -eu
program=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0
for fault in $("$program" --faults); do
    rc=0
    "$program" cpu 1 --fault "$fault" >"$tmp/out" 2>"$tmp/err" || rc=$?
    if [ $rc -ne 1 ] || ! grep -q "^$fault: " "$tmp/err"; then
        echo "$fault: exit code $rc, and this was said:"
        cat "$tmp/out" "$tmp/err"
        exit 1
    fi
    n=$((n + 1))
done
[ $n -ge 11 ] || { echo "only $n faults"; exit 1; }
echo "$n faults were found"
