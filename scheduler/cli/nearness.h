/* A placement in plain counts, which need no weights to compare by. */
#ifndef CLI_NEARNESS_H
#define CLI_NEARNESS_H

#include "sched/place.h"

struct nearness {
    unsigned slots;       /* ranks */
    unsigned cpus;        /* all ranks' PUs; a shared one counts for each */
    unsigned over_numas;  /* of them, those on CPUs of several NUMA nodes */
    unsigned over_caches; /* ... of several level-3 caches */
    bool caches;          /* there are such */
    unsigned gpus;        /* given to ranks; a shared one counts for each */
    unsigned gpus_near;   /* below a domain that has CPUs of the rank */
};

void nearness_count(const struct restree *tree,
                    const struct placement *at,
                    struct nearness *ret);

#endif
