/* The seats of a placement as leaves of the machine's tree: what distances are made of.
 *
 * A domain is a node of the machine that is the smallest around two or more seats. A seat
 * hangs at the smallest domain that it shares with another, so seats of one domain are
 * all equally far from each other and from anything else: who of them has which makes no
 * difference.
 *
 * Costs grow on the way up, whatever the order in which a machine nests its levels (a
 * NUMA node around packages costs more than a package), so that distances are those of
 * an ultrametric: no way round is shorter. */
#ifndef SCHED_COMM_TREE_H
#define SCHED_COMM_TREE_H

#include "comm.h"

/* The distance of two ranks whose smallest common domain is of this kind. */
struct comm_costs {
    double core;    /* threads of one core, or one and the same core */
    double l2;      /* a cache of level 1 or 2 */
    double l3;      /* of level 3 and above */
    double numa;    /* a NUMA node's memory */
    double package; /* the way between NUMA nodes of one package */
    double host;    /* between packages */
    double network; /* between hosts */
};

/* docs/design/communication.md tells where the numbers come from. */
extern const struct comm_costs comm_costs;

struct comm_domain {
    uint32_t parent, depth; /* the root's parent is itself, its depth 0 */
    uint32_t first, end;    /* its seats: order[first .. end) */
    double cost;
};

struct comm_tree {
    unsigned n_seats, n_domains;
    uint32_t *domain;            /* [n_seats] */
    uint32_t *order;             /* [n_seats]: seats, each domain's side by side */
    struct comm_domain *domains; /* in preorder; [0] holds all */
};

struct comm_tree *comm_tree_make(const struct restree *tree,
                                 const struct place_seat *seats,
                                 unsigned n_seats,
                                 const struct comm_costs *costs);
void comm_tree_free(struct comm_tree *t); /* takes NULL */
/* Of two seats that hang at these domains. */
double comm_tree_distance(const struct comm_tree *t, uint32_t a, uint32_t b);
/* Rank r sits at the domain at[r]. */
double comm_tree_hop_bytes(const struct comm_tree *t,
                           const struct comm_graph *g,
                           const uint32_t *at);

AUTO_TYPE(comm_tree, comm_tree_free)

#endif
