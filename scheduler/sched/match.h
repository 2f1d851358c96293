/* A canonical job's resources (spec/resource.h) on a machine: which slots stand where.
 *
 * Types are matched to the machine's levels: node (host), socket and package, numanode
 * and numa, l1cache .. l3cache, core, pu, gpu, memory (with unit); cluster and the like
 * above the hosts hold all of them. A slot below hosts never spans two; a slot above
 * (slot > node) takes whole hosts, and spans them when its node count is above 1.
 * Moldable counts take the largest that fits: the outermost first with the least of the
 * others, then the next in preorder. Counts are equal among siblings' copies. Pure:
 * nothing is claimed. */
#ifndef SCHED_MATCH_H
#define SCHED_MATCH_H

#include "base/str.h"
#include "spec/constraint.h"
#include "spec/resource.h"
#include "topo/occupancy.h"
#include "topo/restree.h"

/* One host's part of a slot. */
struct match_part {
    unsigned host;
    struct idset *pus, *gpus;
};

struct match_slot {
    const struct resource *vertex; /* which slot of the request */
    unsigned index;                /* among the copies of that vertex, from 0 */
    struct match_part *parts;      /* one, but for a slot above several nodes */
    unsigned n_parts;
};

struct match {
    struct match_slot *slots; /* by vertex in preorder, then by index */
    unsigned n_slots;
    /* All that the job holds, a part a host: the slots, and what is exclusive around them
     * without being any slot's. */
    struct match_part *held;
    unsigned n_held;
};

/* -ENOSPC: does not fit beside what is held; -EOVERFLOW: never on this machine (which
 * vertex, how many there are); -EINVAL: a type this machine has no word for. hosts may be
 * narrowed by a constraint (NULL: all). */
int match_make(const struct restree *tree,
               const struct occupancy *occ,
               const struct resource *resources,
               unsigned n,
               const struct constraint *allowed,
               struct match **ret,
               struct gm_error *err);
void match_free(struct match *m); /* takes NULL */

/* What a part of a slot has of a type ("core", "socket", "gpu" ...), each as far as it is
 * the slot's; a GPU comes with the slot's PUs that are nearest to it. *ret_n 0: none. */
void match_within(const struct restree *tree,
                  const struct match_part *part,
                  const char *type,
                  struct match_part **ret,
                  unsigned *ret_n);
void match_parts_free(struct match_part *parts, unsigned n);
/* The smallest domain that holds a part, as text: "package 1, NUMA 2". */
void match_where(const struct restree *tree,
                 const struct match_part *part,
                 struct str *out);

AUTO_TYPE(match, match_free)

#endif
