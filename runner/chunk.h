/* A claim of kernel tasks (group size 1), run one after the other: the farm's hot path.
 * What all tasks of a stage share is made once; a task costs begin, step, end, a copy of
 * its values, and no allocation, message, lock or system call of ours. One path for all
 * kernels and all lengths of task: the clock is read around as many tasks as take some
 * 10 us, so a task longer than that has its own times. */
#ifndef RUNNER_CHUNK_H
#define RUNNER_CHUNK_H

#include "attempt.h"
#include "board.h"
#include "worker.h"

struct chunk_stage; /* what a rank keeps of a stage: its kernel opened, its walk */

/* 0: run (and handed to the writer or given back); < 0: this rank can go on no more. */
int chunk_run(struct worker *w, const struct board_claim *claim, struct gm_error *err);

#endif
