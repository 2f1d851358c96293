/* A machine from what a user names it by: an hwloc XML file (2.x; 1.x as hwloc imports
 * it), a cluster file, or a synthetic text. */
#ifndef TOPO_MACHINE_H
#define TOPO_MACHINE_H

#include "topo/restree.h"

/* text: a file's path (.xml: one host, called by the file's name without suffix; .yaml or
 * .yml: cluster_load), "-" never; anything else is a synthetic text
 * (restree_load_synthetic). -ENOENT, -EINVAL with the sentence: the file, what is wrong,
 * and for XML of hwloc 3 which hwloc reads it. */
int machine_load(const char *text, struct restree **ret, struct gm_error *err);

#endif
