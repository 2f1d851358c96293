/* See load.h: how a stage's tasks run. Invariant: every stage, of either form, begins
 * with the defaults of running_defaults. */
#include "load.h"

void running_defaults(struct jobspec_stage *s)
{
    const uint64_t none = UINT64_MAX;
    s->group = 1;
    s->crash_limit = JOBSPEC_CRASH_LIMIT;
    s->most_output = JOBSPEC_MOST_OUTPUT;
    s->limits = (struct jobspec_limits){.memory = none,
                                        .file_size = none,
                                        .files = none,
                                        .processes = none,
                                        .core = 0,
                                        .cpu = -1};
}
