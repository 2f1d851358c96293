/* See comm.h: distances, and a placement's hop-bytes. Invariant: what comm_assign lowers
 * is what is told here, for both ask the same tree. */
#include "comm.h"
#include "comm_tree.h"

double comm_distance(const struct restree *tree,
                     const struct place_seat *a,
                     const struct place_seat *b)
{
    struct place_seat both[2] = {*a, *b};
    AUTO(comm_tree) t = comm_tree_make(tree, both, 2, &comm_costs);
    return comm_tree_distance(t, t->domain[0], t->domain[1]);
}

double comm_hop_bytes(const struct restree *tree,
                      const struct placement *p,
                      const struct comm_graph *g)
{
    AUTO(comm_tree) t = comm_tree_make(tree, p->seats, p->n_ranks, &comm_costs);
    return comm_tree_hop_bytes(t, g, t->domain);
}
