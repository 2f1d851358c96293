/* Inside of slot.c and its parts: one search for one slot. */
#ifndef SCHED_SLOT_SEARCH_H
#define SCHED_SLOT_SEARCH_H

#include "slot.h"

/* What is counted below a node. */
enum slot_unit {
    SLOT_CORES = 0, /* free cores, all PUs of each */
    SLOT_PUS,       /* free PUs, a core's together */
    SLOT_APART      /* free cores, one PU of each */
};

struct slot_search {
    struct occupancy *occ;
    const struct topo_shape *shape;
    unsigned host;
    const struct slot_request *req;
    const unsigned *placed; /* ranks at or below each node */
    enum slot_unit unit;
    unsigned need;  /* units of a slot */
    int trait;      /* only cores of this efficiency class count; -1: all */
    uint32_t *room; /* per node: units at or below it that are free */
    int8_t *depth;  /* per node: the deepest kind of domain with room for the slot at or
                       below it; -1: none */
    unsigned gpus;  /* a domain needs so many free ones to have room */
    bool memory;    /* and the slot's bytes on its NUMA node free */
};

enum { SLOT_DEPTH_CORE = 10, SLOT_DEPTH_L3 = 6, SLOT_DEPTH_NUMA = 2 };

/* How deep a kind of domain is, whatever the order in which this machine nests them. */
int8_t slot_depth_of(const struct topo_node *n);
/* Counts room for a unit and a class. */
void slot_count(struct slot_search *s, enum slot_unit unit, int trait);
/* Settles unit, need and trait: what the slot's traits and the machine's classes of cores
 * make best, inside `within`. */
void slot_choose_unit(struct slot_search *s, unsigned within);
/* Fills depth for `gpus` and `memory`; the deepest kind with room below `within`. */
int8_t slot_measure(struct slot_search *s, unsigned within);
/* The smallest domain at or below `node` with room for the slot (and s->gpus GPUs). */
unsigned slot_descend(struct slot_search *s, unsigned node);
/* n units at or below `node`, out of *room and into the set; those at or below `near`
 * (0: nobody cares) first. */
void slot_gather(
    struct slot_search *s, unsigned node, unsigned near, unsigned n, struct idset *pus);

/* The domain whose GPUs the slot takes, before its cores are known. */
unsigned slot_gpu_domain(const struct slot_search *s, unsigned within);
/* The best linked of the GPUs that are nearest to `node`. */
void slot_choose_gpus(const struct slot_search *s, unsigned node, struct idset *gpus);
/* Where cores are wanted for them: at the most of them that are at home in one place with
 * room. */
unsigned slot_gpu_cores(const struct slot_search *s, const struct idset *gpus);
/* The smallest node with cores around all of them. */
unsigned slot_gpu_home(const struct topo_shape *shape, const struct idset *gpus);

/* Claims the slot's bytes: of the NUMA nodes of its cores, then of the nearest. */
void slot_claim_memory(struct slot_search *s, struct place_seat *seat);

/* One line: why the slot is in `node`. Before it is claimed: it speaks of what was free.
 */
char *
slot_reason(const struct slot_search *s, unsigned node, const struct place_seat *seat);
/* Adds where the bytes come from, once they are claimed, if not from `own`, the NUMA
 * nodes of the slot's cores. */
void slot_reason_memory(const struct slot_search *s,
                        const struct idset *own,
                        struct place_seat *seat);

#endif
