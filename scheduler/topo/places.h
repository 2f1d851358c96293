/* Where a shape's cores, PUs, GPUs and NUMA nodes stand in the words of occupancy.c:
 * counted in tree order, so that what is below a node is a run of bits. Shared by the
 * hosts of a shape. */
#ifndef TOPO_PLACES_H
#define TOPO_PLACES_H

#include "topo/restree.h"

/* The first of each at or below a node. */
struct places_node {
    uint32_t core, gpu, numa;
};

struct places_core {
    uint32_t first_pu, n_pus;
};

struct places {
    struct places_node *nodes; /* [shape.n_nodes] */
    struct places_core *cores; /* [shape.n_cores] */
    uint32_t *core_of_pu;      /* [shape.n_pus] by place */
    uint32_t *place_of_pu;     /* [n_pu_ids] by OS index, plus 1; 0: no such PU */
    uint32_t *place_of_gpu;    /* [shape.n_gpus] by number */
    unsigned n_pu_ids, n_numas;
    unsigned cores_at, gpus_at, memory_at, n_words; /* PUs are at 0; see occupancy.c */
};

void places_make(const struct topo_shape *s, struct places *ret);
void places_clear(struct places *p); /* what is inside; not p itself */

#endif
