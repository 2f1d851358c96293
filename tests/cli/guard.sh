# The mis-launch guard: N copies that each believe to be alone refuse with one line that names
# the cure, exit 2, and compute nothing; what only looks like that is let through.
. "$(dirname "$0")/lib.sh"
cat >job.yaml <<'END'
command: [echo, ran]
results: job.h5
END

refuses() # NAME=VALUE...
{
    expect 2 env "$@" "$RUNNER" job.yaml
    # Said by the first rank, once; the others end without a word.
    if [ -n "$said_by_another" ]; then
        [ ! -s err ] || fail "a second rank said it too"
    else
        [ "$(grep -c . err)" -eq 1 ] || fail "not one line"
        says '4 ranks.* 1'
    fi
    nothing_left job.h5
}
runs() # COMMAND...
{
    expect 0 "$@"
    [ -f job.h5 ] || fail "no results"
    h5 "assert len(f['ranks']['host']) == 1" job.h5
    rm -f job.h5 job.summary.json
}

said_by_another=yes
refuses OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=2
said_by_another=
refuses OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=0
refuses SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=4 SLURM_PROCID=0 SLURM_JOB_ID=7
says 'srun --mpi=pmix'
refuses GRIDMILL_LAUNCH_RANKS=4

runs "$RUNNER" job.yaml
runs env SLURM_JOB_ID=7 SLURM_NTASKS=4 "$GRIDMILL" run job.yaml --ranks 1
runs env SLURM_JOB_ID=7 SLURM_NTASKS=4 "$RUNNER" job.yaml
runs "${MPIRUN[@]}" -n 1 "$RUNNER" job.yaml

expect 2 "$RUNNER"
expect 2 "$RUNNER" none.yaml
says 'none\.yaml: .*No such file'
[ "$(grep -c 'none\.yaml' err)" -eq 1 ] || fail "said more than once"
# Said once by four ranks too.
expect 2 "${MPIRUN[@]}" -n 4 "$RUNNER" none.yaml
[ "$(cat out err | grep -c 'none\.yaml: ')" -eq 1 ] || fail "each rank said it"
exit 0
