/* Commands of a rank, several at once where a task takes fewer cores than the rank has
 * (`cores:` of its stage), each pinned to its own. One event loop over all children's
 * pipes, ends and limits. */
#ifndef RUNNER_CREW_H
#define RUNNER_CREW_H

#include "board.h"
#include "worker.h"

struct crew;

/* w: its setup and its source are there. */
struct crew *crew_make(struct worker *w);
void crew_free(struct crew *c); /* takes NULL; nothing runs */
/* For a command that takes all of the rank, while the crew runs nothing. */
struct command_place *crew_place(struct crew *c);

/* Runs a claim of commands: all of it was run, stolen or given back then, and what else
 * was claimed for cores that were free meanwhile. ret->count > 0: a claim of a kernel's
 * tasks came that way and is to be run next. */
void crew_run(struct crew *c, const struct board_claim *claim, struct board_claim *ret);

#endif
