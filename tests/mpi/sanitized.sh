# Small real jobs through the sanitized runner: done, failing, stopped in the middle, launched by
# us and by mpirun. The run's exit code is of the records, not of the ranks, so what a sanitizer
# said is looked for in its logs. Leaks count where our code stands in the trace: MPI's own are many.
. "$(dirname "$0")/../cli/lib.sh"
export ASAN_OPTIONS="log_path=$work/said" LSAN_OPTIONS=exitcode=0
export TSAN_OPTIONS="log_path=$work/said suppressions=$GRIDMILL_SOURCE/tests/threads/tsan.supp"
# btl/tcp takes its own locks in two orders.
MPIRUN+=(--mca pml ob1 --mca btl "self,vader")

clean() # WHAT
{
    local log
    for log in said.*; do
        [ -e "$log" ] || continue
        if grep -qE '(Address|Thread)Sanitizer: [^0-9]|runtime error:' "$log" ||
            grep -qE '#[0-9]+ .*/(runner|scheduler|kernels|plugins)/[a-z_/]+\.[ch]:' "$log"; then
            cp "$log" err
            fail "$1: a sanitizer's report"
        fi
    done
    if grep -qE 'runtime error:|(ERROR|WARNING): (Address|Thread)Sanitizer' err out; then
        fail "$1: a sanitizer's report"
    fi
}

cat >job.yaml <<END
ranks: 2
oversubscribe: true
tasks:
  - name: train
    kernel: mlp.train
    group: all
    matrix: {seed: 1-2}
    args: {data: "$EXAMPLES/data/digits.csv.gz", scale: 0.0625, layers: [64, 32, 10], epochs: 2,
           init-seed: "\${seed}"}
  - name: score
    kernel: mlp.infer
    shards: {of: "$EXAMPLES/data/digits.csv.gz", rows: 500}
    args: {model: "\${train.model@max:accuracy}", labels: last}
  - name: command
    matrix: {x: 1-3}
    command: [sh, -c, "echo \${x}; test \${x} -ne 2"]
    retry: {limit: 1, on: [exit]}
  - name: after
    needs: [command]
    kernel: gemm
    args: {n: 32}
results: job.h5
END
expect 1 "$GRIDMILL" run job.yaml -q
clean "a run with a task that fails"
rm -rf job.h5 job.summary.json
expect 1 "${MPIRUN[@]}" -n 3 "$RUNNER" job.yaml --set ranks=3
clean "the same under mpirun"

cat >long.yaml <<END
ranks: 2
oversubscribe: true
kernel: mlp.train
group: all
args: {data: "$EXAMPLES/data/digits.csv.gz", layers: [64, 256, 10], epochs: 1000000}
results: long.h5
END
expect 5 timeout --preserve-status -s INT 3 "$GRIDMILL" run long.yaml -q
clean "a run that was stopped"
expect 2 "${MPIRUN[@]}" -n 2 "$RUNNER" none.yaml
clean "a run that was refused"
exit 0
