/* Ranks that speak to each other beside each other: a job's `pattern`, or, where it names
 * none, the reduction trees of its groups. */
#ifndef ENGINE_NEIGHBOURS_H
#define ENGINE_NEIGHBOURS_H

#include "mapping.h"

/* The ranks of the largest group, whose tree is the deepest; 0: a group of all; 1: all
 * tasks are of one rank. */
unsigned neighbours_group(const struct jobspec *spec);
/* The fewest ranks that the job can be of: its pattern's, its largest group's. */
unsigned neighbours_least(const struct jobspec *spec);
/* Fills m->comm (NULL where nobody speaks). fixed: the user said who stands where
 * (Open MPI's words, a foreign binding), so it is told and nothing moves; else m->at's
 * seats change hands. -EINVAL: the pattern is not of so many ranks. */
int neighbours_settle(const struct jobspec *spec,
                      const struct restree *tree,
                      bool fixed,
                      struct mapping *m,
                      struct gm_error *err);

#endif
