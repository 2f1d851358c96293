/* A small process beside the ranks of a host that outlives them: when they are killed,
 * the last of them too, it ends what their commands had started (orphans.h). Where
 * gridmill itself does so at the launch's end, on its own host, there is none. */
#ifndef RUNNER_GUARD_H
#define RUNNER_GUARD_H

#include "board.h"

/* By one rank of the host, once all have sat down. It ends with them. Where no process
 * can be started nothing is guarded. */
void guard_start(const struct board *b);

#endif
