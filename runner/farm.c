/* See farm.h. Invariant: for each stage next <= n_tasks, and
 * done + failed + skipped + running + returned + (n_tasks - next) == n_tasks.
 *
 * Ranges: the first a rank gets is one task; once the mean task time is known a range is
 * what takes RANGE_SECONDS, but never more than a share of what is left (guided
 * self-scheduling, Polychronopoulos and Kuck 1987), so that the tail stays even.
 *
 * Seated jobs: each rank gets its own task, once, when it first says that it is idle. */
#include "farm.h"
#include "base/memory.h"
#include <assert.h>

static const double RANGE_SECONDS = 0.1;
enum { SHARE_OF_REST = 4, LARGEST_RANGE = 1 << 20 };

struct stage_state {
    uint64_t next; /* tasks below were handed out or skipped */
    uint64_t done, failed, skipped, running, returned;
    uint64_t measured; /* tasks behind `seconds` */
    double seconds;
    uint64_t
        *failures; /* ascending indices, kept for those that need element by element */
    size_t n_failures;
    bool keep_failures, told_over;
};

struct farm {
    const struct jobspec *spec;
    unsigned n_ranks, n_idle;
    bool *idle;
    struct stage_state *stages;
    uint32_t *members;
    uint32_t epoch;
    bool stopped, ended;
    bool *came;        /* seated: ranks that were idle before, or NULL */
    uint32_t *waiting; /* seated: ranks to get their task, [first_waiting, n_waiting) */
    unsigned first_waiting, n_waiting;
};

struct farm *farm_make(const struct jobspec *spec, unsigned n_ranks)
{
    struct farm *f = xcalloc(1, sizeof(*f));
    f->spec = spec;
    f->n_ranks = n_ranks;
    f->idle = xcalloc(n_ranks, sizeof(*f->idle));
    f->members = xcalloc(n_ranks, sizeof(*f->members));
    f->stages = xcalloc(spec->n_stages, sizeof(*f->stages));
    if (jobspec_seated(spec)) {
        f->came = xcalloc(n_ranks, sizeof(*f->came));
        f->waiting = xcalloc(n_ranks, sizeof(*f->waiting));
    }
    for (unsigned i = 0; i < spec->n_stages; i++) {
        for (unsigned k = 0; k < spec->stages[i].n_needs; k++) {
            const struct jobspec_need *need = &spec->stages[i].needs[k];
            f->stages[need->stage].keep_failures |= need->same_index;
        }
    }
    return f;
}

void farm_free(struct farm *f)
{
    if (f == NULL)
        return;
    for (unsigned i = 0; i < f->spec->n_stages; i++)
        free(f->stages[i].failures);
    free(f->stages);
    free(f->came);
    free(f->waiting);
    free(f->members);
    free(f->idle);
    free(f);
}

void farm_idle(struct farm *f, unsigned rank)
{
    assert(rank < f->n_ranks);
    if (!f->idle[rank]) {
        f->idle[rank] = true;
        f->n_idle++;
    }
    if (f->came != NULL && !f->came[rank]) {
        f->came[rank] = true;
        f->waiting[f->n_waiting++] = rank;
    }
}

static bool stage_over(const struct farm *f, unsigned i)
{
    const struct stage_state *s = &f->stages[i];
    return s->done + s->failed + s->skipped == f->spec->stages[i].n_tasks;
}

static void keep_failure(struct stage_state *s, uint64_t task)
{
    s->failures = xrealloc(s->failures, s->n_failures + 1, sizeof(*s->failures));
    size_t at = s->n_failures++;
    for (; at > 0 && s->failures[at - 1] > task; at--)
        s->failures[at] = s->failures[at - 1];
    s->failures[at] = task;
}

void farm_report(struct farm *f, const struct farm_report *r)
{
    struct stage_state *s = &f->stages[r->stage];
    assert(r->count <= s->running);
    s->running -= r->count;
    if (r->outcome == FARM_RETURNED) {
        s->returned += r->count;
        return;
    }
    *(r->outcome == FARM_DONE ? &s->done : &s->failed) += r->count;
    s->measured += r->count;
    s->seconds += r->seconds;
    for (uint64_t i = 0; r->outcome == FARM_FAILED && s->keep_failures && i < r->count;
         i++)
        keep_failure(s, r->first + i);
}

/* 1: may start; 0: must wait; -1: never (a need failed). */
static int stage_ready(const struct farm *f, unsigned i)
{
    const struct jobspec_stage *stage = &f->spec->stages[i];
    for (unsigned k = 0; k < stage->n_needs; k++) {
        const struct jobspec_need *need = &stage->needs[k];
        const struct stage_state *s = &f->stages[need->stage];
        if (!stage_over(f, need->stage))
            return 0;
        bool missing = s->failed + s->skipped > 0;
        if (need->strict && !need->same_index && missing)
            return -1;
        if (!need->strict && s->done == 0)
            return -1;
        if (need->same_index && s->done == 0)
            return -1;
    }
    return 1;
}

/* The first failure at or after `task`, or n. */
static uint64_t next_failure(const struct stage_state *s, uint64_t task, uint64_t n)
{
    size_t low = 0, high = s->n_failures;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->failures[middle] < task)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->n_failures ? s->failures[low] : n;
}

/* The first task at or after `task` that a need, element by element, forbids; n_tasks:
 * none. */
static uint64_t next_forbidden(const struct farm *f, unsigned i, uint64_t task)
{
    const struct jobspec_stage *stage = &f->spec->stages[i];
    uint64_t nearest = stage->n_tasks;
    for (unsigned k = 0; k < stage->n_needs; k++) {
        if (!stage->needs[k].same_index)
            continue;
        uint64_t at =
            next_failure(&f->stages[stage->needs[k].stage], task, stage->n_tasks);
        nearest = at < nearest ? at : nearest;
    }
    return nearest;
}

int farm_next_skip(struct farm *f, struct farm_skip *ret)
{
    for (unsigned i = 0; i < f->spec->n_stages && !f->stopped; i++) {
        struct stage_state *s = &f->stages[i];
        uint64_t n = f->spec->stages[i].n_tasks, count = 0;
        if (s->next == n)
            continue;
        int ready = stage_ready(f, i);
        if (ready < 0)
            count = n - s->next;
        else if (ready > 0 && next_forbidden(f, i, s->next) == s->next)
            count = 1;
        if (count == 0)
            continue;
        *ret = (struct farm_skip){.stage = i, .first = s->next, .count = count};
        for (uint64_t t = 0; s->keep_failures && t < count; t++)
            keep_failure(s, s->next + t);
        s->next += count;
        s->skipped += count;
        return 1;
    }
    return 0;
}

static unsigned group_of(const struct farm *f, const struct jobspec_stage *stage)
{
    return stage->group == 0 || stage->group > f->n_ranks ? f->n_ranks : stage->group;
}

static uint64_t range_for(const struct farm *f, unsigned i, unsigned group)
{
    const struct stage_state *s = &f->stages[i];
    uint64_t end = next_forbidden(f, i, s->next);
    uint64_t left = end - s->next;
    if (group > 1 || s->measured == 0)
        return left < 1 ? left : 1;
    uint64_t share =
        (f->spec->stages[i].n_tasks - s->next) / ((uint64_t)SHARE_OF_REST * f->n_ranks);
    double mean = s->seconds / (double)s->measured;
    double by_time = mean > 0 ? RANGE_SECONDS / mean : (double)LARGEST_RANGE;
    uint64_t range = by_time < (double)share ? (uint64_t)by_time : share;
    range = range < 1 ? 1 : range > LARGEST_RANGE ? LARGEST_RANGE : range;
    return range < left ? range : left;
}

static void take_members(struct farm *f, unsigned group, struct farm_assign *ret)
{
    unsigned n = 0;
    for (unsigned r = 0; r < f->n_ranks && n < group; r++) {
        if (!f->idle[r])
            continue;
        f->idle[r] = false;
        f->members[n++] = r;
    }
    assert(n == group);
    f->n_idle -= n;
    ret->n_members = n;
    ret->members = f->members;
}

/* The stage whose ranks this one is among; n_stages: none. */
static unsigned stage_of_rank(const struct farm *f, unsigned rank)
{
    unsigned i = 0;
    for (; i < f->spec->n_stages; i++) {
        const struct jobspec_stage *s = &f->spec->stages[i];
        if (rank >= s->first_rank && rank - s->first_rank < s->n_tasks)
            break;
    }
    return i;
}

static int next_seated(struct farm *f, struct farm_assign *ret)
{
    while (f->first_waiting < f->n_waiting && !f->stopped) {
        uint32_t rank = f->waiting[f->first_waiting++];
        unsigned i = stage_of_rank(f, rank);
        if (i == f->spec->n_stages)
            continue;
        f->idle[rank] = false;
        f->n_idle--;
        f->members[0] = rank;
        f->stages[i].next++;
        f->stages[i].running++;
        *ret = (struct farm_assign){.stage = i,
                                    .first = rank - f->spec->stages[i].first_rank,
                                    .count = 1,
                                    .epoch = ++f->epoch,
                                    .n_members = 1,
                                    .members = f->members};
        return 1;
    }
    return 0;
}

int farm_next(struct farm *f, struct farm_assign *ret)
{
    if (farm_over(f) && f->n_idle == f->n_ranks && !f->ended) {
        f->ended = true;
        *ret = (struct farm_assign){
            .stop = 1, .n_members = f->n_ranks, .members = f->members};
        for (unsigned r = 0; r < f->n_ranks; r++)
            f->members[r] = r;
        return 1;
    }
    if (jobspec_seated(f->spec))
        return next_seated(f, ret);
    for (unsigned i = 0; i < f->spec->n_stages && !f->stopped; i++) {
        struct stage_state *s = &f->stages[i];
        unsigned group = group_of(f, &f->spec->stages[i]);
        if (s->next == f->spec->stages[i].n_tasks || f->n_idle < group ||
            stage_ready(f, i) <= 0)
            continue;
        uint64_t count = range_for(f, i, group);
        if (count == 0)
            continue; /* the next one is to be skipped first */
        *ret = (struct farm_assign){
            .stage = i, .first = s->next, .count = count, .epoch = ++f->epoch};
        take_members(f, group, ret);
        s->next += count;
        s->running += count;
        return 1;
    }
    return 0;
}

void farm_stop(struct farm *f)
{
    f->stopped = true;
}

bool farm_over(const struct farm *f)
{
    for (unsigned i = 0; i < f->spec->n_stages; i++) {
        if (f->stages[i].running > 0)
            return false;
    }
    return f->stopped || farm_complete(f);
}

bool farm_complete(const struct farm *f)
{
    for (unsigned i = 0; i < f->spec->n_stages; i++) {
        if (!stage_over(f, i))
            return false;
    }
    return true;
}

/* Adds what a stage still takes. A task of one stage says nothing about another's. */
static void estimate(const struct farm *f, unsigned i, struct farm_counts *c)
{
    const struct stage_state *s = &f->stages[i];
    const struct jobspec_stage *stage = &f->spec->stages[i];
    uint64_t rest = stage->n_tasks - s->done - s->failed - s->skipped;
    unsigned at_once = f->n_ranks / group_of(f, stage);
    if (rest == 0)
        return;
    if (s->measured == 0) {
        c->at_least = true;
        return;
    }
    double each = s->seconds / (double)s->measured;
    c->left = (c->left < 0 ? 0 : c->left) + each * (double)rest / at_once;
}

void farm_count(const struct farm *f, struct farm_counts *ret)
{
    struct farm_counts c = {.stage = -1, .left = -1};
    for (unsigned i = 0; i < f->spec->n_stages; i++) {
        const struct stage_state *s = &f->stages[i];
        c.done += s->done;
        c.failed += s->failed;
        c.skipped += s->skipped;
        c.running += s->running;
        c.total += f->spec->stages[i].n_tasks;
        estimate(f, i, &c);
        if (c.stage < 0 && !stage_over(f, i))
            c.stage = (int)i;
    }
    *ret = c;
}

int farm_stage_over(struct farm *f)
{
    for (unsigned i = 0; i < f->spec->n_stages; i++) {
        if (!f->stages[i].told_over && stage_over(f, i)) {
            f->stages[i].told_over = true;
            return (int)i;
        }
    }
    return -1;
}
