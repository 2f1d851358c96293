/* The pulse thread of a rank: all farm traffic goes through it, so that neither a long
 * BLAS call nor a slow file system looks like a death. On rank 0 it also runs the farm.
 * Asleep between messages: it polls often just after traffic and seldom otherwise.
 *
 * The compute thread asks for work (pulse_next), the writer thread tells what was
 * committed (pulse_report); both only touch a mutex. */
#ifndef RUNNER_PULSE_H
#define RUNNER_PULSE_H

#include "farm.h"
#include <mpi.h>

struct pulse;

/* Called on rank 0's pulse thread. */
struct pulse_hooks {
    void *ctx;
    void (*skip)(void *ctx, const struct farm_skip *s);
    void (*stage_over)(void *ctx, unsigned stage);
    void (*progress)(void *ctx, const struct farm_counts *c);
    bool (*must_stop)(
        void *ctx); /* asked at every beat, on all ranks: a signal, the walltime */
};

/* `mpi`: a communicator of all ranks for the farm alone (MPI_THREAD_MULTIPLE). */
int pulse_start(const struct jobspec *spec,
                MPI_Comm mpi,
                const struct pulse_hooks *hooks,
                struct pulse **ret,
                struct gm_error *err);

/* Blocks until there is work (or stop). members are copied into memory that lives until
 * the next call. */
void pulse_next(struct pulse *p, struct farm_assign *ret);
void pulse_report(struct pulse *p, const struct farm_report *r);
/* The job is asked to stop: by a signal here, or by rank 0. Cheap; any thread. */
bool pulse_stopping(void *pulse);
/* This rank can go on no more (its writer failed): stops the job. */
void pulse_give_up(struct pulse *p);

/* After pulse_next said stop and all is reported: ends the thread. complete: every task
 * is done, failed or skipped (rank 0 knows; false elsewhere). Frees. */
void pulse_finish(struct pulse *p, struct farm_counts *ret_counts, bool *ret_complete);
/* Ends the thread of a rank that never asked for work, since another could not start. */
void pulse_drop(struct pulse *p);

#endif
