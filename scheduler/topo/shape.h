/* hwloc's topology -> one shape. The only header of this folder that knows hwloc. */
#ifndef TOPO_SHAPE_H
#define TOPO_SHAPE_H

#include "restree.h"
#include <hwloc.h>

enum shape_keep {
    SHAPE_PCI = 1,     /* PCI devices */
    SHAPE_DEVICES = 2, /* what the operating system and runtimes make of them */
    SHAPE_MISC = 4     /* Misc objects: GPUs that gpu_insert puts there */
};

/* What of a topology we keep, both for this host and for XML, and `keep` of the rest. */
int shape_filter(hwloc_topology_t topology, unsigned keep);
/* Everything of *ret is filled; the topology stays the caller's. */
int shape_make(hwloc_topology_t topology, struct topo_shape *ret, struct gm_error *err);
void shape_clear(struct topo_shape *s); /* what is inside; not s itself */

#endif
