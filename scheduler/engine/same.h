/* Whether two jobs are one: what a later launch may change, and what it may not. */
#ifndef ENGINE_SAME_H
#define ENGINE_SAME_H

#include "spec/jobspec.h"

/* 0: the tasks and what they compute are the same. -EINVAL: the sentence names the first
 * key that is not and that a resume may not change (ranks, mapping, per-rank, time and
 * results it may). Both specs were loaded by this build. */
int same_job(const struct jobspec *before,
             const struct jobspec *now,
             struct gm_error *err);
/* The same of the inputs: their contents, not where they lie or when they were written.
 */
int same_sources(const struct jobspec_source *before,
                 unsigned n_before,
                 const struct jobspec_source *now,
                 unsigned n_now,
                 struct gm_error *err);

#endif
