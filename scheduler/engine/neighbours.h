/* Ranks that speak to each other beside each other: a job's `pattern`, or, where it names
 * none, the reduction trees of its groups. */
#ifndef ENGINE_NEIGHBOURS_H
#define ENGINE_NEIGHBOURS_H

#include "mapping.h"

/* Fills m->comm (NULL where nobody speaks). fixed: the user said who stands where
 * (Open MPI's words, a foreign binding), so it is told and nothing moves; else m->at's
 * seats change hands. -EINVAL: the pattern is not of so many ranks. */
int neighbours_settle(const struct jobspec *spec,
                      const struct restree *tree,
                      bool fixed,
                      struct mapping *m,
                      struct gm_error *err);

#endif
