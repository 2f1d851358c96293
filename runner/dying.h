/* The last word of a rank that ends by a signal of its own making, as when a kernel
 * crashes: on its seat of the board which signal, and in the job folder what it was
 * running (result/losses.h). Nobody else may be left to tell: it may have been alone on
 * its host, or in the job. */
#ifndef RUNNER_DYING_H
#define RUNNER_DYING_H

#include "board.h"

/* By the compute thread, once; others' stacks are their own. */
void dying_watch(const char *folder, uint32_t launch, uint32_t rank, struct board *board);
/* The board is about to go. */
void dying_forget(void);

#endif
