/* hwloc's topology -> one shape. The only header of this folder that knows hwloc. */
#ifndef TOPO_SHAPE_H
#define TOPO_SHAPE_H

#include "restree.h"
#include <hwloc.h>

/* What of a topology we keep (both for this host and for XML). io: PCI devices too. */
int shape_filter(hwloc_topology_t topology, bool io);
/* Everything of *ret is filled; the topology stays the caller's. */
int shape_make(hwloc_topology_t topology, struct topo_shape *ret, struct gm_error *err);
void shape_clear(struct topo_shape *s); /* what is inside; not s itself */

#endif
