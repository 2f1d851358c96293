#!/bin/sh
# bench/compare finds what got worse, and nothing else.
#   compare.sh PYTHON ROOT
set -eu
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
line() # NAME VALUE UNIT P95 MACHINE
{
    printf '{"suite":"s","name":"%s","value":%s,"unit":"%s","floor":null,"floor_how":"","peer":null,"ratio":null,"n":9,"p50":%s,"p95":%s,"machine":"%s"}\n' \
        "$1" "$2" "$3" "$2" "$4" "$5"
}
expect() # CODE
{
    rc=0
    "$python" -B "$root/bench/compare" "$tmp/a" "$tmp/b" >"$tmp/out" 2>&1 || rc=$?
    [ "$rc" -eq "$1" ] || {
        cat "$tmp/out"
        echo "exit $rc instead of $1: $2"
        exit 1
    }
}
python=$1
root=$2
{ line start 100 ms 102 m; line rate 50 GFLOP/s 51 m; } >"$tmp/a"
cp "$tmp/a" "$tmp/b"
expect 0 "equal"
{ line start 120 ms 121 m; line rate 50 GFLOP/s 51 m; } >"$tmp/b"
expect 1 "a time 20 % up"
{ line start 80 ms 81 m; line rate 60 GFLOP/s 61 m; } >"$tmp/b"
expect 0 "both better"
{ line start 100 ms 101 m; line rate 40 GFLOP/s 41 m; } >"$tmp/b"
expect 1 "a rate 20 % down"
{ line start 120 ms 150 m; line rate 50 GFLOP/s 51 m; } >"$tmp/b"
expect 0 "worse within the noise"
line start 100 ms 101 other >"$tmp/b"
expect 2 "another machine"
