/* A small process beside the ranks of a host that outlives them. When they are killed,
 * the last of them too, it ends what their commands had started (orphans.h) and writes
 * down whom the job has lost and in which task (dying.h): other hosts hear nothing from a
 * process that is gone, as from one that is merely stopped. */
#ifndef RUNNER_GUARD_H
#define RUNNER_GUARD_H

#include "board.h"

/* By one rank of the host, once all have sat down, after dying_watch. It ends with them.
 * ranks: of each seat. Where no process can be started nothing is guarded. */
void guard_start(const struct board *b, const uint32_t *ranks);

#endif
