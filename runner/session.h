/* A job on these ranks, from the settled plan to the packed results. */
#ifndef RUNNER_SESSION_H
#define RUNNER_SESSION_H

#include "planning.h"
#include "tell.h"
#include <stdatomic.h>

struct session_request {
    const struct rank *rank;
    struct planning *planning;
    struct tell *tell;
    const volatile atomic_int *stop_signal; /* set by a signal handler; 0: none */
};

struct session_end {
    bool complete; /* every task done, failed or skipped; the results are packed */
    struct farm_counts counts; /* rank 0 */
};

/* Collective. A failure's sentence is the same on all ranks; what was committed stays. */
int session_run(const struct session_request *req,
                struct session_end *ret,
                struct gm_error *err);

#endif
