/* See crashes.h. */
#include "crashes.h"
#include "base/memory.h"

void crashes_add(struct crashes *c, const struct crash *crash)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct crash *old = &c->list[i];
        if (old->rank == crash->rank && old->stage == crash->stage &&
            old->task == crash->task)
            return;
    }
    c->list = xrealloc(c->list, c->n + 1, sizeof(*c->list));
    c->list[c->n++] = *crash;
}

void crashes_look(struct crashes *c, const struct board *b, unsigned seat, uint32_t rank)
{
    struct crash crash = {.rank = rank};
    for (unsigned at = 0; board_next_running(b, seat, &at, &crash.stage, &crash.task);)
        crashes_add(c, &crash);
}

bool crashes_tell(struct crashes *c, uint32_t rank, struct farm *farm)
{
    size_t kept = 0, n = c->n;
    for (size_t i = 0; i < n; i++) {
        const struct crash crash = c->list[i];
        if (crash.rank == rank)
            farm_crashed(farm, rank, crash.stage, crash.task);
        else
            c->list[kept++] = crash;
    }
    c->n = kept;
    return kept < n;
}

void crashes_clear(struct crashes *c)
{
    free(c->list);
    *c = (struct crashes){0};
}
