/* Who holds what: per host a bitmap of free PUs, cores and GPUs and the free bytes of its
 * NUMA nodes. The shape (restree.h) stays as it is. A core is free while all its PUs are.
 *
 * Bits stand in tree order, so what is free below a node is a count over a run of words:
 * a claim costs a few ns for each PU and GPU, a question one for each 64 of them. */
#ifndef TOPO_OCCUPANCY_H
#define TOPO_OCCUPANCY_H

#include "topo/restree.h"

struct occupancy;

struct occupancy *
occupancy_make(const struct restree *tree); /* all free; tree outlives it */
/* An attempt: cheap, since hosts are copied when they are first written. `o` must neither
 * change nor end while the copy lives. */
struct occupancy *occupancy_dup(const struct occupancy *o);
void occupancy_free(struct occupancy *o); /* takes NULL */

/* Below and including a node of the host's shape. */
unsigned occupancy_free_cores(const struct occupancy *o, unsigned host, unsigned node);
unsigned occupancy_free_gpus(const struct occupancy *o, unsigned host, unsigned node);
unsigned occupancy_free_pus(const struct occupancy *o, unsigned host, unsigned node);
/* Of the NUMA nodes at or below it; GPUs' own memory counts as none. */
uint64_t occupancy_free_memory(const struct occupancy *o, unsigned host, unsigned node);
bool occupancy_pu_free(const struct occupancy *o, unsigned host, unsigned os_index);
bool occupancy_gpu_free(const struct occupancy *o, unsigned host, unsigned os_index);
/* gpus NULL: none. -EBUSY: one of them is held already; -EINVAL: one of them is not
 * there; then nothing changed. */
int occupancy_claim(struct occupancy *o,
                    unsigned host,
                    const struct idset *pus,
                    const struct idset *gpus,
                    struct gm_error *err);
/* Gives back what was claimed (asserted: all of it is held). */
void occupancy_release(struct occupancy *o,
                       unsigned host,
                       const struct idset *pus,
                       const struct idset *gpus);

/* Bytes of a NUMA node (its index among the shape's nodes). -ENOSPC: not so many are
 * free; then nothing changed. */
int occupancy_claim_memory(struct occupancy *o,
                           unsigned host,
                           unsigned node,
                           uint64_t bytes);

/* Two hosts of one shape with the very same free. */
bool occupancy_alike(const struct occupancy *o, unsigned a, unsigned b);
/* Free cores of all hosts. */
uint64_t occupancy_all_cores(const struct occupancy *o);
/* The first host at or after `from` with at least so much free, without looking at each;
 * n_hosts: there is none. */
unsigned
occupancy_find(const struct occupancy *o, unsigned from, unsigned cores, unsigned gpus);
/* The same, of hosts that have less free than host `than`: fewer GPUs, or as many and
 * fewer cores. */
unsigned occupancy_find_tighter(const struct occupancy *o,
                                unsigned from,
                                unsigned cores,
                                unsigned gpus,
                                unsigned than);

AUTO_TYPE(occupancy, occupancy_free)

#endif
