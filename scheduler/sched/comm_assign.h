/* What comm_assign does, for any costs and with a word on what came of it: for bench and
 * tests. */
#ifndef SCHED_COMM_ASSIGN_H
#define SCHED_COMM_ASSIGN_H

#include "comm_tree.h"

struct comm_gain {
    double before, after; /* hop-bytes */
};

struct comm_gain comm_assign_by(const struct restree *tree,
                                const struct comm_graph *g,
                                const struct comm_costs *costs,
                                struct placement *p);

#endif
