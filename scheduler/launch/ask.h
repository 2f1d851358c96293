/* Lines that ask before a job is placed: one process a host, what this Slurm can. */
#ifndef LAUNCH_ASK_H
#define LAUNCH_ASK_H

#include "alloc.h"
#include "launch.h"

struct ask {
    const struct launch_backend *backend; /* srun, or an mpirun */
    const struct alloc_host *hosts;
    unsigned n_hosts;
    const char *runner;
    const char *see; /* --see FILE; or NULL */
    bool xml;        /* --xml */
};

/* `gridmill-runner --probe` once on each host. */
int ask_hosts(const struct ask *a, struct launch_line **ret, struct gm_error *err);
/* srun's list of MPI types; Slurm's configuration. */
struct launch_line *ask_srun_types(void);
struct launch_line *ask_slurm_config(void);

#endif
