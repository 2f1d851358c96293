/* See fill.h. */
#include "fill.h"
#include "base/memory.h"

void fill_host(struct occupancy *occ,
               const struct restree *tree,
               unsigned host,
               const struct fill_request *req,
               const unsigned *ranks,
               unsigned n,
               struct place_seat *seats)
{
    unsigned n_nodes = restree_shape(tree, host)->n_nodes;
    AUTO_FREE(unsigned) placed = xcalloc(n_nodes, sizeof(*placed));
    for (unsigned i = 0; i < n; i++)
        slot_take(occ, tree, host, &req->slot, placed, &seats[ranks[i]]);
}
