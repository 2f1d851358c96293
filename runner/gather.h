/* The machine as the ranks of a foreign launcher see it together: each rank's host and
 * inherited cpuset, a topology digest a host, one XML a distinct digest. n ranks on h
 * hosts of k kinds: three gathers to rank 0 and two bytes back for each, h topologies
 * read (each on its own host), k XMLs sent; time and memory O(n + k XMLs) on rank 0, O(1)
 * on the others (roles.h counts who sends). */
#ifndef RUNNER_GATHER_H
#define RUNNER_GATHER_H

#include "rank.h"
#include "spec/plan.h"

struct gather;

/* Collective. *ret is NULL on all ranks but 0. */
int gather_make(const struct rank *r, struct gather **ret, struct gm_error *err);
/* Rank 0: the plan made from the inherited sets. Ranks that were bound apart keep what
 * they have; ranks that are all unbound get cores of their own host (binder: the runner),
 * or share them where there are too few or where `mapping` is a launcher's to obey
 * (map-by words, inherited). */
int gather_plan(const struct gather *g,
                const struct jobspec *spec,
                unsigned n_ranks,
                struct plan **ret,
                struct gm_error *err);
void gather_free(struct gather *g); /* takes NULL */

#endif
