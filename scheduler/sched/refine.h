/* The last step of `auto`: other slots for its ranks where the score (score.h) says that
 * they are better. Host by host; which host has how many ranks stays. */
#ifndef SCHED_REFINE_H
#define SCHED_REFINE_H

#include "place.h"

/* Never makes the score worse. Exact (branch and bound) where the search ends within its
 * bounds: docs/design/placement.md. Pure but for *p. */
void refine_placement(const struct restree *tree,
                      const struct occupancy *occ,
                      const struct place_request *req,
                      struct placement *p);

#endif
