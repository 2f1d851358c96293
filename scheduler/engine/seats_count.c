/* See seats.h: how many tasks a canonical job has, by its request alone. Under a foreign
 * launcher the ranks are given and the counts follow from them. Invariant: products that
 * leave 64 bits stay at the top, so that they are never taken for a small number. */
#include "base/memory.h"
#include "sched/want.h"
#include "seats.h"
#include <assert.h>
#include <inttypes.h>

struct vertex {
    const struct resource *r;
    unsigned parent; /* the top's is its own */
    unsigned end;    /* vertices (i, end) are below it */
    int64_t count;
};

struct tally {
    const struct jobspec *spec;
    struct vertex *items;
    unsigned n, room;
    unsigned *slots; /* of each stage: its slot's vertex */
};

static uint64_t times(uint64_t a, uint64_t b)
{
    uint64_t n;
    return __builtin_mul_overflow(a, b, &n) ? UINT64_MAX : n;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
    uint64_t n;
    return __builtin_add_overflow(a, b, &n) ? UINT64_MAX : n;
}

/* As deep as the request, at most RESOURCE_MAX_DEPTH. */
static void add(struct tally *t, const struct resource *list, unsigned n, unsigned parent)
{
    for (unsigned i = 0; i < n; i++) {
        if (t->n == t->room) {
            t->room = t->room > 0 ? 2 * t->room : 32;
            t->items = xrealloc(t->items, t->room, sizeof(*t->items));
        }
        unsigned own = t->n++;
        t->items[own] = (struct vertex){.r = &list[i],
                                        .parent = parent == UINT32_MAX ? own : parent,
                                        .count = count_min(&list[i].count)};
        add(t, list[i].with, list[i].n_with, own);
        t->items[own].end = t->n;
    }
}

static void find_slots(struct tally *t)
{
    assert(t->items != NULL); /* a job has a vertex */
    t->slots = xcalloc(t->spec->n_stages, sizeof(*t->slots));
    for (unsigned i = 0; i < t->spec->n_stages; i++) {
        unsigned *slot = &t->slots[i];
        while (*slot + 1 < t->n && t->items[*slot].r != t->spec->stages[i].slot)
            (*slot)++;
    }
}

/* How often a vertex stands in `above`, which it is below (UINT32_MAX: the request). */
static uint64_t copies(const struct tally *t, unsigned i, unsigned above)
{
    uint64_t n = 1;
    for (; i != above; i = t->items[i].parent) {
        n = times(n, (uint64_t)t->items[i].count);
        if (t->items[i].parent == i)
            break;
    }
    return n;
}

static uint64_t tasks_of(const struct tally *t, unsigned stage)
{
    const struct jobspec_stage *s = &t->spec->stages[stage];
    unsigned slot = t->slots[stage];
    uint64_t each = 1;
    if (s->per == JOBSPEC_TOTAL)
        return s->per_count;
    if (s->per == JOBSPEC_PER_RESOURCE) {
        each = 0;
        for (unsigned i = slot + 1; i < t->items[slot].end; i++) {
            if (strcmp(t->items[i].r->type, s->per_type) == 0)
                each = plus(each, copies(t, i, slot));
        }
    }
    return times(times(copies(t, slot, UINT32_MAX), each), s->per_count);
}

static uint64_t all_tasks(const struct tally *t)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < t->spec->n_stages; i++)
        n = plus(n, tasks_of(t, i));
    return n;
}

/* The largest count of a vertex that gives no more than n tasks; its least is fine. */
static void grow(struct tally *t, unsigned i, uint64_t n)
{
    const struct count *count = &t->items[i].r->count;
    int64_t best = t->items[i].count, low = best;
    int64_t high = count_floor(count, n < (uint64_t)RANGE_MAX ? (int64_t)n : RANGE_MAX);
    while (low < high) {
        int64_t middle = low + (high - low + 1) / 2, next = count_floor(count, middle);
        if (next <= best) {
            low = middle;
            continue;
        }
        t->items[i].count = next;
        if (all_tasks(t) <= n) {
            best = next;
            low = middle;
        } else {
            high = next - 1;
        }
    }
    t->items[i].count = best;
}

int seats_count(const struct jobspec *spec,
                unsigned n,
                uint64_t **ret,
                struct gm_error *err)
{
    struct tally t = {.spec = spec};
    add(&t, spec->resources, spec->n_resources, UINT32_MAX);
    if (t.n > WANT_MAX) {
        free(t.items);
        return gm_fail(err,
                       -EINVAL,
                       "%s: resources: more than %u vertices: count alike ones as one",
                       spec->file,
                       WANT_MAX);
    }
    find_slots(&t);
    uint64_t least = all_tasks(&t);
    bool moldable = false;
    for (unsigned i = 0; i < t.n; i++) {
        if (count_is_fixed(&t.items[i].r->count))
            continue;
        moldable = true;
        if (least <= n)
            grow(&t, i, n);
    }
    uint64_t most = all_tasks(&t);
    int rc = 0;
    if (most != n) {
        rc = gm_fail(err,
                     -EINVAL,
                     "%s: the job has %s%" PRIu64 " task%s, one a rank, but %u rank%s "
                     "started: start it with -n %" PRIu64,
                     spec->file,
                     !moldable   ? ""
                     : least > n ? "at least "
                                 : "room for ",
                     most,
                     most == 1 ? "" : "s",
                     n,
                     n == 1 ? " was" : "s were",
                     most);
    } else {
        uint64_t *tasks = xcalloc(spec->n_stages, sizeof(*tasks));
        for (unsigned i = 0; i < spec->n_stages; i++)
            tasks[i] = tasks_of(&t, i);
        *ret = tasks;
    }
    free(t.slots);
    free(t.items);
    return rc;
}
