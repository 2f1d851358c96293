/* Request -> ranks on cores (and GPUs). Pure: same tree, occupancy and request give the
 * same placement; nothing is claimed.
 *
 * pack    fills the machine in tree order: ranks close to each other.
 * spread  deals ranks round robin over the outermost level that has several free domains
 *         (hosts, packages, NUMA nodes, L3 caches), so that each has the most to itself.
 * auto    pack for one rank a core and for groups, spread when the ranks leave cores
 * free. A slot (a rank's cores) never straddles a domain it could fit in. */
#ifndef SCHED_PLACE_H
#define SCHED_PLACE_H

#include "topo/occupancy.h"
#include "topo/restree.h"

struct place_request {
    unsigned ranks;                 /* 0: as many as fit */
    unsigned nodes, ranks_per_node; /* 0: not said. nodes: exactly so many hosts, evenly;
                              ranks_per_node: at most; both: exactly */
    unsigned cores;                 /* whole cores a rank; 0: one */
    unsigned gpus;
    uint64_t memory;     /* bytes a rank; 0: not said. Checked against a host's memory */
    const char *mapping; /* "auto" | "pack" | "spread" */
    bool grouped;        /* ranks work together on a task: auto packs them */
    bool oversubscribe;  /* more ranks than cores: they share, unbound */
};

struct place_seat {
    unsigned host;
    struct idset *pus; /* all PUs of its cores; when oversubscribed all that are free */
    struct idset *gpus;
    char *reason; /* one line */
};

struct placement {
    struct place_seat *seats; /* one a rank */
    unsigned n_ranks;
    const char *mapping; /* "pack" or "spread": what auto became */
    bool oversubscribed; /* more ranks than cores, and allowed */
};

/* -ENOSPC: does not fit beside what is held; -EOVERFLOW: never on this machine (the
 * sentence says what is there and how to ask for less); -EINVAL: an unknown mapping, or
 * numbers that contradict each other. */
int place_map(const struct restree *tree,
              const struct occupancy *occ,
              const struct place_request *req,
              struct placement **ret,
              struct gm_error *err);
void placement_free(struct placement *p); /* takes NULL */

AUTO_TYPE(placement, placement_free)

#endif
