/* Why a request has no room, and what would have. */
#ifndef SCHED_REFUSE_H
#define SCHED_REFUSE_H

#include "place.h"

/* For a request that does not fit beside what is held. -ENOSPC: it would on the empty
 * machine; -EOVERFLOW: not there either. */
int refuse(const struct restree *tree,
           const struct occupancy *occ,
           const struct place_request *req,
           struct gm_error *err);

#endif
