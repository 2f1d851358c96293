/* Which mpirun is meant. */
#ifndef LAUNCH_MPIRUN_H
#define LAUNCH_MPIRUN_H

#include "base/arena.h"
#include "gridmill/error.h"

/* GRIDMILL_MPIRUN, else the first in PATH, as a path in the arena. -ENOENT: there is
 * none. */
int mpirun_find(struct arena *a, const char **ret, struct gm_error *err);

#endif
