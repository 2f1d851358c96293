/* A small graph cut in two sets of fixed sizes with little weight between them:
 * Kernighan and Lin (Bell System Technical Journal 49, 1970) with the gain buckets of
 * Fiduccia and Mattheyses (DAC 1982), from grown starts. */
#ifndef SCHED_COMM_CUT_H
#define SCHED_COMM_CUT_H

#include "comm.h"

/* Vertices of g -> side[v], 0 for `left` of them, 1 for the others. starts: at least 1;
 * *seed is that of the random numbers and goes on. */
void comm_cut(const struct comm_graph *g,
              unsigned left,
              unsigned starts,
              uint64_t *seed,
              uint8_t *side);

#endif
