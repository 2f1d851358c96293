/* The pulse thread of a rank: all farm traffic goes through it, so that neither a long
 * BLAS call nor a slow file system looks like a death. On rank 0 it also runs the farm.
 * Asleep between messages: it polls often just after traffic and seldom otherwise.
 *
 * The compute thread asks for a group's work (pulse_look, pulse_wait) when the board has
 * none for it, the writer thread tells what was committed (pulse_report); they only touch
 * a mutex. */
#ifndef RUNNER_PULSE_H
#define RUNNER_PULSE_H

#include "board.h"
#include "farm.h"
#include "result/losses.h"
#include "watch.h"
#include <mpi.h>

struct pulse;

/* How a job is asked to stop. */
enum pulse_stop {
    PULSE_GO,    /* it is not */
    PULSE_DRAIN, /* nothing is begun; kernels end at their next step, commands may end by
                    themselves in the jobspec's `grace` */
    PULSE_END    /* commands, too, are told to end at once */
};

/* Called on the pulse thread; all but must_stop and news on rank 0's alone. */
struct pulse_hooks {
    void *ctx;
    void (*verdict)(void *ctx, const struct farm_verdict *v);
    void (*stage_over)(void *ctx, unsigned stage);
    void (*progress)(void *ctx, const struct farm_counts *c);
    /* Seal this lost rank's shard, report what it had committed (pulse_report), then
     * pulse_sealed. Does not wait. */
    void (*seal)(void *ctx, unsigned rank);
    /* Of the watch, before the farm has it. */
    void (*news)(void *ctx, const struct watch *watch, const struct watch_news *news);
    /* Asked at every beat, on all ranks: a signal, the walltime. */
    enum pulse_stop (*must_stop)(void *ctx);
};

struct pulse_setup {
    const struct jobspec *spec;
    MPI_Comm mpi; /* of all ranks, for the farm alone (MPI_THREAD_MULTIPLE) */
    struct board *board;
    const struct farm_seat *seats; /* [n_ranks] */
    unsigned n_hosts;
    const struct farm_past *past;       /* rank 0; NULL: a fresh job */
    const struct losses_crash *crashes; /* rank 0: of earlier launches */
    size_t n_crashes;
    double deadline; /* monotonic s when ranks drain; 0: none */
    struct pulse_hooks hooks;
};

int pulse_start(const struct pulse_setup *setup,
                struct pulse **ret,
                struct gm_error *err);

/* 1 and a group's task or the stop, if one came; 0: go on with the board. members are
 * copied into memory that lives until the next call. */
int pulse_look(struct pulse *p, struct farm_assign *ret);
/* The board had nothing for this rank: says so and waits. 1 as above; 0: the board is
 * another than at `version` (board_version before it was asked). */
int pulse_wait(struct pulse *p, uint64_t version, struct farm_assign *ret);
/* The board had something. */
void pulse_busy(struct pulse *p);
void pulse_report(struct pulse *p, const struct farm_report *r);
/* Rank 0, after all that the lost rank had committed was reported; `crash`: what it left
 * written about its end, or NULL. Any thread. */
void pulse_sealed(struct pulse *p, unsigned rank, const struct losses_crash *crash);
/* By the measured times of this host a task of the stage would not end before the ranks
 * drain, and nobody could go on from where it was. Any thread. */
bool pulse_late(const struct pulse *p, unsigned stage);
/* The job is asked to stop: by a signal here, or by rank 0. Cheap; any thread. */
bool pulse_stopping(void *pulse);
/* Commands that still run are to be ended now; as pulse_stopping. */
bool pulse_pressing(void *pulse);
/* This rank can go on no more (its writer failed): ends the job. */
void pulse_give_up(struct pulse *p);
/* Who is lost; any thread. */
const struct watch *pulse_watch(const struct pulse *p);

/* The same as comm_hooks want it. */
bool pulse_lost(void *pulse, unsigned rank);
unsigned pulse_n_lost(void *pulse);

/* After pulse_look or pulse_wait said stop and all is reported: what the farm came to.
 * complete: every task is done, failed or skipped (rank 0 knows; false elsewhere). The
 * thread goes on watching. */
void pulse_over(struct pulse *p, struct farm_counts *ret_counts, bool *ret_complete);
/* Ends the thread. Frees. */
void pulse_finish(struct pulse *p);
/* Ends the thread of a rank that never asked for work, since another could not start. */
void pulse_drop(struct pulse *p);

#endif
