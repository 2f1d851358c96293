/* What each rank of ours finds in its environment, whoever starts it. */
#ifndef LAUNCH_RANKENV_H
#define LAUNCH_RANKENV_H

#include "line.h"

/* The guard's words, and the threads of the plan's poorest rank: one line has one
 * environment for all. */
void rankenv_add(struct line *l, const struct plan *plan);

#endif
