/* A cluster file: hosts, their topology, their properties.
 *
 *   hosts:
 *     - {name: "gpu[001-128]", topology: "pack:2 numa:4 core:16 gpu:2",
 *        properties: [gpu]}
 *     - {name: login1, topology: login1.xml, slots: 4}
 *
 * name: a hostlist (RFC 29); topology: an hwloc XML file (its path counts from the
 * cluster file's folder) or a synthetic text for one host; properties: names (RFC 31);
 * slots: at most so many ranks a host. A topology is read once however many hosts have
 * it. */
#ifndef TOPO_CLUSTER_H
#define TOPO_CLUSTER_H

#include "topo/restree.h"

/* -EINVAL: "FILE:LINE:COL: hosts[1].topology: ..." */
int cluster_load(const char *file, struct restree **ret, struct gm_error *err);

#endif
