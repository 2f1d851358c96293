/* gm_comm over non-blocking point-to-point messages (architecture decision 1): no MPI
 * collective, no MPI communicator a group; each wait polls whether the group was given
 * up, or a member lost. */
#ifndef RUNNER_COMM_H
#define RUNNER_COMM_H

#include "base/auto.h"
#include "gridmill/kernel.h"
#include <mpi.h>
#include <stdbool.h>

struct comm;

/* Asked in each wait. */
struct comm_hooks {
    void *ctx;
    bool (*stop)(void *ctx); /* true ends it with -ECANCELED */
    /* A world rank is lost; of a member it ends each wait with -EOWNERDEAD. NULL, and
     * NULL: never. n_lost: how many of all ranks. */
    bool (*lost)(void *ctx, unsigned rank);
    unsigned (*n_lost)(void *ctx);
};

/* `mpi`: a communicator of all ranks for groups' messages alone. One comm serves a rank's
 * groups one after the other. */
struct comm *comm_make(MPI_Comm mpi, const struct comm_hooks *hooks);
void comm_free(struct comm *c); /* takes NULL */

/* Joins the group of these world ranks (this rank is one of them) for one attempt at a
 * task; epoch: a number that no other group in flight has. Each attempt ends with
 * comm_settle and comm_decide on every member before any of them joins the next: a
 * member still inside the last one would take the next one's failure for an old one. */
void comm_join(struct comm *c,
               const uint32_t *members,
               unsigned n,
               uint32_t epoch,
               unsigned attempt);
/* The face that a kernel sees; valid until the next comm_join. */
/* s that this rank has waited for others of its groups, since comm_make; waits of less
 * than some microseconds apart. */
double comm_waited(const struct comm *c);
const struct gm_comm *comm_face(const struct comm *c);

/* Until the next comm_join or call, a stop that is asked for is not heard before it is so
 * many seconds old (0: at once): the members agree by themselves when they stop. */
void comm_shield(struct comm *c, double seconds);
/* They have agreed to: it is heard from now on. */
void comm_stop(struct comm *c);

/* This rank failed (code < 0): the others' waits end with -ECANCELED. */
void comm_abandon(struct comm *c);
/* Ends a task: every living member gives its code and sentence, the leader gets the first
 * failure (by group rank; an abandoned wait is no cause). -ECANCELED without a stop and
 * without a rank that failed is itself a failure. -EOWNERDEAD: a member was lost, and the
 * attempt comes to nothing. */
int comm_settle(struct comm *c, int code, struct gm_error *err);
/* The leader's decision (0 or more), on all members; -EOWNERDEAD: the leader was lost. */
int comm_decide(struct comm *c, int decision);

AUTO_TYPE(comm, comm_free)

#endif
