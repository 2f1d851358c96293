/* What a rank got at its start and while it works, beside what the plan gave it. Nothing
 * here mends a binding that is wrong: it is told, with rank, planned and seen, and by the
 * plan's `verify` the job is refused (strict) or goes on (warn). */
#ifndef RUNNER_VERIFY_H
#define RUNNER_VERIFY_H

#include "base/str.h"
#include "rank.h"
#include "spec/plan.h"
#include "writer.h"

/* Collective, before anything else is spoken of: all ranks are of rank 0's build. */
int verify_build(const struct rank *r, struct gm_error *err);

/* Collective, before anything is computed: host, CPUs, memory, GPUs and threads of each
 * rank; the runner binds those that the plan left to it. *found: what is not as planned
 * here, for the results. -EINVAL under strict: err counts the ranks and has the first
 * one's sentence; rank 0 has printed some. */
int verify_start(const struct rank *r,
                 const struct plan *plan,
                 const struct jobspec *spec,
                 const struct idset *planned,
                 struct str *found,
                 struct gm_error *err);

/* The CPUs that the kernel showed while this rank worked: false, and a sentence more in
 * *found, where they are neither the planned ones nor those that were told at the start.
 */
bool verify_working(const struct rank *r,
                    const struct plan *plan,
                    const struct idset *planned,
                    const struct idset *seen,
                    struct str *found);

/* The rank's row in the results; the last call counts. seen: "" until it has worked. */
void verify_record(const struct rank *r,
                   const struct idset *planned,
                   const char *seen,
                   const struct str *found,
                   const char *device,
                   struct writer *w);

#endif
