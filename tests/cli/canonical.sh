# Canonical jobs without a Gridmill part: several slots, several tasks, tasks per slot and per
# resource, totals, moldable counts, each rank with its own command, on the CPUs of the plan: what a
# command sees in /proc is what the plan says, under our launcher and under mpirun itself.
. "$(dirname "$0")/lib.sh"
cpus=$("$PYTHON" -c 'import os; print(len(os.sched_getaffinity(0)))')
[ "$cpus" -ge 2 ] || skip "one CPU: nothing to tell apart"

# Every task's output begins with its list of CPUs. A rank's CPUs are the same in the plan, in what
# the kernel showed of the rank and its child, and in what the command itself read; and they are the
# CPUS given, one text a rank.
seen_as_planned() # FILE CPUS...
{
    h5 "
text = lambda v: v.decode() if isinstance(v, bytes) else str(v)
planned = [text(v) for v in f['ranks']['planned'][...]]
seen = [text(v) for v in f['ranks']['seen'][...]]
rank = {}
for name in f['stages']:
    log = f['logs'][name]['stdout']
    at = log['offset'][...].tolist()
    data = bytes(log['data'][...].tobytes())
    rows = f['tasks']['stage'][...].tolist()
    mine = [i for i, s in enumerate(rows) if s == f['stages'][name].attrs['index']]
    for k, row in enumerate(mine):
        rank[int(f['tasks']['rank'][row])] = data[at[k]:at[k + 1]].decode().split('\n')[0]
printed = [rank[r] for r in sorted(rank)]
assert planned == seen, (planned, seen)
assert planned == printed, (planned, printed)
assert not sys.argv[2:] or planned == sys.argv[2:], planned" "$@"
}

expect 0 "$GRIDMILL" plan --json --shape slot=2/core -- true
read -r first second < <("$PYTHON" -c "
import json
print(*[r['cpus'] for r in json.load(open('out'))['ranks']])")

tells() # WORD: a command that prints its CPUs and the word
{
    printf '[sh, -c, "sed -n s/Cpus_allowed_list:.//p /proc/self/status; echo %s"]' "$1"
}
job() # RESOURCES TASKS [SYSTEM]
{
    printf 'version: 999\nresources: [%s]\ntasks:\n%s\nattributes: {system: {duration: 60%s}}\n' \
        "$1" "$2" "${3:+, $3}" >job.yaml
    rm -f job.h5 job.summary.json
}
core='with: [{type: core, count: 1}]'

# Two slots with commands of their own.
job "{type: node, count: 1, with: [{type: slot, label: left, count: 1, $core},
                                   {type: slot, label: right, count: 1, $core}]}" \
    "  - {command: $(tells LEFT), slot: left, count: {per_slot: 1}}
  - {command: $(tells RIGHT), slot: right, count: {per_slot: 1}}"
expect 0 "$GRIDMILL" plan job.yaml
says 'slot left\[0\] of 1'
says 'slot right\[0\] of 1'
says 'sh-2 .*1 task .*on slot right'
expect 0 "$GRIDMILL" run job.yaml
says 'LEFT'
says 'RIGHT'
seen_as_planned job.h5 "$first" "$second"

# Several tasks share a slot: mpirun leaves them unbound, they bind themselves.
job "{type: slot, label: s, count: 2, $core}" \
    "  - {command: $(tells X), slot: s, count: {per_slot: 2}}"
expect 0 "$GRIDMILL" run job.yaml
seen_as_planned job.h5 "$first" "$first" "$second" "$second"

# One on each core of a slot of two.
job "{type: slot, label: s, count: 1, with: [{type: core, count: 2}]}" \
    "  - {command: $(tells X), slot: s, count: {per_resource: {type: core, count: 1}}}"
expect 0 "$GRIDMILL" run job.yaml
seen_as_planned job.h5 "$first" "$second"

# Five on two slots, and a second entry where they stopped.
job "{type: slot, label: s, count: 2, $core}" \
    "  - {command: $(tells X), slot: s, count: {total: 5}}
  - {command: $(tells Y), slot: s, count: {total: 1}}"
expect 0 "$GRIDMILL" run job.yaml
seen_as_planned job.h5 "$first" "$first" "$first" "$second" "$second" "$second"

# As many slots as there is room for.
job "{type: slot, label: s, count: 1-64, $core}" \
    "  - {command: $(tells X), slot: s, count: {per_slot: 1}}"
expect 0 "$GRIDMILL" plan --json job.yaml
cores=$("$PYTHON" -c "import json; print(len(json.load(open('out'))['ranks']))")
[ "$cores" -ge 2 ] || [ "$cpus" -gt 2 ] || fail "$cores slots on $cpus CPUs"
expect 0 "$GRIDMILL" run job.yaml
seen_as_planned job.h5
h5 "assert len(f['ranks']['seen']) == int(sys.argv[2])" job.h5 "$cores"

# Environment: the job's, the task's on top of it, one taken away; a task's place among the others;
# nothing of the launcher's; the folder.
mkdir there
job "{type: slot, label: s, count: 2, $core}" \
    "  - {command: [sh, -c, 'echo A=\$A B=\$B C=\${C-none} \$GRIDMILL_TASK_RANK/\$GRIDMILL_TASK_COUNT/\$GRIDMILL_LOCAL_ID in \$(basename \$PWD)'],
     slot: s, count: {per_slot: 1}, attributes: {environment: {B: task}}}
  - {command: [sh, -c, 'env | grep -E \"^(OMPI|PMI|PMIX|SLURM_STEP|GRIDMILL_LAUNCH)\" || echo clean'],
     slot: s, count: {total: 1}}" \
    "cwd: $work/there, environment: {A: job, B: job, C: null}"
expect 0 env C=mine "$GRIDMILL" run job.yaml --results "$work/job.h5"
says 'A=job B=task C=none 0/3/0 in there'
says 'A=job B=task C=none 1/3/1 in there'
says '^ *clean$'

# A task that fails, one whose command is not there: the others finish.
job "{type: slot, label: s, count: 2, $core}" \
    "  - {command: [sh, -c, 'exit \$GRIDMILL_TASK'], slot: s, count: {per_slot: 1}}
  - {command: [no-such-program-anywhere], slot: s, count: {total: 1}}
  - {command: [sh, -c, 'sleep 0.3; echo late'], slot: s, count: {total: 1}}"
expect 1 "$GRIDMILL" run job.yaml
says '2 of 4 tasks failed'
says 'exit status 1'
says 'no-such-program-anywhere: No such file'
says 'late'
expect 0 "$GRIDMILL" result show job.h5
says 'no-such-program-anywhere: No such file'

# What cannot be: one sentence, nothing left behind.
job "{type: slot, label: s, count: 1000000, $core}" \
    "  - {command: ['true'], slot: s, count: {per_slot: 1}}"
expect 3 "$GRIDMILL" run job.yaml
says "job.yaml:2:[0-9]+: resources: does not fit this machine: 1000000 slots 's' are wanted, there is room for $cores"
expect 3 "$GRIDMILL" plan job.yaml
job "{type: slot, label: s, count: 1, with: [{type: core, count: 1}, {type: ssd, count: 1}]}" \
    "  - {command: ['true'], slot: s, count: {per_slot: 1}}"
expect 2 "$GRIDMILL" run job.yaml
says "job.yaml:2:[0-9]+: resources: type 'ssd'"
job "{type: slot, label: s, count: 1, $core}" "  - {command: ['true'], slot: s, count: {per_slot: 1}}" \
    "cwd: $work/nowhere, shell: {options: {exit-on-error: 1}}"
expect 2 "$GRIDMILL" run job.yaml --results "$work/job.h5"
says "attributes.system.cwd: $work/nowhere: No such file"
says "warning: 'exit-on-error' is for Flux, Gridmill does not obey it"
nothing_left job.h5

# Under mpirun itself: as many ranks as tasks, where the launcher put them.
job "{type: slot, label: s, count: 1-64, $core}" \
    "  - {command: $(tells X), slot: s, count: {per_slot: 1}}"
for n in 1 2 3; do
    rm -f job.h5 job.summary.json
    expect 0 "${MPIRUN[@]}" -n $n --bind-to none "$RUNNER" job.yaml -q
    seen_as_planned job.h5
    h5 "assert len(f['ranks']['seen']) == int(sys.argv[2])" job.h5 $n
done
rm -f job.h5 job.summary.json
expect 0 "${MPIRUN[@]}" -n 2 --bind-to core "$RUNNER" job.yaml -q
seen_as_planned job.h5
job "{type: slot, label: s, count: 3, $core}" \
    "  - {command: $(tells X), slot: s, count: {per_slot: 1}}"
expect 2 "${MPIRUN[@]}" -n 2 "$RUNNER" job.yaml
says 'the job has 3 tasks, one a rank, but 2 ranks were started: start it with -n 3'
nothing_left job.h5
exit 0
