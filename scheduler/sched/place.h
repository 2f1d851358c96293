/* Request -> ranks on cores (and GPUs). Pure: same tree, occupancy and request give the
 * same placement; nothing is claimed.
 *
 * pack    fills the machine in tree order: ranks close to each other.
 * spread  deals ranks round robin over the outermost level that has several free domains
 *         (hosts, packages, NUMA nodes, L3 caches), so that each has the most to itself.
 * numa    deals ranks over the NUMA nodes that have cores, each inside one; without ranks
 *         and cores: a rank a NUMA node, with all its cores.
 * gpu-near  the GPUs first (one, if not said), then cores of their NUMA node; without
 * ranks: a rank a GPU. auto    what the traits and groups make best:
 * docs/design/placement.md.
 *
 * A slot (a rank's cores) never straddles a domain it could fit in. */
#ifndef SCHED_PLACE_H
#define SCHED_PLACE_H

#include "topo/occupancy.h"
#include "topo/restree.h"

struct place_request {
    unsigned ranks;                 /* 0: as many as fit */
    unsigned least_ranks;           /* fewer are no such job (a pattern's, a group's):
                                       for the remedies of a refusal */
    unsigned nodes, ranks_per_node; /* 0: not said. nodes: exactly so many hosts, evenly;
                              ranks_per_node: at most; both: exactly */
    unsigned cores;                 /* whole cores a rank; 0: not said (one, unless the
                                       mapping or `threads` says otherwise) */
    unsigned
        threads; /* PUs a rank, which may share a core with another's; 0: whole cores */
    unsigned gpus;
    uint64_t memory;     /* bytes a rank; 0: not said */
    const char *mapping; /* "auto" | "pack" | "spread" | "numa" | "gpu-near" */
    bool grouped;        /* ranks work together on a task: auto packs them */
    unsigned group;      /* grouped: ranks a task, consecutive; 0: all of them */
    uint32_t traits;     /* GM_BOUND_* of what the ranks run; 0: nobody knows */
    bool oversubscribe;  /* more ranks than cores: they share, unbound */
    /* Only these, by their places in the tree; NULL: all. */
    const struct idset *hosts;
};

struct place_seat {
    unsigned host;
    struct idset *pus; /* all PUs of its cores; when oversubscribed all that are free */
    struct idset *gpus;
    struct idset *mems; /* NUMA nodes (OS numbers) that its memory comes from first; NULL
                           or empty: the machine tells none */
    char *reason;       /* one line */
};

struct placement {
    struct place_seat *seats; /* one a rank */
    unsigned n_ranks;
    const char *mapping; /* what auto became: "pack", "spread" ...; static, or the
                            request's own word */
    bool oversubscribed; /* more ranks than cores, and allowed */
    bool shared;  /* some PUs are of several ranks, as was asked for (bind-to numa) */
    bool unbound; /* by wish: nobody binds (bind-to none) */
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
