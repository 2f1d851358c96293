/* The farm: which rank runs which tasks, decided on rank 0. Plain state and functions, no
 * MPI and no clock, so that it can be tested as it is; pulse.c carries its messages.
 *
 * A rank that is idle says so (farm_idle); farm_next then hands out work: a range of
 * tasks of a stage with group size 1 to one rank, or one task to a group of g idle ranks.
 * What was committed comes back (farm_report); a stage starts when those it needs are
 * over. In a seated job (jobspec.h) each rank gets the one task that is its own. */
#ifndef RUNNER_FARM_H
#define RUNNER_FARM_H

#include "spec/jobspec.h"

enum farm_outcome {
    FARM_DONE = 1,
    FARM_FAILED = 2,
    FARM_RETURNED = 3 /* given back without a commit: the job is being stopped */
};

/* Tasks [first, first + count) of a stage, all with one outcome. */
struct farm_report {
    uint32_t stage, outcome;
    uint64_t first, count;
    double seconds; /* of all of them together, spent on one rank */
};

struct farm_assign {
    uint32_t stop; /* 1: no more work, ever; the rest is not set */
    uint32_t stage;
    uint64_t first, count;
    uint32_t epoch;     /* a number of its own for each assignment */
    uint32_t n_members; /* group size; members[0] leads and commits */
    uint32_t *members;  /* world ranks, ascending; borrowed until the next farm_next */
};

/* Tasks that will never run because one they need failed: to be committed as skipped. */
struct farm_skip {
    uint32_t stage;
    uint64_t first, count;
};

struct farm_counts {
    uint64_t done, failed, skipped, running, total;
    int stage;     /* the first that is not over, or -1 */
    double left;   /* s of work for all ranks, by each stage's own mean; < 0: not known */
    bool at_least; /* a stage of which no task is over comes on top of it */
};

struct farm;

struct farm *farm_make(const struct jobspec *spec, unsigned n_ranks);
void farm_free(struct farm *f); /* takes NULL */

void farm_idle(struct farm *f, unsigned rank);
void farm_report(struct farm *f, const struct farm_report *r);
/* 1 and an assignment for its members; 0: nothing to hand out now. Call until 0. */
int farm_next(struct farm *f, struct farm_assign *ret);
/* 1 and a range to commit as skipped; 0: none. Call until 0, after reports. */
int farm_next_skip(struct farm *f, struct farm_skip *ret);
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
