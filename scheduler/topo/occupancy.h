/* Who holds what: per host a bitmap of free PUs and GPUs, free bytes per NUMA node, and free
 * cores summed up the tree. The shape (restree.h) stays as it is. */
#ifndef TOPO_OCCUPANCY_H
#define TOPO_OCCUPANCY_H

#include "topo/restree.h"

struct occupancy;

struct occupancy *occupancy_make(const struct restree *tree); /* all free; tree outlives it */
void occupancy_free(struct occupancy *o);

unsigned occupancy_free_cores(const struct occupancy *o, unsigned host, unsigned node);
bool occupancy_pu_free(const struct occupancy *o, unsigned host, unsigned os_index);
bool occupancy_gpu_free(const struct occupancy *o, unsigned host, unsigned os_index);
/* -EBUSY, nothing changed: one of them is held already. */
int occupancy_claim(struct occupancy *o, unsigned host, const struct idset *pus,
                    const struct idset *gpus, struct gm_error *err);
void occupancy_release(struct occupancy *o, unsigned host, const struct idset *pus,
                       const struct idset *gpus);

AUTO_TYPE(occupancy, occupancy_free)

#endif
