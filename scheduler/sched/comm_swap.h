/* Ranks that stand somewhere are made to stand better by swapping two at a time: first
 * downhill, then by tabu search (Taillard, Robust taboo search for the quadratic
 * assignment problem, Parallel Computing 17, 1991), which goes on through the least bad
 * swap and does not undo it for a while. */
#ifndef SCHED_COMM_SWAP_H
#define SCHED_COMM_SWAP_H

#include "comm_tree.h"

/* Seats that may stand for each other: of one domain and alike in cores and GPUs. */
struct comm_class {
    uint32_t domain, kind;
};

struct comm_swap {
    const struct comm_tree *tree;
    const struct comm_graph *graph;
    const struct comm_class *classes;
    unsigned n_classes;
    double *distance; /* [n_classes * n_classes], or NULL: too many */
    double least;     /* a gain below it is rounding */
};

/* at[r]: the class of rank r's seat. Swaps while that lowers hop-bytes, looking where a
 * rank's neighbours are. */
void comm_swap_down(const struct comm_swap *s, uint32_t *at);
/* The best that so many swaps come by. */
void comm_swap_tabu(const struct comm_swap *s,
                    unsigned n_swaps,
                    uint64_t seed,
                    uint32_t *at);

#endif
