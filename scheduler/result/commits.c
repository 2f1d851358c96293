/* See commits.h. Invariant: after commits_sort, items are ordered and skips ordered and
 * disjoint, so that a task is found by bisection; what was sorted before stays in place
 * unless newer commits belong before it. */
#include "commits.h"
#include "base/memory.h"

static int by_place(const void *pa, const void *pb)
{
    const struct commit *a = pa, *b = pb;
    if (a->task != b->task)
        return a->task < b->task ? -1 : 1;
    if (a->attempt != b->attempt)
        return a->attempt < b->attempt ? -1 : 1;
    if (a->end < b->end || a->end > b->end)
        return a->end < b->end ? -1 : 1;
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

static void append(struct commit **items, size_t *n, size_t *room, const struct commit *c)
{
    if (*n == *room) {
        *room = *room > 0 ? xmul(*room, 2) : 64;
        *items = xrealloc(*items, *room, sizeof(**items));
    }
    (*items)[(*n)++] = *c;
}

void commits_add(struct commits *c,
                 const struct row_commit *row,
                 uint32_t file,
                 uint64_t at)
{
    struct commit item = {
        .task = row->task,
        .count = row->count,
        .row = at,
        .end = row->end,
        .attempt = row->attempt,
        .file = file,
        .status = row->status,
    };
    if (row->status == RESULT_SKIPPED)
        append(&c->skips, &c->n_skips, &c->room_skips, &item);
    else
        append(&c->items, &c->n, &c->room, &item);
}

/* Sorts the new tail, then merges it with what is sorted if it belongs before its end. */
static void sort_items(struct commits *c)
{
    size_t n = c->n_sorted, added = c->n - n;
    if (added == 0)
        return;
    struct commit *tail = c->items + n;
    qsort(tail, added, sizeof(*tail), by_place);
    if (n > 0 && by_place(&c->items[n - 1], tail) > 0) {
        struct commit *copy = xcalloc(added, sizeof(*copy));
        memcpy(copy, tail, added * sizeof(*copy));
        size_t left = n, right = added;
        for (size_t out = c->n; right > 0; out--) {
            bool from_left =
                left > 0 && by_place(&c->items[left - 1], &copy[right - 1]) > 0;
            c->items[out - 1] = from_left ? c->items[--left] : copy[--right];
        }
        free(copy);
    }
    c->n_sorted = c->n;
}

/* Where two skipped runs overlap, the one that begins first has the tasks. */
static void sort_skips(struct commits *c)
{
    if (c->n_skips < 2)
        return;
    qsort(c->skips, c->n_skips, sizeof(*c->skips), by_place);
    size_t out = 1;
    for (size_t i = 1; i < c->n_skips; i++) {
        struct commit item = c->skips[i];
        const struct commit *last = &c->skips[out - 1];
        uint64_t past = last->task + last->count;
        if (item.task + item.count <= past)
            continue;
        if (item.task < past) {
            item.count -= past - item.task;
            item.task = past;
        }
        c->skips[out++] = item;
    }
    c->n_skips = out;
}

void commits_sort(struct commits *c)
{
    sort_items(c);
    sort_skips(c);
    c->hint = 0;
}

/* The first of `n` items whose task is `task` or more. */
static size_t lower_bound(const struct commit *items, size_t n, uint64_t task)
{
    size_t low = 0;
    while (low < n) {
        size_t middle = low + (n - low) / 2;
        if (items[middle].task < task)
            low = middle + 1;
        else
            n = middle;
    }
    return low;
}

/* The first attempt at the task; tells by n when there is none. */
static size_t first_of(struct commits *c, uint64_t task)
{
    for (size_t i = c->hint; i < c->n && i <= c->hint + 1; i++) {
        if (c->items[i].task >= task && (i == 0 || c->items[i - 1].task < task))
            return c->hint = i;
    }
    return c->hint = lower_bound(c->items, c->n, task);
}

static const struct commit *find_skip(const struct commits *c, uint64_t task)
{
    size_t i = lower_bound(c->skips, c->n_skips, task);
    if (i < c->n_skips && c->skips[i].task == task)
        return &c->skips[i];
    if (i > 0 && task - c->skips[i - 1].task < c->skips[i - 1].count)
        return &c->skips[i - 1];
    return NULL;
}

const struct commit *commits_find(struct commits *c, uint64_t task)
{
    size_t i = first_of(c, task);
    const struct commit *last = NULL;
    for (; i < c->n && c->items[i].task == task; i++) {
        last = &c->items[i];
        if (last->status == RESULT_DONE)
            break;
    }
    return last != NULL ? last : find_skip(c, task);
}

uint32_t commits_attempts(struct commits *c, uint64_t task)
{
    uint32_t most = 0;
    for (size_t i = first_of(c, task); i < c->n && c->items[i].task == task; i++)
        most = c->items[i].attempt > most ? c->items[i].attempt : most;
    return most;
}

void commits_free(struct commits *c)
{
    free(c->items);
    free(c->skips);
    *c = (struct commits){0};
}

static struct commits_rank_row *row_of(struct commits_ranks *r, uint32_t rank)
{
    if (rank >= r->n) {
        r->rows = xrealloc(r->rows, rank + 1u, sizeof(*r->rows));
        memset(r->rows + r->n, 0, (rank + 1u - r->n) * sizeof(*r->rows));
        r->n = rank + 1u;
    }
    return &r->rows[rank];
}

void commits_rank_ran(struct commits_ranks *r, uint32_t rank, double seconds)
{
    struct commits_rank_row *row = row_of(r, rank);
    row->tasks++;
    row->busy_s += seconds;
}

void commits_rank_said(struct commits_ranks *r,
                       uint32_t rank,
                       const char *text,
                       size_t len)
{
    unsigned ends = 0;
    for (size_t i = 0; i < len; i++)
        ends += text[i] == '\0';
    if (ends != RESULT_RANK_TEXTS)
        return;
    struct commits_rank_row *row = row_of(r, rank);
    free(row->said);
    row->said = xcalloc(len + 1, 1);
    memcpy(row->said, text, len);
}

void commits_rank(const struct commits_ranks *r, unsigned rank, struct reader_rank *ret)
{
    if (rank >= r->n)
        return;
    const struct commits_rank_row *row = &r->rows[rank];
    ret->tasks = row->tasks;
    ret->busy_s = row->busy_s;
    if (row->said == NULL)
        return;
    const char **fields[RESULT_RANK_TEXTS] = {&ret->host,
                                              &ret->device,
                                              &ret->planned,
                                              &ret->inherited,
                                              &ret->seen,
                                              &ret->memory,
                                              &ret->gpus,
                                              &ret->mismatch};
    const char *at = row->said;
    for (unsigned i = 0; i < RESULT_RANK_TEXTS; i++, at += strlen(at) + 1)
        *fields[i] = at;
    ret->pid = strtoull(at, NULL, 10);
}

void commits_free_ranks(struct commits_ranks *r)
{
    for (unsigned i = 0; i < r->n; i++)
        free(r->rows[i].said);
    free(r->rows);
    *r = (struct commits_ranks){0};
}
