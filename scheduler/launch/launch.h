/* A plan -> a command line that starts its ranks, each flag with its reason. One backend
 * a file; nothing is started here (engine spawns what it is given). */
#ifndef LAUNCH_LAUNCH_H
#define LAUNCH_LAUNCH_H

#include "base/arena.h"
#include "spec/plan.h"

struct launch_flag {
    const char *text;   /* "--bind-to none", "OMPI_MCA_pml=ob1" */
    const char *reason; /* one line */
};

struct launch_line {
    struct arena *arena;             /* owns all below */
    const char *const *argv;         /* ends with NULL */
    const char *const *env;          /* "NAME=value" to add, ends with NULL */
    const struct launch_flag *flags; /* argv and env explained, in order */
    unsigned n_flags;
    const char *rankfile; /* text of FOLDER/rankfile to write first, or NULL */
};

struct launch_backend {
    const char *name;
    /* runner: absolute path of gridmill-runner. -ENOENT: the launcher is not installed.
     */
    int (*line)(const struct plan *plan,
                const char *runner,
                struct launch_line **ret,
                struct gm_error *err);
};

extern const struct launch_backend launch_mpirun; /* as installed */
extern const struct launch_backend launch_ompi4,
    launch_ompi5;                               /* mpirun of that version */
extern const struct launch_backend launch_srun; /* inside an allocation of Slurm's */
extern const struct launch_backend
    launch_dryrun; /* the model: `true`, with the same words */

/* "mpirun", "ompi4", "ompi5", "slurm" (srun), "dryrun"; NULL: none of them. */
const struct launch_backend *launch_find(const char *name);
/* Their names, for help and errors; ends with NULL. */
const char *const *launch_names(void);

void launch_line_free(struct launch_line *l);
/* One line, quoted for a shell; yours to free. */
char *launch_line_format(const struct launch_line *l);

AUTO_TYPE(launch_line, launch_line_free)

#endif
