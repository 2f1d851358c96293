/* All ranks of one host at once: groups find a domain that holds all of them, straddling
 * slots come last. */
#ifndef SCHED_FILL_H
#define SCHED_FILL_H

#include "slot.h"

struct fill_request {
    struct slot_request slot;
    bool grouped;
    unsigned group; /* ranks a group, consecutive; 0: all of the job */
};

/* Places the n ranks ranks[0] < ranks[1] < ... of a job on `host`, which has room for
 * them (slot_room; asserted), claims them in *occ and fills seats[ranks[i]]. */
void fill_host(struct occupancy *occ,
               const struct restree *tree,
               unsigned host,
               const struct fill_request *req,
               const unsigned *ranks,
               unsigned n,
               struct place_seat *seats);

#endif
