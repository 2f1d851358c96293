/* Who started this process, where, until when: the only code that reads OMPI_*, SLURM_*,
 * PMI*, PMIX_* and FLUX_* variables, answered in our words. Also our own GRIDMILL_*. */
#ifndef LAUNCH_ALLOC_H
#define LAUNCH_ALLOC_H

#include "gridmill/error.h"
#include <stdbool.h>

enum alloc_launcher {
    ALLOC_NONE = 0,  /* a plain process */
    ALLOC_OURS,      /* gridmill run started this rank (GRIDMILL_LAUNCH_RANKS) */
    ALLOC_MPIRUN,    /* Open MPI's mpirun (OMPI_COMM_WORLD_SIZE) */
    ALLOC_SRUN,      /* inside a numbered Slurm step (SLURM_STEP_NUM_TASKS and SLURM_STEP_ID) */
    ALLOC_SLURM_SHELL /* in a Slurm allocation, outside a step: sbatch or salloc shell */
};

struct alloc {
    enum alloc_launcher launcher;
    int n_ranks;          /* what the launcher said it started; -1: it said nothing */
    int rank;             /* -1: unknown */
    int local_rank;       /* on this host; -1: unknown */
    const char *job_id;   /* Slurm's, or NULL; borrowed from the environment */
    double end;           /* unix s when the allocation ends; 0: unknown */
};

void alloc_read(struct alloc *ret);
const char *alloc_launcher_name(enum alloc_launcher l); /* "mpirun", "srun", ... */

/* The mis-launch guard. world: MPI_Comm_size. 0, or -EINVAL with the line that names the cure
 * ("started as 4 ranks by srun, but MPI sees 1: ... srun --mpi=pmix"). SLURM_NTASKS alone
 * never refuses. */
int alloc_check(const struct alloc *a, int world, struct gm_error *err);

#endif
