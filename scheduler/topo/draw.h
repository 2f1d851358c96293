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
 * each run of hosts that are filled alike. */
void draw_tree(const struct restree *tree,
               const struct draw_seat *seats,
               unsigned n_seats,
               bool utf8,
               struct str *out);

/* Of enum topo_memory: "DRAM", "HBM", "GPU memory", "far memory". */
const char *draw_memory_name(uint32_t trait);
/* How GPUs are linked: "0-1 50.0 GB/s, 2-3 50.0 GB/s"; "all 300.0 GB/s". Nothing where
 * the machine tells nothing. */
void draw_links(const struct topo_shape *shape, struct str *out);

#endif
