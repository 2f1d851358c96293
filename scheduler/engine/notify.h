/* The job's `notify` commands, run when it is over. */
#ifndef ENGINE_NOTIFY_H
#define ENGINE_NOTIFY_H

#include "engine.h"

/* Runs them one after another; each has GRIDMILL_JOB, GRIDMILL_OUTCOME (done, failed,
 * incomplete) and GRIDMILL_RESULTS in its environment, its output goes to standard error,
 * and after 60 s (or a request to stop) it is killed. What fails is told to `warn` as one
 * sentence and changes nothing. */
void notify_run(const struct jobspec *spec,
                enum engine_exit code,
                void (*warn)(void *ctx, const char *text),
                void *ctx);

#endif
