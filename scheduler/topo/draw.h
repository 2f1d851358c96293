/* The machine and a plan on it as text for a terminal: a tree of packages, NUMA nodes and
 * caches, and below them runs of cores, each with the ranks that stand on it. Cores are
 * named by their CPU numbers, as in the plan, in taskset(1) and in the results. */
#ifndef TOPO_DRAW_H
#define TOPO_DRAW_H

#include "base/str.h"
#include "topo/restree.h"

struct draw_seat {
    unsigned host;
    const struct idset *pus;  /* of one rank; its index is the rank */
    const struct idset *gpus; /* NULL: none */
};

/* seats NULL: the machine alone. utf8: box characters, else ASCII. A large machine is
 * drawn with a line for each run of ranks that follow each other, many hosts with a line
 * each. */
void draw_tree(const struct restree *tree,
               const struct draw_seat *seats,
               unsigned n_seats,
               bool utf8,
               struct str *out);

#endif
