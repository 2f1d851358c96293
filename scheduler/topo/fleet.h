/* The machine put together from what its hosts say of themselves, a few bytes each: the
 * name, the digest of the topology, the PUs that may be used. Hosts that say the same
 * share one shape, which is read once: n hosts of k kinds cost O(n + k XMLs). */
#ifndef TOPO_FLEET_H
#define TOPO_FLEET_H

#include "topo/restree.h"

struct fleet;

struct fleet *fleet_make(size_t n_hosts); /* with room for so many */
void fleet_free(struct fleet *f);         /* takes NULL */

/* Adds a host. cpus: the PUs that may be used there, as text ("0-3"); NULL: all. xml: of
 * this digest; looked at for the first host that says both. */
int fleet_add(struct fleet *f,
              const char *name,
              const char *digest,
              const char *cpus,
              const char *xml,
              struct gm_error *err);
/* The tree, its hosts in the order they were added; NULL: there is none. */
struct restree *fleet_take(struct fleet *f);
/* How often an XML was read: for tests. */
unsigned fleet_loads(const struct fleet *f);

AUTO_TYPE(fleet, fleet_free)

#endif
