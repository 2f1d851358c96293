/* Who of a job's ranks speaks to whom, how much, and how far that is on a placement.
 *
 * Distance is of the tree: the cost of the smallest domain that holds both ranks (same
 * core, L3 cache, NUMA node, package, host; apart: another host). Hop-bytes, the sum over
 * pairs of weight x distance, is what TreeMatch (Jeannot, Mercier, Tessier, IEEE TPDS
 * 25(4), 2014) and Scotch's static mapping (Pellegrini, Roman, 1996) lower. */
#ifndef SCHED_COMM_H
#define SCHED_COMM_H

#include "place.h"
#include "spec/pattern.h"

struct comm_edge {
    uint32_t to;
    float weight; /* bytes, or any unit: only ratios count */
};

/* Undirected: an edge stands at both its ends. Compressed rows: edges of rank r are
 * edges[first[r] .. first[r + 1]), by rank. */
struct comm_graph {
    unsigned n;
    uint32_t *first;
    struct comm_edge *edges;
};

/* -EINVAL: the pattern does not fit so many ranks (stencil-2d 8 x 16 wants 128 of them).
 */
int comm_graph_make(const struct pattern *p,
                    unsigned n_ranks,
                    struct comm_graph **ret,
                    struct gm_error *err);
void comm_graph_free(struct comm_graph *g); /* takes NULL */

/* How far two seats are from each other; 0 for one and the same core. */
double comm_distance(const struct restree *tree,
                     const struct place_seat *a,
                     const struct place_seat *b);
double comm_hop_bytes(const struct restree *tree,
                      const struct placement *p,
                      const struct comm_graph *g);
/* Gives the placement's seats to ranks so that hop-bytes are low, never higher than they
 * were: recursive bisection over the tree, then refinement by swaps. Seats that are
 * unlike (cores, GPUs) are only changed among their own kind. Deterministic. */
void comm_assign(const struct restree *tree,
                 const struct comm_graph *g,
                 struct placement *p);

AUTO_TYPE(comm_graph, comm_graph_free)

#endif
