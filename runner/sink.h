/* Where a kernel's outputs go: into the open row of a buffer while they are small and
 * alike (rows.h), else into a parcel. */
#ifndef RUNNER_SINK_H
#define RUNNER_SINK_H

#include "gridmill/kernel.h"
#include "rows.h"

struct sink {
    struct gm_sink face; /* what the kernel sees */
    const struct gm_kernel *kernel;
    bool leads;            /* the group's first rank: the others' outputs are dropped */
    struct rows *rows;     /* a row is open there; NULL: outputs go into the parcel */
    struct parcel *parcel; /* made when it is needed; the caller's to take */
};

void sink_init(struct sink *s, const struct gm_kernel *kernel, bool leads);
/* The open row does not do for this task: its values go into the parcel, as what comes
 * after them. */
int sink_spill(struct sink *s, struct gm_error *err);

#endif
