/* Which tasks took their rank down, in the job folder: a line each, so that a task that
 * kills rank after rank, and launch after launch, comes to its crash-limit. Rank 0 writes
 * them; when rank 0 itself died, a rank of its host does, since it knows from the board
 * what rank 0 was at. Only a count: what came of a task the commit records say. */
#ifndef RUNNER_CRASHES_H
#define RUNNER_CRASHES_H

#include "gridmill/error.h"
#include <stddef.h>
#include <stdint.h>

struct crashes_task {
    uint32_t stage;
    uint64_t task;
};

/* One more; what cannot be written is not counted. */
void crashes_add(const char *folder, uint32_t stage, uint64_t task);
/* All of them, unsorted; *ret is yours. A folder without any: 0 and none. */
int crashes_read(const char *folder,
                 struct crashes_task **ret,
                 size_t *ret_n,
                 struct gm_error *err);

#endif
