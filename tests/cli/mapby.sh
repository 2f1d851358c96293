# Open MPI's words: what is planned is what each rank sees, for words that bind ranks apart, together
# or not at all; the mpirun at hand is asked what it would do, and said where it differs.
. "$(dirname "$0")/lib.sh"
cpus=$("$PYTHON" -c 'import os; print(len(os.sched_getaffinity(0)))')
[ "$cpus" -ge 2 ] || skip "one CPU: nothing to map"
cat >job.yaml <<'END_JOB'
ranks: 2
matrix: {x: 1-4}
command: [grep, Cpus_allowed_list, /proc/self/status]
results: job.h5
END_JOB

mapped() # "apart" | "all", OPTIONS...
{
    local want=$1
    shift
    rm -f job.h5 job.summary.json
    expect 0 "$GRIDMILL" run job.yaml "$@"
    h5 "
text = lambda v: v.decode() if isinstance(v, bytes) else str(v)
planned, seen = ([text(v) for v in f['ranks'][k][...]] for k in ('planned', 'seen'))
assert seen == planned, (planned, seen)
assert (len(set(planned)) == len(planned)) == (sys.argv[2] == 'apart'), planned" job.h5 "$want"
}
mapped apart --map-by core --bind-to core
mapped apart --map-by ppr:2:node
mapped apart --bind-to core
mapped apart --map-by slot:PE=1 --rank-by slot
mapped apart --map-by pe-list=0,1:ORDERED
mapped all --map-by core --bind-to none
mapped all --map-by pe-list=0,1
mapped all --map-by package --bind-to package
mapped all --set mapping=inherited
mapped all --map-by core:OVERSUBSCRIBE --ranks $((2 * CORES))

# Without a number of ranks there are as many as the words make.
sed 's/^ranks: 2/mapping: "ppr:1:node"/' job.yaml >one.yaml
expect 0 "$GRIDMILL" plan one.yaml
says 'on 1 rank,'
expect 0 "$GRIDMILL" plan one.yaml --map-by ppr:2:node
says 'on 2 ranks,'

# A machine of two packages: PRRTE fills objects with ranks, mpirun 4 ranks them in turn.
machine="pack:2 numa:1 core:2 pu:1"
expect 0 "$GRIDMILL" plan job.yaml --machine "$machine" --map-by package --bind-to core --ranks 4
if mpirun --version | grep -q '(Open MPI) 4\.1'; then
    says '^mpirun 4\.1\.[0-9]+ with --map-by socket --bind-to core would put 2 of 4 ranks elsewhere: rank 1 on 2 \(plan: 1\), rank 2 on 1 \(plan: 2\)$'
    expect 0 "$GRIDMILL" plan job.yaml --machine "$machine" --map-by core --bind-to core --ranks 4
    says_not '^mpirun'
    expect 0 "$GRIDMILL" plan job.yaml --machine "$machine" --map-by core --rank-by fill --ranks 4
    says 'n/a: The specified ranking policy is not recognized'
fi
expect 0 "$GRIDMILL" plan job.yaml --machine "$machine" --ranks 4
says_not '^mpirun'

# A launcher that is not Open MPI's, or does not answer as one, changes no plan.
printf '#!/bin/sh\necho HYDRA\n' >other
chmod +x other
expect 0 env GRIDMILL_MPIRUN="$work/other" "$GRIDMILL" plan job.yaml --map-by core
says "mpirun's own map: n/a: .*other is not Open MPI's"

# What cannot be: at its place, with what to do.
expect 2 "$GRIDMILL" plan job.yaml --map-by slot --rank-by fill
says 'rank-by: fill ranks by objects: map by one'
expect 2 "$GRIDMILL" plan job.yaml --map-by core --bind-to numa
says 'bind-to: numa is above core'
# What is offered helps: sharing only where it does.
two=(--machine 'pack:2 core:2' --ranks 5)
expect 3 "$GRIDMILL" plan job.yaml "${two[@]}" --map-by ppr:2:package:OVERSUBSCRIBE --bind-to none
says 'only 4 of 5 ranks have a place: ask for at most 4$'
expect 3 "$GRIDMILL" plan job.yaml "${two[@]}" --map-by core:OVERSUBSCRIBE --bind-to core
says 'only 4 of 5 .*: ask for at most 4, bind-to none, or bind-to core:overload-allowed$'
expect 0 "$GRIDMILL" plan job.yaml "${two[@]}" --map-by core:OVERSUBSCRIBE --bind-to core:overload-allowed
expect 0 "$GRIDMILL" plan job.yaml "${two[@]}" --map-by core:OVERSUBSCRIBE --bind-to none
expect 3 "$GRIDMILL" plan job.yaml --machine 'pack:2 core:4' --ranks 5 --map-by slot:PE=2
says 'ask for at most 4, or for a smaller PE$'
expect 3 "$GRIDMILL" plan job.yaml --map-by core --ranks $((CORES + 1))
says "$((CORES + 1)) ranks, but there are $CORES slots"
expect 2 "$GRIDMILL" plan job.yaml --map-by seq
says "'seq' cannot be placed"
expect 2 "$GRIDMILL" plan job.yaml --map-by core --set nodes=1 --set ranks-per-node=2
says 'nodes and ranks-per-node do not go with map-by core'
exit 0
