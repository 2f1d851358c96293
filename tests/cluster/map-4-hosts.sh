# One job on four hosts, started by mpirun and by srun: MPI crosses TCP, the ranks gather four
# machines, planned is seen on every rank, and the numbers are those of one host. What is wrong
# with a host is told with its name.
. "$(dirname "$0")/lib.sh"
[ "$CORES" -ge 2 ] || skip "two ranks a host need two cores"
cluster_up 4 --slurm
need_mpirun gn0 gn1 gn2 gn3
need_srun
job=$(example digits)
sed -i 's/epochs: .*/epochs: 2/' "$job"
expect 0 "$GRIDMILL" run "$job" --results "$work/one.h5" -q
want=$(hash_of one.h5) || exit 1
all=gn0:2,gn1:2,gn2:2,gn3:2
two="gn0 gn0 gn1 gn1 gn2 gn2 gn3 gn3"

across() # MPIRUN-ARGUMENTS...
{
    on head timeout 120 mpirun --mca pml ob1 --mca btl self,vader,tcp "$@"
}

# Bound by mpirun; by the runner; round robin; not at all, with more ranks than cores.
expect 0 across -H $all -n 8 --bind-to core "$RUNNER" "$job" --results "$work/bound.h5" -q
placed bound.h5 "$want" "$two" apart
expect 0 across -H $all -n 8 --bind-to none "$RUNNER" "$job" --results "$work/free.h5" -q
placed free.h5 "$want" "$two" apart
expect 0 across -H $all -n 8 --map-by node --bind-to core "$RUNNER" "$job" --results "$work/robin.h5" -q
placed robin.h5 "$want" "gn0 gn1 gn2 gn3 gn0 gn1 gn2 gn3" apart
over=$((CORES + 1))
hosts=$(for host in gn1 gn3; do yes $host | head -n $over; done | xargs)
expect 0 across -H "gn1:$over,gn3:$over" -n $((2 * over)) --oversubscribe --bind-to none \
    "$RUNNER" "$job" --results "$work/over.h5" -q
placed over.h5 "$want" "$hosts"

# By srun: bound by Slurm's task/affinity.
expect 0 by_srun srun --mpi=pmix -N 4 -n 8 "$RUNNER" "$job" --results "$work/srun.h5" -q
placed srun.h5 "$want" "$two" apart
expect 0 by_srun srun --mpi=pmix -N 4 -n 4 --cpu-bind=cores "$RUNNER" "$job" --results "$work/four.h5" -q
placed four.h5 "$want" "gn0 gn1 gn2 gn3" apart

# A rank whose kernel mask is not what it says it has at its start would be told; strict says it
# with the host. Here one host's ranks are given more threads than CPUs.
cat >crowd <<END
#!/bin/sh
[ "\$(hostname)" != gn2 ] || export OMP_NUM_THREADS=4096
exec "\$@"
END
chmod +x crowd
expect 2 across -H $all -n 8 --bind-to core ./crowd "$RUNNER" "$job" --results "$work/bad.h5" \
    --verify-binding strict -q
says '2 ranks are not as planned, the first of them: rank 4 \(gn2\): OMP_NUM_THREADS=4096'
nothing_left "$work/bad.h5"

# Another build on one host.
build=$("$RUNNER" --version | sed 's/.*+//')
other=$(tr 'a-f0-9' 'b-g1-9a' <<<"$build")
sed "s/$build/$other/g" "$RUNNER" >"$work/runner-other"
cat >mixed <<END
#!/bin/sh
[ "\$(hostname)" = gn3 ] && exec $work/runner-other "\$@"
exec $RUNNER "\$@"
END
chmod +x mixed runner-other
expect 2 across -H $all -n 8 ./mixed "$job" --results "$work/bad.h5" -q
says "rank 6 \(gn3\): is gridmill [^ ]*$other, but rank 0 \(gn0\) is gridmill [^ ]*$build"
nothing_left "$work/bad.h5"

# Results in a folder that one host alone has: named and refused before any task.
expect 2 across -H gn0:2,gn1:2 -n 4 "$RUNNER" "$job" --results /var/tmp/private.h5 -q
says 'gn1.*does not see the job folder'
[ -z "$(on gn0 ls /var/tmp | grep private)" ] || fail "a refused job left something behind"
exit 0
