/* See backlog.h. Invariant: each task of a stage is in one of its six sets alone; a stage
 * is open once all needs on whole stages are met, and then holds nothing in `waiting` but
 * what a need element by element still keeps there. */
#include "backlog.h"
#include "base/memory.h"
#include <assert.h>

struct stage {
    const struct jobspec_stage *said;
    struct taskset *waiting, *pending, *out, *done, *failed, *skipped;
    struct taskset *untold; /* of the skipped */
    bool open, over;
    unsigned *partners; /* stages that need this one element by element */
    unsigned n_partners;
};

struct backlog {
    unsigned n_stages;
    struct stage *stages;
    uint64_t all_out;
    bool turned; /* a stage may have become over: settle */
};

static void move(struct taskset *from, struct taskset *to, uint64_t first, uint64_t count)
{
    uint64_t left = taskset_remove(from, first, count);
    uint64_t came = taskset_add(to, first, count);
    assert(left == count && came == count);
    (void)left;
    (void)came;
}

static bool all_over(const struct stage *s)
{
    return taskset_count(s->done) + taskset_count(s->failed) +
               taskset_count(s->skipped) ==
           s->said->n_tasks;
}

static void skip(struct backlog *b, unsigned stage, uint64_t from, uint64_t end)
{
    struct stage *s = &b->stages[stage];
    uint64_t first, count;
    for (uint64_t at = from;
         at < end && taskset_run(s->waiting, at, end - at, &first, &count) && first < end;
         at = first + count) {
        count = count < end - first ? count : end - first;
        move(s->waiting, s->skipped, first, count);
        (void)taskset_add(s->untold, first, count);
        for (unsigned i = 0; i < s->n_partners; i++)
            skip(b, s->partners[i], first, first + count);
    }
    b->turned |= all_over(s);
}

/* The first run of [from, end) that is in all of the sets. */
static bool common_run(const struct taskset *const *sets,
                       unsigned n,
                       uint64_t from,
                       uint64_t end,
                       uint64_t *ret_first,
                       uint64_t *ret_count)
{
    uint64_t count = end - from;
    for (unsigned i = 0; i < n;) {
        uint64_t first, run;
        if (from >= end || !taskset_run(sets[i], from, end - from, &first, &run) ||
            first >= end)
            return false;
        if (first > from) { /* all are asked again from there */
            from = first;
            count = end - from;
            i = 0;
            continue;
        }
        count = run < count ? run : count;
        i++;
    }
    *ret_first = from;
    *ret_count = count;
    return true;
}

/* What of [from, end) waits no more becomes pending. */
static void release(struct backlog *b, unsigned stage, uint64_t from, uint64_t end)
{
    struct stage *s = &b->stages[stage];
    if (!s->open)
        return;
    AUTO_FREE(const struct taskset *)
    sets = xcalloc(s->said->n_needs + 1, sizeof(struct taskset *));
    unsigned n = 0;
    sets[n++] = s->waiting;
    for (unsigned k = 0; k < s->said->n_needs; k++) {
        if (s->said->needs[k].same_index)
            sets[n++] = b->stages[s->said->needs[k].stage].done;
    }
    uint64_t first, count;
    for (; common_run(sets, n, from, end, &first, &count); from = first + count)
        move(s->waiting, s->pending, first, count);
}

/* Needs on whole stages: 1 all met, 0 must wait, -1 never. */
static int whole_needs(const struct backlog *b, const struct stage *s)
{
    int met = 1;
    for (unsigned k = 0; k < s->said->n_needs; k++) {
        const struct jobspec_need *need = &s->said->needs[k];
        const struct stage *on = &b->stages[need->stage];
        if (need->same_index)
            continue;
        if (!on->over) {
            met = 0;
            continue;
        }
        uint64_t missing = taskset_count(on->failed) + taskset_count(on->skipped);
        if (need->strict ? missing > 0 : taskset_count(on->done) == 0)
            return -1;
    }
    return met;
}

/* Opens what can be opened; a stage that is over may open others. */
static void settle(struct backlog *b)
{
    for (bool again = true; again;) {
        again = false;
        for (unsigned i = 0; i < b->n_stages; i++) {
            struct stage *s = &b->stages[i];
            if (s->over)
                continue;
            int met = s->open ? 0 : whole_needs(b, s);
            if (met > 0) {
                s->open = true;
                release(b, i, 0, s->said->n_tasks);
            } else if (met < 0) {
                skip(b, i, 0, s->said->n_tasks);
            }
            s->over = all_over(s);
            again |= s->over;
        }
    }
    b->turned = false;
}

static void make_stage(struct stage *s,
                       const struct jobspec_stage *said,
                       const struct farm_past *past)
{
    uint64_t n = said->n_tasks;
    s->said = said;
    s->waiting = taskset_make(n);
    s->pending = taskset_make(n);
    s->out = taskset_make(n);
    s->done = taskset_make(n);
    s->failed = taskset_make(n);
    s->skipped = taskset_make(n);
    s->untold = taskset_make(n);
    if (past != NULL && past->done != NULL)
        taskset_unite(s->done, past->done);
    if (past != NULL && past->failed != NULL)
        taskset_unite(s->failed, past->failed);
    taskset_subtract(s->failed, s->done);
    (void)taskset_add(s->waiting, 0, n);
    taskset_subtract(s->waiting, s->done);
    taskset_subtract(s->waiting, s->failed);
}

/* Tasks whose partner failed in an earlier launch. */
static void skip_partners(struct backlog *b, unsigned stage)
{
    const struct stage *s = &b->stages[stage];
    uint64_t first = 0, count = 0;
    while (taskset_run(s->failed, first + count, UINT64_MAX, &first, &count)) {
        for (unsigned i = 0; i < s->n_partners; i++)
            skip(b, s->partners[i], first, first + count);
    }
}

struct backlog *backlog_make(const struct jobspec *spec, const struct farm_past *past)
{
    struct backlog *b = xcalloc(1, sizeof(*b));
    b->n_stages = spec->n_stages;
    b->stages = xcalloc(spec->n_stages, sizeof(*b->stages));
    for (unsigned i = 0; i < spec->n_stages; i++)
        make_stage(&b->stages[i], &spec->stages[i], past != NULL ? &past[i] : NULL);
    for (unsigned i = 0; i < spec->n_stages; i++) {
        for (unsigned k = 0; k < spec->stages[i].n_needs; k++) {
            struct stage *on = &b->stages[spec->stages[i].needs[k].stage];
            if (!spec->stages[i].needs[k].same_index)
                continue;
            assert(on->said->n_tasks == spec->stages[i].n_tasks);
            on->partners =
                xrealloc(on->partners, on->n_partners + 1, sizeof(*on->partners));
            on->partners[on->n_partners++] = i;
        }
    }
    for (unsigned i = 0; i < spec->n_stages; i++)
        skip_partners(b, i);
    settle(b);
    return b;
}

void backlog_free(struct backlog *b)
{
    if (b == NULL)
        return;
    for (unsigned i = 0; i < b->n_stages; i++) {
        struct stage *s = &b->stages[i];
        taskset_free(s->waiting);
        taskset_free(s->pending);
        taskset_free(s->out);
        taskset_free(s->done);
        taskset_free(s->failed);
        taskset_free(s->skipped);
        taskset_free(s->untold);
        free(s->partners);
    }
    free(b->stages);
    free(b);
}

const struct taskset *backlog_pending(const struct backlog *b, unsigned stage)
{
    return b->stages[stage].pending;
}

const struct taskset *backlog_out(const struct backlog *b, unsigned stage)
{
    return b->stages[stage].out;
}

uint64_t backlog_all_out(const struct backlog *b)
{
    return b->all_out;
}

void backlog_take(struct backlog *b, unsigned stage, uint64_t first, uint64_t count)
{
    move(b->stages[stage].pending, b->stages[stage].out, first, count);
    b->all_out += count;
}

void backlog_back(struct backlog *b, unsigned stage, uint64_t first, uint64_t count)
{
    move(b->stages[stage].out, b->stages[stage].pending, first, count);
    b->all_out -= count;
}

void backlog_end(
    struct backlog *b, unsigned stage, uint64_t first, uint64_t count, bool done)
{
    struct stage *s = &b->stages[stage];
    move(s->out, done ? s->done : s->failed, first, count);
    b->all_out -= count;
    for (unsigned i = 0; i < s->n_partners; i++) {
        if (done)
            release(b, s->partners[i], first, first + count);
        else
            skip(b, s->partners[i], first, first + count);
    }
    b->turned |= all_over(s);
    if (b->turned)
        settle(b);
}

int backlog_next_skip(struct backlog *b,
                      uint32_t *ret_stage,
                      uint64_t *ret_first,
                      uint64_t *ret_count)
{
    for (unsigned i = 0; i < b->n_stages; i++) {
        struct stage *s = &b->stages[i];
        uint64_t first, count;
        if (!taskset_run(s->untold, 0, UINT64_MAX, &first, &count))
            continue;
        (void)taskset_remove(s->untold, first, count);
        *ret_stage = i;
        *ret_first = first;
        *ret_count = count;
        return 1;
    }
    return 0;
}

bool backlog_untold(const struct backlog *b)
{
    for (unsigned i = 0; i < b->n_stages; i++) {
        if (taskset_count(b->stages[i].untold) > 0)
            return true;
    }
    return false;
}

void backlog_count(const struct backlog *b, unsigned stage, struct backlog_counts *ret)
{
    const struct stage *s = &b->stages[stage];
    *ret = (struct backlog_counts){.done = taskset_count(s->done),
                                   .failed = taskset_count(s->failed),
                                   .skipped = taskset_count(s->skipped)};
}

bool backlog_over(const struct backlog *b, unsigned stage)
{
    return b->stages[stage].over;
}
