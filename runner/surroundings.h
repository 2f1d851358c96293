/* What a command finds around it: its environment. */
#ifndef RUNNER_SURROUNDINGS_H
#define RUNNER_SURROUNDINGS_H

#include "attempt.h"
#include "spec/plan.h"
#include "spec/tasks.h"

/* Ours without the launcher's own variables (a command may start MPI itself), then what
 * tells a task who it is, then the stage's own words: a later one of a name replaces an
 * earlier, and what the stage unsets is not there. Ends with NULL; in `arena`. */
const char *const *surroundings_env(const struct attempt *a,
                                    const struct tasks_command *command,
                                    struct arena *arena);

#endif
