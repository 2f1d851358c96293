/* Ranks -> domains by dual recursive bisection (Pellegrini, Static mapping by dual
 * recursive bipartitioning of process and architecture graphs, SHPCC 1994): the parts of
 * a domain are cut in two halves, the ranks in two sets of just as many with few bytes
 * between them, and so on with each half. */
#ifndef SCHED_COMM_BISECT_H
#define SCHED_COMM_BISECT_H

#include "comm_tree.h"

/* Fills at[r] with the domain of rank r's seat: as many ranks a domain as seats hang
 * there. starts: cuts tried a bisection, the best of them is kept; seed: other starts. */
void comm_bisect(const struct comm_tree *t,
                 const struct comm_graph *g,
                 unsigned starts,
                 uint64_t seed,
                 uint32_t *at);

#endif
