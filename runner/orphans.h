/* What the commands of a rank leave behind that was killed: the kernel ends what the rank
 * started itself, and not what that had started in turn. So each rank shows on its host's
 * board which process groups it runs, and who finds it lost ends them: what they would
 * still do nobody commits, and their tasks run elsewhere. */
#ifndef RUNNER_ORPHANS_H
#define RUNNER_ORPHANS_H

#include "board.h"

/* This rank's commands: says where their numbers mean something. The marks are the
 * caller's. */
struct board_commands *orphans_open(const struct board *b);
/* That seat is lost, its process gone or not. May be called by several, and again. */
void orphans_end(const struct board *b, unsigned seat);

#endif
