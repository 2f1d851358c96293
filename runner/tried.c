/* See tried.h. */
#include "tried.h"
#include "base/memory.h"
#include <string.h>

void tried_free(struct tried *t)
{
    free(t->items);
    *t = (struct tried){0};
}

/* The first at or after this task. */
static size_t find(const struct tried *t, uint64_t task)
{
    size_t low = 0, high = t->n;
    if (t->n > 0 && t->items[t->n - 1].task < task)
        return t->n; /* lists are mostly made in order */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->items[middle].task < task)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct tried_task *tried_of(struct tried *t, uint64_t task)
{
    size_t at = find(t, task);
    if (at < t->n && t->items[at].task == task)
        return &t->items[at];
    if (t->n == t->room) {
        t->room = 2 * t->room + 16;
        t->items = xrealloc(t->items, t->room, sizeof(*t->items));
    }
    memmove(&t->items[at + 1], &t->items[at], (t->n - at) * sizeof(*t->items));
    t->items[at] = (struct tried_task){.task = task};
    t->n++;
    return &t->items[at];
}

struct tried_task
tried_run(const struct tried *t, uint64_t task, uint64_t most, uint64_t *ret_count)
{
    size_t at = find(t, task);
    uint64_t count = 0;
    if (at == t->n || t->items[at].task != task) {
        uint64_t left = at < t->n ? t->items[at].task - task : most;
        *ret_count = left < most ? left : most;
        return (struct tried_task){.task = task};
    }
    struct tried_task had = t->items[at];
    for (; count < most && at + count < t->n; count++) {
        const struct tried_task *next = &t->items[at + count];
        if (next->task != task + count || next->attempts != had.attempts ||
            next->crashes != had.crashes)
            break;
    }
    *ret_count = count;
    return had;
}
