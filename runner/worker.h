/* The compute thread of a rank: asks the farm for tasks, runs them (kernels step by step,
 * commands as processes), hands what they made to the writer. */
#ifndef RUNNER_WORKER_H
#define RUNNER_WORKER_H

#include "comm.h"
#include "pulse.h"
#include "rank.h"
#include "spec/plan.h"
#include "writer.h"

struct worker_setup {
    const struct jobspec *spec;
    const struct plan *plan;
    unsigned rank;
    struct pulse *pulse;
    struct writer *writer;
    struct comm *comm;
    struct gm_seat seat;
    const struct rank *who;
    const struct idset *planned;
    struct str *found; /* what is not as planned; more may come */
};

/* Runs until the farm says stop. -EPERM: the kernel showed another binding than the
 * planned one, under verify: strict; then the job is stopped, too. */
int worker_run(const struct worker_setup *setup, struct gm_error *err);

#endif
