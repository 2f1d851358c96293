/* What earlier launches of the job committed, as the farm takes it. */
#ifndef RUNNER_PAST_H
#define RUNNER_PAST_H

#include "farm.h"
#include "spec/plan.h"

struct past;

/* On rank 0, before its writer is there (this calls HDF5). *ret is NULL for a job's first
 * launch, and where no earlier one came to a task. */
int past_load(const struct plan *plan,
              const struct jobspec *spec,
              struct past **ret,
              struct gm_error *err);
/* One a stage; NULL for NULL. */
const struct farm_past *past_stages(const struct past *p);
void past_free(struct past *p); /* takes NULL */

AUTO_TYPE(past, past_free)

#endif
