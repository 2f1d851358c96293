/* Who started this process, where, until when: the only code that reads OMPI_*, SLURM_*,
 * PMI*, PMIX_* and FLUX_* variables, answered in our words. Also our own GRIDMILL_*. */
#ifndef LAUNCH_ALLOC_H
#define LAUNCH_ALLOC_H

#include "gridmill/error.h"
#include <stdbool.h>
#include <stddef.h>

enum alloc_launcher {
    ALLOC_NONE = 0, /* a plain process */
    ALLOC_OURS,     /* gridmill run started this rank (GRIDMILL_LAUNCH_RANKS) */
    ALLOC_MPIRUN,   /* Open MPI's mpirun (OMPI_COMM_WORLD_SIZE) */
    ALLOC_SRUN, /* inside a numbered Slurm step (SLURM_STEP_NUM_TASKS and SLURM_STEP_ID)
                 */
    ALLOC_SLURM_SHELL, /* in a Slurm allocation, outside a step: sbatch or salloc shell */
    ALLOC_PMI          /* another MPI's launcher (PMI_SIZE: MPICH, Intel MPI) */
};

struct alloc {
    enum alloc_launcher launcher;
    int n_ranks;    /* what the launcher said it started; -1: it said nothing */
    int rank;       /* -1: unknown. Known before MPI_Init: of N that were launched in a
                       wrong way only the first needs to speak (alloc_speaks) */
    int local_rank; /* on this host; -1: unknown */
    int local_size; /* ranks on this host, told by Open MPI alone; -1: unknown */
    const char
        *launch_id;     /* GRIDMILL_LAUNCH_ID, or NULL; borrowed from the environment */
    const char *job_id; /* Slurm's, or NULL; borrowed from the environment */
    double end;         /* unix s when the allocation ends; 0: unknown */
    unsigned restarts;  /* how often Slurm has started this batch job again */
};

void alloc_read(struct alloc *ret);

/* What a batch system gave the job that this process is part of, whatever of it the job
 * then asked for, by Slurm's words to a batch script and to what it starts. A word that
 * cannot be read is as none. */
struct alloc_given { /* 0: not told */
    double cpus, gpus;
    double memory; /* byte, on all hosts */
    double time;   /* s, of the whole allocation */
};
void alloc_read_given(struct alloc_given *ret);

/* The hosts that we were given, in the launcher's order, with the ranks each may take. */
struct alloc_host {
    char *name;
    unsigned slots; /* 0: not said */
    unsigned cpus;  /* that we were given there; 0: not said */
};
struct alloc_hosts {
    struct alloc_host *items;
    unsigned n;
};
/* Slurm's allocation, in a shell of it (SLURM_JOB_NODELIST, SLURM_JOB_CPUS_PER_NODE, and
 * SLURM_TASKS_PER_NODE where the user asked for tasks). *ret has n 0 where nobody gave us
 * any. -EINVAL: a variable cannot be read, or the job is a heterogeneous one. */
int alloc_read_hosts(struct alloc_hosts *ret, struct gm_error *err);
void alloc_hosts_free(struct alloc_hosts *h); /* what is inside */
/* What this host is called: by Slurm inside a step or a batch script, else by itself.
 * *ret is yours to free. */
int alloc_node_name(char **ret, struct gm_error *err);
/* One host by two names, as Open MPI compares them: equal, or equal up to the first dot
 * where one of them has none. Addresses are equal as a whole alone. */
bool alloc_same_host(const char *a, const char *b);
/* Is this host meant, by its own name or by Slurm's? */
bool alloc_is_here(const char *host);

/* The guard before MPI_Init: Open MPI ends the process inside it when srun gave it
 * nothing to talk to. -EINVAL: srun started several ranks without any PMI. */
int alloc_check_start(const struct alloc *a, struct gm_error *err);
/* The mis-launch guard. world: MPI_Comm_size. 0, or -EINVAL with the line that names the
 * cure ("srun started 4 ranks, but MPI sees 1: ... srun --mpi=pmix"). SLURM_NTASKS alone
 * never refuses. */
int alloc_check(const struct alloc *a, int world, struct gm_error *err);
/* For programs that are no MPI program and start the ranks themselves: -EINVAL when a
 * launcher started several of them. */
int alloc_check_alone(const struct alloc *a, const char *program, struct gm_error *err);
/* Is it this process that says what is wrong with the launch (the first rank, or alone)?
 */
bool alloc_speaks(const struct alloc *a);

/* Is `name` a variable by which a launcher speaks to its rank? A command that a rank
 * starts must not inherit it: an MPI program in it would take itself for that rank. */
bool alloc_is_private(const char *name);

const char *alloc_mpirun(void); /* GRIDMILL_MPIRUN: the mpirun to use, or NULL */
bool alloc_has_fence(void);     /* the user chose how Slurm's PMIx waits for all */
/* Did the user set this MCA parameter of Open MPI's in the environment? Then it stands.
 */
bool alloc_user_set(const char *parameter);

#endif
