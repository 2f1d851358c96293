#!/bin/sh
# The kernels on a GPU: on a machine that has an NVIDIA GPU, CUDA 11.8 or newer, a C and C++
# compiler and CMake, and need have nothing else, builds GRIDMILL_PARTS=kernels, checks every
# operator that CUDA offers against references, then measures products and perceptrons beside
# cuBLAS and, where python3 has it, PyTorch. Under 8 minutes.
#   scripts/gpu-check.sh [OUT]      default: build/gpu-check
# OUT/gpu-check.json has all of it; OUT/*.log what was printed. Exit code 0: all is right;
# 1: an operator is wrong, or something did not build or run; 2: a tool is missing; 77: no GPU.
set -eu
root=$(CDPATH='' cd "$(dirname "$0")/.." && pwd)
out=${1:-$root/build/gpu-check}

say() { printf 'gpu-check: %s\n' "$*"; }
give_up() # CODE SENTENCE
{
    printf 'gpu-check: %s\n' "$2" >&2
    exit "$1"
}

# What can be seen without a build.
has_driver()
{
    [ -e /dev/nvidiactl ] || [ -e /dev/dxg ] ||
        { command -v ldconfig >/dev/null && ldconfig -p | grep -q 'libcuda\.so\.1'; }
}
has_driver || give_up 77 "this machine has no NVIDIA driver (no /dev/nvidiactl, no libcuda.so.1): run it where a GPU is"
for tool in cmake cc c++; do
    command -v $tool >/dev/null || give_up 2 "$tool is not on PATH: install it"
done
nvcc=${CUDACXX:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
[ -x "$nvcc" ] || give_up 2 "no nvcc on PATH nor in /usr/local/cuda/bin: install a CUDA toolkit (11.8 or newer), or name it in CUDACXX"

mkdir -p "$out"
out=$(CDPATH='' cd "$out" && pwd)
rm -f "$out"/*.log "$out"/*.jsonl "$out"/gpu-check.json
build=$out/build
jobs=$(nproc 2>/dev/null || echo 2)

limited() # SECONDS COMMAND...: ended where timeout(1) is there
{
    seconds=$1
    shift
    if command -v timeout >/dev/null; then
        timeout -k 5 "$seconds" "$@"
    else
        "$@"
    fi
}

say "building with $nvcc on $jobs cores"
if ! { CUDACXX=$nvcc limited 60 cmake -S "$root" -B "$build" -DGRIDMILL_PARTS=kernels \
    -DGRIDMILL_CUDA=ON -DCMAKE_BUILD_TYPE=Release &&
    limited 180 cmake --build "$build" -j "$jobs"; } >"$out/build.log" 2>&1; then
    tail -n 20 "$out/build.log" >&2
    give_up 1 "it did not build: $out/build.log"
fi

# A JSON array of a file's lines.
array() # FILE
{
    if [ -s "$1" ]; then
        printf '[\n    %s\n  ]' "$(sed '$!s/$/,/' "$1" | sed '2,$s/^/    /')"
    else
        printf '[]'
    fi
}

verdict=passed
write()
{
    {
        printf '{\n  "schema": 1,\n  "verdict": "%s",\n' "$verdict"
        printf '  "operators": %s,\n' "$(array "$out/operators.jsonl")"
        printf '  "measures": %s,\n' "$(array "$out/measures.jsonl")"
        printf '  "torch": %s\n}\n' "$(array "$out/torch.jsonl")"
    } >"$out/gpu-check.json"
}

say "checking operators"
rc=0
limited 90 "$build/bin/gpu_operators" cuda >"$out/operators.jsonl" 2>"$out/operators.log" || rc=$?
cat "$out/operators.jsonl" "$out/operators.log"
if [ $rc -eq 77 ]; then
    give_up 77 "$(cat "$out/operators.log")"
fi
[ $rc -eq 0 ] || verdict="an operator is wrong"
if [ $rc -ge 124 ]; then
    verdict="the checks were ended after 90 s, or by a signal ($rc)"
fi

if [ "$verdict" = passed ]; then
    say "measuring"
    limited 90 "$build/bin/bench_gpu" cuda >"$out/measures.jsonl" 2>"$out/measures.log" ||
        verdict="the measurements ended with $?"
    cat "$out/measures.jsonl" "$out/measures.log"
    rc=0
    if command -v python3 >/dev/null; then
        limited 60 python3 -B "$root/bench/gpu/mlp_torch.py" >"$out/torch.jsonl" 2>"$out/torch.log" || rc=$?
        cat "$out/torch.jsonl"
        [ $rc -eq 0 ] || say "PyTorch: $(tail -n 1 "$out/torch.log")"
    else
        say "PyTorch: left out, there is no python3"
    fi
fi
write
[ "$verdict" = passed ] || give_up 1 "$verdict: $out/gpu-check.json"
say "passed: $out/gpu-check.json"
