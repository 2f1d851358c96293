/* The machine and a plan on it as text for a terminal: a tree of packages, NUMA nodes, L3
 * caches and cores, each core with the ranks that stand on it. */
#ifndef TOPO_DRAW_H
#define TOPO_DRAW_H

#include "base/str.h"
#include "topo/restree.h"

struct draw_seat {
    unsigned host;
    const struct idset *pus; /* of one rank; its index is the rank */
};

/* seats NULL: the machine alone. utf8: box characters, else ASCII. */
void draw_tree(const struct restree *tree, const struct draw_seat *seats, unsigned n_seats,
               bool utf8, struct str *out);

#endif
