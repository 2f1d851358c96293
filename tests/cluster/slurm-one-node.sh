# jobspecs/slurm/digits.sbatch through a real Slurm of one node: the job completes, the ranks were
# started and bound by Slurm, and the result hash is the laptop's.
. "$(dirname "$0")/lib.sh"
[ "$CORES" -ge 2 ] || skip "one core: digits.sbatch asks for two"
cluster_up 1 --slurm
need_srun

job=$(example digits)
sed -i 's/epochs: .*/epochs: 5/' "$job"
export PATH=$GRIDMILL_BIN:$PATH

state=$(sbatch_end --output="$work/out" "$EXAMPLES/slurm/digits.sbatch" "$job")
[ "$state" = "COMPLETED 0:0 " ] || fail "the job ended as: $state"
file=$work/jobspecs/digits.h5
h5 "
r = f['ranks']
assert len(r['host']) == 2, len(r['host'])
text = lambda v: v.decode() if isinstance(v, bytes) else str(v)
seen = [text(v) for v in r['seen'][...]]
assert len(set(seen)) == 2, seen            # Slurm bound them apart, and they stayed there
assert [text(v) for v in r['planned'][...]] == seen" "$file"
slurm=$(hash_of "$file")

expect 0 "$GRIDMILL" run "$job" --results "$work/laptop.h5" --ranks 2 -q
laptop=$(hash_of "$work/laptop.h5")
echo "slurm  $slurm"
echo "laptop $laptop"
[ "$slurm" = "$laptop" ] || fail "Slurm and the laptop give different numbers"

# Without PMIx each rank believes to be alone: refused with the cure, and nothing is computed.
expect 2 on head srun --mpi=none -n 2 "$RUNNER" "$(example sleep)"
says 'srun --mpi=pmix'
[ "$(grep -c gridmill-runner: err)" -eq 1 ] || fail "not one line"
nothing_left "$work/jobspecs/sleep.h5"

# In an allocation of two tasks a `gridmill run --ranks 1` is no mis-launch.
printf '#!/bin/bash\nexec gridmill run %q --ranks 1 --results %q\n' "$(example hello)" \
    "$work/hello.h5" >shell.sh
state=$(sbatch_end --ntasks=2 --output="$work/out" shell.sh)
[ "$state" = "COMPLETED 0:0 " ] || fail "gridmill run inside sbatch ended as: $state"
[ -f "$work/hello.h5" ] || fail "no hello.h5"
# A job in Flux's form: srun's ranks take its seats, each with its own command; another number of
# ranks is refused with the one that fits.
cat >flux.yaml <<END
version: 999
resources:
  - {type: slot, label: a, count: 1, with: [{type: core, count: 1}]}
  - {type: slot, label: b, count: 1, with: [{type: core, count: 1}]}
tasks:
  - {command: [echo, first], slot: a, count: {per_slot: 1}}
  - {command: [sh, -c, 'echo second of \$GRIDMILL_TASK_COUNT'], slot: b, count: {per_slot: 1}}
attributes: {system: {duration: 60, cwd: "$work"}}
END
expect 0 on head srun --mpi=pmix -n 2 "$RUNNER" flux.yaml
h5 "
texts = [bytes(f['logs'][s]['stdout']['data'][...].tobytes()).decode() for s in sorted(f['stages'])]
assert sorted(texts) == ['first\n', 'second of 2\n'], texts
assert sorted(f['tasks']['rank'][...].tolist()) == [0, 1], f['tasks']['rank'][...]" "$work/flux.h5"
rm "$work/flux.h5"
expect 2 on head srun --mpi=pmix -n 1 "$RUNNER" flux.yaml
says '-n 2'
nothing_left "$work/flux.h5"
exit 0
