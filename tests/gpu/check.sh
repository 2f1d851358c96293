#!/bin/sh
# scripts/gpu-check.sh where no GPU is: one sentence, exit code 77, nothing written.
#   check.sh ROOT
set -eu
root=$1
if [ -e /dev/nvidiactl ] || [ -e /dev/dxg ] || ldconfig -p 2>/dev/null | grep -q 'libcuda\.so\.1'; then
    echo "this machine has a driver"
    exit 77
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
rc=0
sh "$root/scripts/gpu-check.sh" "$tmp/out" >"$tmp/said" 2>"$tmp/err" || rc=$?
cat "$tmp/said" "$tmp/err"
[ $rc -eq 77 ] && [ ! -e "$tmp/out" ] && [ ! -s "$tmp/said" ] &&
    [ "$(wc -l <"$tmp/err")" -eq 1 ] && grep -q '^gpu-check: this machine has no NVIDIA driver' "$tmp/err"
