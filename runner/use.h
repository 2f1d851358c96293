/* What a rank used in this launch, beside what the worker measured: who it is, and, by
 * the first rank of each host, what the host can do. */
#ifndef RUNNER_USE_H
#define RUNNER_USE_H

#include "rank.h"
#include "result/record.h"
#include "spec/plan.h"

/* Known before the first task. */
void use_begin(const struct rank *r, const struct plan *plan, struct result_use *ret);
/* After the last: the host's ceilings, by the lowest rank of it (hosts[n_ranks] says
 * where each is), where a kernel of the job counts its work. `hurried`: the job is asked
 * to stop, and nothing is probed. */
void use_end(const struct rank *r,
             const struct plan *plan,
             const struct jobspec *spec,
             const unsigned *hosts,
             bool hurried,
             struct result_use *use);

#endif
