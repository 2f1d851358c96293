/* hwloc's synthetic description with our two words: "host:N" in front, "gpu:N" behind the
 * level whose objects have N GPUs each. */
#ifndef TOPO_SYNTHETIC_H
#define TOPO_SYNTHETIC_H

#include "base/str.h"
#include <hwloc.h>

struct synthetic {
    unsigned hosts;             /* 1 without the word */
    struct str text;            /* what is left for hwloc */
    hwloc_obj_type_t gpu_level; /* HWLOC_OBJ_MACHINE: per host */
    unsigned gpus;              /* per object of that level; 0: none */
};

/* -EINVAL: "'TEXT': character 12: ..." On failure nothing is to be freed. */
int synthetic_parse(const char *text, struct synthetic *ret, struct gm_error *err);

/* Puts the GPUs into the loaded topology. */
int synthetic_add_gpus(hwloc_topology_t topology,
                       const struct synthetic *s,
                       struct gm_error *err);

#endif
