/* The farm's messages, on a rank's pulse thread: what this rank has to say goes to rank 0
 * (on rank 0 to the farm itself), what the farm decides goes to the ranks, lots go to the
 * host's board, and after a loss the hosts say what they hold (docs/design/farm.md).
 *
 * No function waits. The pulse thread alone calls them. */
#ifndef RUNNER_DISPATCH_H
#define RUNNER_DISPATCH_H

#include "board.h"
#include "farm.h"
#include "pulse.h"
#include "watch.h"
#include <mpi.h>

struct dispatch;

struct dispatch_setup {
    MPI_Comm mpi;
    struct board *board;
    const unsigned *hosts;         /* [n_ranks]: the host of each rank; borrowed */
    const struct farm_setup *farm; /* rank 0; else NULL */
    void *ctx;
    /* A group's task or the stop is there for the compute thread; members are lent. */
    void (*deliver)(void *ctx, const struct farm_assign *a);
    void (*stop)(void *ctx, enum pulse_stop level); /* somebody asks all to stop */
    void (*word)(void *ctx, unsigned from, const struct watch_word *word);
    /* Rank 0: seal this lost rank's shard and say dispatch_sealed. */
    void (*seal)(void *ctx, unsigned rank);
};

struct dispatch *dispatch_make(const struct dispatch_setup *setup);
void dispatch_free(struct dispatch *d);               /* takes NULL */
struct farm *dispatch_farm(const struct dispatch *d); /* rank 0; else NULL */

/* What this rank's other threads say. */
void dispatch_idle(struct dispatch *d);
void dispatch_busy(struct dispatch *d);
void dispatch_low(struct dispatch *d);
/* Fills in who says so; then the board holds them no longer. */
void dispatch_report(struct dispatch *d, struct farm_report *reports, size_t n);
/* Asks all to stop (rank 0 tells them). */
void dispatch_stop(struct dispatch *d, enum pulse_stop level);
void dispatch_word(struct dispatch *d, unsigned to, const struct watch_word *word);

/* Takes what came, posts lots that wait, answers holds. True: something happened after
 * which more may come soon; ranks that compute report now and then, and wait for nothing.
 */
bool dispatch_step(struct dispatch *d);
/* Rank 0: hands out what can be handed out now. True: something was. */
bool dispatch_hand_out(struct dispatch *d);
/* Nothing that was said is still on its way out; sends to lost ranks do not count. */
bool dispatch_said_all(struct dispatch *d);

/* This rank is taken for lost (every rank): nothing is said to it any more, nothing it
 * says is heard. On rank 0 its host is held, and it is to be sealed. */
void dispatch_lost(struct dispatch *d, unsigned rank);
/* Rank 0: the lost rank's shard is sealed, and all that it had committed is reported
 * (farm_report). It is said to have been running this task (stage UINT32_MAX: none): that
 * is believed where nobody of its host is left to look at the board. */
void dispatch_sealed(struct dispatch *d, unsigned rank, uint32_t stage, uint64_t task);

#endif
