/* The compute thread of a rank: asks the farm for tasks, runs them (kernels step by step,
 * commands as processes), hands what they made to the writer. */
#ifndef RUNNER_WORKER_H
#define RUNNER_WORKER_H

#include "attempt.h"
#include "comm.h"
#include "pulse.h"
#include "rank.h"
#include "source.h"
#include "spec/plan.h"
#include "writer.h"

struct board;
struct chunk;
struct crew;
struct saving;

struct worker_setup {
    const struct jobspec *spec;
    const struct plan *plan;
    unsigned rank;
    struct pulse *pulse;
    struct board *board; /* this host's */
    void *own;           /* of the host's window, for rows; own_bytes of it */
    size_t own_bytes;
    struct writer *writer;
    struct comm *comm;
    struct gm_seat seat;
    const struct rank *who;
    const struct idset *planned;
    struct str *found;  /* what is not as planned; more may come */
    const char *device; /* what this rank computes with */
};

struct worker {
    const struct worker_setup *setup;
    struct source *source;
    struct crew *crew;   /* runs commands */
    struct chunk *chunk; /* runs kernels */
    struct saving *saving;
    struct attempt_stage *stages;
    struct idset *seen;      /* NULL until the first task was looked at */
    struct gm_error binding; /* code < 0: seen is not what was planned */
    double waited;           /* s for a task */
    bool looked_at_child;
};

/* "Seen" is read from the kernel: every thread of this process while its first task runs,
 * and the first child command (its affinity is `child`). ctx: a struct worker. */
void worker_look(void *ctx, const struct idset *child);

enum worker_decision {
    WORKER_NEXT,
    WORKER_AGAIN,
    WORKER_LATER,    /* committed as tried, to be tried again by a later launch */
    WORKER_GIVE_BACK /* not committed */
};

/* Is an attempt that ended so tried again? */
bool worker_may_retry(const struct jobspec_stage *stage,
                      uint32_t reason,
                      unsigned attempt);
/* Commits an attempt as it ended (rc 0: done; else err says why); takes the parcel. */
void worker_commit(struct worker *w,
                   const struct attempt *a,
                   const struct attempt_end *end,
                   int rc,
                   bool again,
                   struct parcel *parcel,
                   const struct gm_error *err);
/* True: tasks of this claim would not end in time; it is given back, and the farm hands
 * out no more of them. */
bool worker_too_late(struct worker *w, const struct board_claim *claim);
/* Tasks that were not committed; attempts, of one task: those that were. */
void worker_give_back(
    struct worker *w, unsigned stage, uint64_t first, uint64_t count, unsigned attempts);
/* One task on its group, by every member: all its attempts after the first *attempts,
 * which then says how many were committed. False: the task was not (give it back). */
bool worker_task(struct worker *w,
                 const struct farm_assign *work,
                 uint64_t task,
                 unsigned *attempts);

/* Runs until the farm says stop. *ret_use gets the times and the memory of that. -EPERM:
 * the kernel showed another binding than the planned one, under verify: strict; then the
 * job is stopped, too. */
int worker_run(const struct worker_setup *setup,
               struct result_use *ret_use,
               struct gm_error *err);

#endif
