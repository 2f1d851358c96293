/* Open MPI's rankfile of a plan: a line a rank with its host and PUs. */
#ifndef LAUNCH_RANKFILE_H
#define LAUNCH_RANKFILE_H

#include "base/arena.h"
#include "spec/plan.h"

enum rankfile_numbers {
    RANKFILE_KERNEL, /* the kernel's CPU numbers: Open MPI 4 with rank_file_physical */
    RANKFILE_LOGICAL /* PUs counted in tree order: all that Open MPI 5 (PRRTE) reads */
};

/* In the arena. -EINVAL: logical numbers are wanted, but a rank's PUs are not in the
 * plan's topology. */
int rankfile_write(const struct plan *plan,
                   enum rankfile_numbers numbers,
                   struct arena *a,
                   const char **ret,
                   struct gm_error *err);

#endif
