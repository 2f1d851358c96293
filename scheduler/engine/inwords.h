/* A placement in Open MPI's own words, where they say exactly the same. */
#ifndef ENGINE_INWORDS_H
#define ENGINE_INWORDS_H

#include "base/str.h"
#include "sched/place.h"
#include "spec/jobspec.h"

/* Appends "--map-by package:PE=2" where these words put every rank of the job on the CPUs
 * that it has in `at` (as PRRTE 5 reads them); nothing where none
 * of the words that are tried do, for seated jobs, and for more ranks than are worth it.
 */
void inwords_find(const struct jobspec *spec,
                  const struct restree *tree,
                  const struct placement *at,
                  struct str *out);

#endif
