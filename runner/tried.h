/* Tasks that were tried and are to be run again, with their attempts and the ranks that
 * died while they ran them: few of many, so a sorted list. */
#ifndef RUNNER_TRIED_H
#define RUNNER_TRIED_H

#include "base/auto.h"
#include <stddef.h>
#include <stdint.h>

struct tried_task {
    uint64_t task;
    uint32_t attempts, crashes;
};

struct tried {
    struct tried_task *items; /* ascending */
    size_t n, room;
};

void tried_free(struct tried *t); /* what is inside; not t itself */
/* The task's own, made when it has none; valid until the next call. */
struct tried_task *tried_of(struct tried *t, uint64_t task);
/* What this task had, and of the `most` tasks from it on how many had the same. */
struct tried_task
tried_run(const struct tried *t, uint64_t task, uint64_t most, uint64_t *ret_count);

#endif
