/* See launch.h: the backends by their names. Invariant: a name that launch_names tells is
 * found by launch_find, and no other is. */
#include "launch.h"

#include <string.h>

static const struct launch_backend *const backends[] = {
    &launch_mpirun, &launch_ompi4, &launch_ompi5, &launch_srun, &launch_dryrun};

enum { N_BACKENDS = sizeof(backends) / sizeof(backends[0]) };

static const char *const names[] = {"mpirun", "ompi4", "ompi5", "slurm", "dryrun", NULL};

_Static_assert(sizeof(names) / sizeof(names[0]) == N_BACKENDS + 1, "a name each");

const struct launch_backend *launch_find(const char *name)
{
    for (size_t i = 0; i < N_BACKENDS; i++) {
        if (strcmp(names[i], name) == 0)
            return backends[i];
    }
    return NULL;
}

const char *const *launch_names(void)
{
    return names;
}
