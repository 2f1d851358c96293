/* Whether the launcher's own reading of Open MPI's words differs from the plan. */
#ifndef ENGINE_DIFFERS_H
#define ENGINE_DIFFERS_H

#include "base/str.h"
#include "spec/jobspec.h"
#include "spec/plan.h"
#include "topo/restree.h"

/* Asks the mpirun that is installed what it would do with the job's words on the plan's
 * machine, and appends one line: where it would put ranks elsewhere, that it refuses the
 * words, or why it cannot be asked ("n/a"). Nothing where it agrees, and where the job is
 * not mapped by such words. Costs two short starts of mpirun. */
void differs_tell(const struct jobspec *spec,
                  const struct restree *tree,
                  const struct plan *plan,
                  struct str *out);

#endif
