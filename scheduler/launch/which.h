/* A program in PATH. */
#ifndef LAUNCH_WHICH_H
#define LAUNCH_WHICH_H

#include "base/arena.h"

/* Its path, in the arena; NULL: it is in no folder of PATH. */
const char *which_find(struct arena *a, const char *name);

#endif
