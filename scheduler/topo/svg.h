/* The machine and a plan on it as an SVG drawing, like lstopo's: nested boxes for hosts,
 * packages, NUMA nodes, caches and cores, GPUs beside their NUMA node, ranks as colours
 * with their numbers. One file, no script, no font of its own; hosts that are alike and
 * empty are drawn once with their number. */
#ifndef TOPO_SVG_H
#define TOPO_SVG_H

#include "draw.h"

void svg_tree(const struct restree *tree,
              const struct draw_seat *seats,
              unsigned n_seats,
              const char *title,
              struct str *out);

#endif
