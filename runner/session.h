/* A job on these ranks, from the settled plan to the packed results. */
#ifndef RUNNER_SESSION_H
#define RUNNER_SESSION_H

#include "planning.h"
#include "pulse.h"
#include "tell.h"
#include <stdatomic.h>

struct session_request {
    const struct rank *rank;
    struct planning *planning;
    struct tell *tell;
    const volatile atomic_int *stop; /* enum pulse_stop, raised by a signal handler */
};

struct session_end {
    bool complete; /* every task done, failed or skipped; the results are packed */
    bool lost;     /* this rank cannot know how it ended: it is taken for lost, or rank 0
                      is */
    struct farm_counts counts; /* rank 0 */
};

struct session;

/* Every rank. The failure of the lowest failing rank is known to rank 0 alone; what was
 * committed stays. *ret_session, when it is set: the ranks have begun, and must leave by
 * session_leave. */
int session_run(const struct session_request *req,
                struct session **ret_session,
                struct session_end *ret,
                struct gm_error *err);

/* Every rank, last of all: rank 0's exit code to all; ENGINE_INCOMPLETE where rank 0 is
 * lost. True: all ranks are here, and MPI_Finalize will not wait for one that is lost.
 * False: nothing of MPI may be called any more. */
bool session_leave(struct session *s, int32_t *code);
/* After session_leave said true, as all ranks do: with calls that wait for all. */
void session_free(struct session *s);

#endif
