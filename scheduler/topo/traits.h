/* What hwloc tells of cores and memory beyond their place. */
#ifndef TOPO_TRAITS_H
#define TOPO_TRAITS_H

#include "restree.h"
#include <hwloc.h>

enum topo_memory traits_memory(hwloc_topology_t topology, hwloc_obj_t numa);

/* The efficiency of a core's PUs as hwloc ranks it, 0 the slowest; 0 as well where
 * nothing ranks them. A core with PUs of several kinds (there is none such): the slowest.
 */
uint32_t traits_efficiency(hwloc_topology_t topology, hwloc_const_bitmap_t pus);

/* Ranks what traits_efficiency wrote into the cores of *s: 0, 1, ... without gaps. */
void traits_rank_cores(struct topo_shape *s);

#endif
