/* How far things of one host are from each other: the units of the objective. */
#ifndef SCHED_NEAR_H
#define SCHED_NEAR_H

#include "topo/restree.h"

/* The smallest node around both. */
unsigned near_common(const struct topo_shape *shape, unsigned a, unsigned b);
/* The smallest node with cores around a GPU: those are its cores. */
unsigned near_home(const struct topo_shape *shape, unsigned gpu);
/* A GPU (by number) from a core (a node): 0 its own cores, 1 those of its package, 2 any
 * other. */
double near_gpu_core(const struct topo_shape *shape, unsigned gpu, unsigned core);
/* Two GPUs. Where links are known: 0 by the widest link of the machine, up to 1 by the
 * narrowest, without a link 1 and what the tree says: 0 at home on one node, 1 in one
 * package, 2 else. Where they are not: what the tree says. */
double near_gpus(const struct topo_shape *shape, unsigned a, unsigned b);
/* The node of a PU's core, by the PU's place in shape->pus: [n_pus], yours to free. */
unsigned *near_cores(const struct topo_shape *shape);

#endif
