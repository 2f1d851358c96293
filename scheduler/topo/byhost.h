/* Seats sorted by the host that they stand on: drawing a host looks at its own ranks
 * alone. */
#ifndef TOPO_BYHOST_H
#define TOPO_BYHOST_H

#include "draw.h"

struct byhost {
    unsigned *first; /* [n_hosts + 1]: host h has ranks[first[h] .. first[h + 1]) */
    unsigned *ranks; /* ascending on each host */
};

void byhost_make(const struct restree *tree,
                 const struct draw_seat *seats,
                 unsigned n_seats,
                 struct byhost *ret);
void byhost_free(struct byhost *b); /* what is inside */

static inline unsigned byhost_count(const struct byhost *b, unsigned host)
{
    return b->first[host + 1] - b->first[host];
}

#endif
