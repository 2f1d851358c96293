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
/* SIGTERM, SIGINT: this host's ranks go with all others. From their handlers. */
void dying_asked(void);
/* The same lines for another rank of this host, whose process is gone. Calls nothing that
 * is not async-signal-safe. */
void dying_tell(const struct board *b, unsigned seat, uint32_t rank, pid_t pid);

#endif
