/* A claim of command tasks, several at once where a task takes fewer cores than the rank
 * has (`cores:` of the stage): lanes of cores, each with one child pinned to it. One
 * event loop (poll) over all children's pipes, ends and limits. */
#ifndef RUNNER_CREW_H
#define RUNNER_CREW_H

#include "board.h"
#include "worker.h"

/* 0: all of the claim was run, stolen or given back. */
int crew_run(struct worker *w, const struct board_claim *claim, struct gm_error *err);

#endif
