/* Who holds what: per host a bitmap of free PUs and GPUs, and free cores and GPUs summed
 * up the tree. The shape (restree.h) stays as it is. A core is free while all its PUs
 * are.
 *
 * Claims and releases cost the depth of the tree for each PU and GPU; questions cost
 * nothing. */
#ifndef TOPO_OCCUPANCY_H
#define TOPO_OCCUPANCY_H

#include "topo/restree.h"

struct occupancy;

struct occupancy *
occupancy_make(const struct restree *tree); /* all free; tree outlives it */
struct occupancy *occupancy_dup(const struct occupancy *o);
void occupancy_free(struct occupancy *o); /* takes NULL */

/* Below and including a node of the host's shape. */
unsigned occupancy_free_cores(const struct occupancy *o, unsigned host, unsigned node);
unsigned occupancy_free_gpus(const struct occupancy *o, unsigned host, unsigned node);
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

AUTO_TYPE(occupancy, occupancy_free)

#endif
