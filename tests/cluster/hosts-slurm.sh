# `gridmill run` in a shell of a Slurm allocation of several nodes: the hosts are Slurm's, the CPUs
# those that it gave, the ranks are started by srun and stand where they were planned.
. "$(dirname "$0")/lib.sh"
[ "$CORES" -ge 2 ] || skip "two CPUs a node are needed"
cluster_up 4 --slurm
need_srun

job=$(example digits)
expect 0 "$GRIDMILL" run "$job" --results "$work/one.h5" -q
want=$(hash_of one.h5) || exit 1

# FILE RANKS: the ranks stood there, "HOST:CPUS" each, as planned
check()
{
    [ "$(hash_of "$1")" = "$want" ] || fail "$1: another result than on one host"
    h5 "
text = lambda v: v.decode() if isinstance(v, bytes) else str(v)
ranks = {k: [text(v) for v in f['ranks'][k][...]] for k in ('host', 'planned', 'seen')}
assert ranks['seen'] == ranks['planned'], ranks
at = [h + ':' + c for h, c in zip(ranks['host'], ranks['seen'])]
assert at == sys.argv[2].split(), at" "$1" "$2"
}

# allocated ARGUMENTS-OF-SALLOC -- ARGUMENTS...: gridmill run, packed, in the shell of an allocation
allocated()
{
    local salloc=()
    while [ "$1" != -- ]; do
        salloc+=("$1")
        shift
    done
    shift
    by_srun salloc "${salloc[@]}" "$GRIDMILL" run "$job" \
        --set mapping=pack "$@"
}

# All nodes, whole: masks of srun. One CPU of each of two: no more than Slurm gave.
expect 0 allocated -N 4 --exclusive -- --ranks 8 --results "$work/whole.h5" -v
says 'srun .*--cpu-bind=mask_cpu:0x1,0x2'
check whole.h5 "gn0:0 gn0:1 gn1:0 gn1:1 gn2:0 gn2:1 gn3:0 gn3:1"
expect 0 allocated -N 2 -n 2 -- --ranks 2 --results "$work/part.h5" -q
check part.h5 "gn0:0 gn1:0"
expect 3 allocated -N 2 -n 2 -- --ranks 3 --results "$work/more.h5"

# A host that gave one CPU refuses the other host's second mask, though it has no such rank.
expect 0 allocated -N 2 -n 3 -- --ranks 3 --results "$work/fewer.h5" -v
says 'cpu-bind=none .*each rank binds itself'
check fewer.h5 "gn0:0 gn0:1 gn1:0"

# Another job has CPU 0 of gn0: the k-th ranks of the hosts differ, srun cannot say it, the runner binds.
on head salloc -K -N 1 -n 1 -w gn0 sleep 60 >/dev/null 2>&1 &
holder=$!
for _ in $(seq 50); do
    [ "$(on head squeue -h -t R | wc -l)" -eq 1 ] && break
    sleep 0.1
done
expect 0 allocated -N 2 -n 3 -w 'gn[0-1]' -- --ranks 3 --results "$work/mixed.h5" -v
says 'cpu-bind=none .*each rank binds itself'
check mixed.h5 "gn0:1 gn1:0 gn1:1"
on head scancel -u root
wait "$holder" 2>/dev/null

# A batch script; mpirun in the place of srun; a host that is not ours; a job on two of four.
printf '#!/bin/bash\nexec %q run %q --ranks 4 --set mapping=spread --results %q -q\n' "$GRIDMILL" \
    "$job" "$work/batch.h5" >batch.sh
expect 0 on head sbatch -N 4 --exclusive -o "$work/batch.out" batch.sh
for _ in $(seq 300); do # sbatch -W looks every ten seconds only
    [ -z "$(on head squeue -h)" ] && break
    sleep 0.1
done
check batch.h5 "gn0:0 gn1:0 gn2:0 gn3:0"
expect 0 allocated -N 2 --exclusive -- --launcher mpirun --ranks 4 --results "$work/mpirun.h5" -q
check mpirun.h5 "gn0:0 gn0:1 gn1:0 gn1:1"
expect 2 allocated -N 2 -w 'gn[0-1]' -- --hosts gn0,gn3 --results "$work/foreign.h5"
says "host gn3 is not in Slurm's allocation"
nothing_left "$work/foreign.h5"
expect 0 allocated -N 4 --exclusive -- --hosts gn3,gn1 --ranks 4 --results "$work/two.h5" -q
check two.h5 "gn3:0 gn3:1 gn1:0 gn1:1"
exit 0
