/* What a command finds around it: its environment. */
#ifndef RUNNER_SURROUNDINGS_H
#define RUNNER_SURROUNDINGS_H

#include "base/auto.h"
#include "spec/plan.h"
#include "spec/tasks.h"

struct surroundings; /* what the commands of one stage share, on this rank */

struct surroundings_of {
    const struct jobspec *spec;
    const struct plan *plan;
    unsigned rank, stage;
    unsigned threads; /* that a command may use */
};

/* Ours without the launcher's own variables (a command may start MPI itself) and, where
 * the stage says `inherit`, without all that it does not name; then what tells a task who
 * it is; without what the stage unsets. */
struct surroundings *surroundings_make(const struct surroundings_of *of);
void surroundings_free(struct surroundings *s); /* takes NULL */

struct surroundings_task {
    uint64_t task;
    unsigned attempt;
    const char *tmpdir;     /* its private folder */
    const char *const *own; /* the stage's words for this task; they replace others */
};

/* Ends with NULL; in `arena`, valid as long as *s. */
const char *const *surroundings_env(const struct surroundings *s,
                                    const struct surroundings_task *task,
                                    struct arena *arena);

AUTO_TYPE(surroundings, surroundings_free)

#endif
