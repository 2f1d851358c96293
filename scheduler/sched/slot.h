/* One rank's cores and GPUs on one host. */
#ifndef SCHED_SLOT_H
#define SCHED_SLOT_H

#include "base/str.h"
#include "place.h"

struct slot_request {
    unsigned cores; /* 0, with `numa`: all that a NUMA node has free */
    unsigned gpus;
    unsigned threads; /* PUs instead of whole cores; 0: cores */
    uint64_t memory;  /* bytes */
    uint32_t traits;  /* GM_BOUND_* */
    bool spread;
    bool numa;       /* inside one NUMA node, whatever else */
    bool gpu_first;  /* the GPUs decide where, the cores follow */
    unsigned within; /* the node of the host's shape to stay below; 0: the whole host */
};

/* Slots that a host has room for beside what is held in occ (NULL: on the empty host). */
unsigned slot_room(const struct restree *tree,
                   const struct occupancy *occ,
                   unsigned host,
                   const struct slot_request *req);

/* Takes a slot on `host`, which must have room for it (asserted), and claims it in *occ.
 * placed: ranks that stand at or below each node of the host's shape; counted on. Fills
 * the seat. */
void slot_take(struct occupancy *occ,
               const struct restree *tree,
               unsigned host,
               const struct slot_request *req,
               unsigned *placed,
               struct place_seat *ret);

/* The NUMA nodes (OS numbers) that are nearest to some PUs; yours to free. */
struct idset *slot_mems(const struct topo_shape *shape, const struct idset *pus);

/* The smallest node around some PUs. */
unsigned slot_around(const struct topo_shape *shape, const struct idset *pus);

/* "package 0, NUMA 1, L3 2": the domains from the host down to `node`. */
void slot_where(const struct topo_shape *shape, unsigned node, struct str *out);

#endif
