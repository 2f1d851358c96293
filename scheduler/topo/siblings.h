/* PUs of this host by the cores they belong to. */
#ifndef TOPO_SIBLINGS_H
#define TOPO_SIBLINGS_H

#include "base/idset.h"

/* One set a core, in the order of their first PUs; yours, each by idset_free and the list
 * by free. A PU that the kernel tells nothing of is a core of its own. Returns how many
 * (0 for an empty set). */
unsigned siblings_cores(const struct idset *pus, struct idset ***ret);

#endif
