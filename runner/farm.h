/* The farm: which rank runs which tasks, decided on rank 0. Plain state and functions, no
 * MPI and no clock, so that it can be tested as it is; dispatch.c carries its messages,
 * backlog.c keeps what is ready; docs/design/farm.md has the whole.
 *
 * Work goes out in two ways: tasks of stages with group size 1 as lots, runs of tasks
 * that the ranks of one host share on their board (board.h); a task of a larger group to
 * that many idle ranks. What was committed comes back (farm_report). A task starts when
 * what it needs is over: element by element where shapes agree. In a seated job
 * (jobspec.h) each rank gets the one task that is its own. */
#ifndef RUNNER_FARM_H
#define RUNNER_FARM_H

#include "base/taskset.h"
#include "spec/jobspec.h"

enum farm_outcome {
    FARM_DONE = 1,
    FARM_FAILED = 2,
    FARM_LATE = 4, /* given back, for it would not end in the time that is left: no more
                      of its stage is handed out */
    FARM_RETURNED = 3, /* given back: the job is being stopped, or the group lost a
                          member */
    FARM_TRIED = 5     /* no more than `attempts`, of a lost rank's shard: the task stays
                          where it is, which may be another rank by now */
};

/* Tasks [first, first + count) of a stage, all with one outcome. */
struct farm_report {
    uint32_t stage, outcome;
    uint64_t first, count;
    double seconds;    /* of all of them together, spent on one rank */
    uint32_t rank;     /* who says so; the pulse fills it in */
    uint32_t attempts; /* RETURNED, TRIED, one task: its attempts that were committed;
                          0: as many as it was handed out with */
};

enum farm_kind {
    FARM_STOP = 1, /* to all members: no more work, ever */
    FARM_GROUP,    /* the members run task `first` together; members[0] leads */
    FARM_LOT,      /* to members[0], which posts it on its host's board */
    FARM_RECALL    /* to members[0]: take back what nobody claimed on its host's board */
};

struct farm_assign {
    uint32_t kind; /* enum farm_kind */
    uint32_t stage;
    uint64_t first, count;
    uint64_t lot;     /* LOT: its number */
    uint32_t attempt; /* attempts that these tasks had before */
    int32_t priority; /* LOT */
    uint32_t most;    /* LOT: tasks in one claim at most; 0: no limit */
    uint32_t alone;   /* LOT: 1: nothing else beside it on its rank */
    uint32_t epoch;   /* GROUP: a number of its own for each */
    uint32_t n_members;
    uint32_t *members; /* world ranks, ascending; borrowed until the next farm_next */
};

/* Tasks whose end the farm decides, to be committed by rank 0: SKIPPED (one they need
 * failed), RETRIED (the rank died while it ran them: attempt `attempt` was lost) or
 * FAILED (the crash limit is reached). */
struct farm_verdict {
    uint32_t stage, status, reason; /* enum result_status, result_reason */
    uint32_t attempt;
    uint64_t first, count;
    uint32_t rank; /* the lost one; UINT32_MAX: none */
};

enum { FARM_CELLS = 32 };

struct farm_counts {
    uint64_t done, failed, skipped, running, total;
    int stage;     /* the first that is not over, or -1 */
    double left;   /* s of work for all ranks, by each stage's own mean; < 0: not known */
    bool at_least; /* a stage of which no task is over comes on top of it */
    uint64_t before; /* of them over when this launch began */
    unsigned lost;   /* ranks */
    bool late;       /* some stage was closed (farm_close) */
    /* What ranks do, a letter each, or each for as many as it takes: how many of them are
     * not idle, '0' (none) to '9' (all); 'x': all are lost. */
    char ranks[FARM_CELLS + 1];
};

struct farm_seat { /* a rank */
    unsigned host; /* from 0 */
    unsigned cores, gpus;
};

/* What a stage's tasks came to in earlier launches (result/committed.h); all borrowed
 * during farm_make. Skipped tasks are judged anew. */
struct farm_past {
    const struct taskset *done, *failed;
    /* Tasks that were tried before and are to be run: ascending, with their attempts. */
    const uint64_t *tried;
    const uint32_t *attempts;
    uint64_t n_tried;
};

struct farm_setup {
    const struct jobspec *spec;
    const struct farm_seat *seats; /* [n_ranks] */
    unsigned n_ranks, n_hosts;
    const struct farm_past *past; /* [n_stages], or NULL: a fresh job */
};

struct farm;

struct farm *farm_make(const struct farm_setup *setup);
void farm_free(struct farm *f); /* takes NULL */

/* The rank has nothing to do, and its host's board has nothing for it. */
void farm_idle(struct farm *f, unsigned rank);
/* The host's board will be empty soon: grant the next lot now (prefetch). `rank` of it
 * says so. */
void farm_low(struct farm *f, unsigned rank);
/* The rank found work on its board after all: not idle. */
void farm_busy(struct farm *f, unsigned rank);
void farm_report(struct farm *f, const struct farm_report *r);
/* A recalled run came back (count 0: nothing was left to take). */
void farm_recalled(
    struct farm *f, unsigned rank, uint64_t lot, uint64_t first, uint64_t count);
/* 1 and an assignment; 0: nothing to hand out now. Call until 0. */
int farm_next(struct farm *f, struct farm_assign *ret);
/* 1 and a run to commit; 0: none. Call until 0, after reports and losses. */
int farm_next_verdict(struct farm *f, struct farm_verdict *ret);

/* A rank is lost: it gets nothing more, and is waited for no more. What was granted to
 * its host stays out until farm_settle; so does the task of a group that it was in, until
 * the other members are out of it. */
void farm_lost(struct farm *f, unsigned rank);
/* A living rank of that host holds these tasks. */
void farm_held(struct farm *f, uint32_t stage, uint64_t first, uint64_t count);
/* It was running this task when it died: one more crash of it. */
void farm_crashed(struct farm *f, unsigned rank, uint32_t stage, uint64_t task);
/* Before anything is handed out: it took a rank down in an earlier launch. An attempt
 * that nobody has written down is told as a verdict. */
void farm_crashed_before(struct farm *f, uint32_t stage, uint64_t task);
/* All living ranks of the host have said what they hold, the board is clear, and what the
 * lost ones had committed is reported: the rest of the host's lots is to be run again. */
void farm_settle(struct farm *f, unsigned host);

/* No more of this stage is handed out: its tasks would not end in time. */
void farm_close(struct farm *f, unsigned stage);
/* Hands out no more; what runs may finish or come back. */
void farm_stop(struct farm *f);
/* Nothing is running and nothing is left to hand out (or it was stopped). */
bool farm_over(const struct farm *f);
/* Over, and every task is done, failed or skipped. */
bool farm_complete(const struct farm *f);
void farm_count(const struct farm *f, struct farm_counts *ret);
/* The stage that became over since the last call, or -1. */
int farm_stage_over(struct farm *f);

AUTO_TYPE(farm, farm_free)

#endif
