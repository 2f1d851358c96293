/* See commits.h. Invariant: after commits_sort each list is ordered, runs and skips are
 * disjoint, so that a task is found by bisection; what was sorted before stays in place
 * unless newer commits belong before it. */
#include "commits.h"
#include "base/memory.h"
#include "crc.h"

static int by_place(const struct commit *a, const struct commit *b)
{
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

static void append(struct commits_list *l, const struct commit *c)
{
    if (l->n == l->room) {
        l->room = l->room > 0 ? xmul(l->room, 2) : 64;
        l->items = xrealloc(l->items, l->room, sizeof(*l->items));
    }
    l->items[l->n++] = *c;
}

void commits_add(struct commits *c,
                 const struct row_commit *row,
                 uint32_t file,
                 uint64_t at)
{
    unsigned list = row->status == RESULT_SKIPPED     ? COMMITS_SKIP
                    : row->layout == ROW_LAYOUT_TABLE ? COMMITS_RUN
                                                      : COMMITS_ONE;
    uint64_t left = row->count;
    for (uint64_t task = row->task; left > 0;) {
        uint32_t now = left < UINT32_MAX ? (uint32_t)left : UINT32_MAX;
        struct commit item = {
            .task = task,
            .end = row->end,
            .row = at & (COMMITS_ROWS_MOST - 1),
            .file = file & (COMMITS_FILES_MOST - 1),
            .count = now,
            .attempt = row->attempt & COMMITS_TRIES_MOST,
            .status = row->status & 7u,
        };
        append(&c->lists[list], &item);
        task += now;
        left -= now;
    }
}

/* Shell's sort, each gap 4/9 of the one before (Tokuda's are about that). */
static void sort_few(struct commit *v, size_t n)
{
    size_t gap = 1;
    while (gap < n / 9 * 4)
        gap = gap * 9 / 4 + 1;
    for (; gap > 0; gap = gap * 4 / 9) {
        for (size_t i = gap; i < n; i++) {
            struct commit item = v[i];
            size_t k = i;
            for (; k >= gap && by_place(&item, &v[k - gap]) < 0; k -= gap)
                v[k] = v[k - gap];
            v[k] = item;
        }
    }
}

static void swap(struct commit *a, struct commit *b)
{
    struct commit c = *a;
    *a = *b;
    *b = c;
}

/* How many stay left of the pivot, which is the median of three: [0, ret) are at most
 * as much, [ret, n) at least. n is 4 or more; ret is neither 0 nor n. */
static size_t part_in_two(struct commit *v, size_t n)
{
    struct commit *a = &v[n / 4], *b = &v[n / 2], *c = &v[n / 4 * 3];
    if (by_place(a, b) > 0)
        swap(a, b);
    if (by_place(b, c) > 0)
        swap(b, c);
    if (by_place(a, b) > 0)
        swap(a, b);
    struct commit pivot = *b;
    for (size_t i = 0, k = n - 1;; i++, k--) {
        while (by_place(&v[i], &pivot) < 0)
            i++;
        while (by_place(&pivot, &v[k]) < 0)
            k--;
        if (i >= k)
            return i;
        swap(&v[i], &v[k]);
    }
}

/* In place: glibc's qsort takes as much memory again, 32 MB for 10^6 commits. */
static void sort_items(struct commit *v, size_t n)
{
    unsigned depth = 0;
    for (size_t left = n; left > 0; left /= 2)
        depth += 2;
    while (n > 16 && depth-- > 0) { /* the smaller part is sorted first */
        size_t left = part_in_two(v, n);
        if (left < n - left) {
            sort_items(v, left);
            v += left;
            n -= left;
        } else {
            sort_items(v + left, n - left);
            n = left;
        }
    }
    sort_few(v, n);
}

/* Sorts the new tail, then merges it with what is sorted if it belongs before its end. */
static void sort_list(struct commits_list *l)
{
    size_t n = l->n_sorted, added = l->n - n;
    if (added == 0)
        return;
    struct commit *tail = l->items + n;
    sort_items(tail, added);
    if (n > 0 && by_place(&l->items[n - 1], tail) > 0) {
        struct commit *copy = xcalloc(added, sizeof(*copy));
        memcpy(copy, tail, added * sizeof(*copy));
        size_t left = n, right = added;
        for (size_t out = l->n; right > 0; out--) {
            bool from_left =
                left > 0 && by_place(&l->items[left - 1], &copy[right - 1]) > 0;
            l->items[out - 1] = from_left ? l->items[--left] : copy[--right];
        }
        free(copy);
    }
    l->n_sorted = l->n;
}

/* Where two runs overlap, the one that begins first has the tasks. */
static void part_runs(struct commits_list *l)
{
    size_t out = l->n > 0;
    for (size_t i = 1; i < l->n; i++) {
        struct commit item = l->items[i];
        const struct commit *last = &l->items[out - 1];
        uint64_t past = last->task + last->count;
        if (item.task + item.count <= past)
            continue;
        if (item.task < past) {
            item.count -= (uint32_t)(past - item.task);
            item.task = past;
        }
        l->items[out++] = item;
    }
    l->n = l->n_sorted = out;
}

void commits_sort(struct commits *c)
{
    for (unsigned i = 0; i < COMMITS_LISTS; i++)
        sort_list(&c->lists[i]);
    part_runs(&c->lists[COMMITS_RUN]);
    part_runs(&c->lists[COMMITS_SKIP]);
    c->hint = c->run_hint = 0;
    memset(&c->at, 0, sizeof(c->at));
}

/* The first item whose task is `task` or more. */
static size_t lower_bound(const struct commits_list *l, uint64_t task)
{
    size_t low = 0, n = l->n;
    while (low < n) {
        size_t middle = low + (n - low) / 2;
        if (l->items[middle].task < task)
            low = middle + 1;
        else
            n = middle;
    }
    return low;
}

/* The first attempt at the task; tells by n when there is none. */
static size_t first_of(struct commits *c, uint64_t task)
{
    const struct commits_list *l = &c->lists[COMMITS_ONE];
    for (size_t i = c->hint; i < l->n && i <= c->hint + 1; i++) {
        if (l->items[i].task >= task && (i == 0 || l->items[i - 1].task < task))
            return c->hint = i;
    }
    return c->hint = lower_bound(l, task);
}

/* The first run that ends behind the task: it may have it, or begin after it. */
static const struct commit *run_at(const struct commits_list *l, uint64_t task)
{
    if (l->items == NULL)
        return NULL;
    size_t i = lower_bound(l, task);
    if (i > 0 && task - l->items[i - 1].task < l->items[i - 1].count)
        return &l->items[i - 1];
    return i < l->n ? &l->items[i] : NULL;
}

static const struct commit *run_with(const struct commits_list *l, uint64_t task)
{
    const struct commit *run = run_at(l, task);
    return run != NULL && run->task <= task ? run : NULL;
}

/* The run of rows that has the task: mostly the one of the last call. */
static const struct commit *run_of(struct commits *c, uint64_t task)
{
    const struct commits_list *l = &c->lists[COMMITS_RUN];
    const struct commit *last = c->run_hint < l->n ? &l->items[c->run_hint] : NULL;
    if (last != NULL && task - last->task < last->count)
        return last;
    const struct commit *run = run_with(l, task);
    c->run_hint = run != NULL ? (size_t)(run - l->items) : 0;
    return run;
}

/* Does the run's commit come before this one of the same task? Both are done. */
static bool run_is_first(const struct commit *run, const struct commit *one)
{
    return run->attempt != one->attempt ? run->attempt < one->attempt
                                        : run->end <= one->end;
}

const struct commit *commits_find(struct commits *c, uint64_t task)
{
    const struct commits_list *l = &c->lists[COMMITS_ONE];
    const struct commit *last = NULL;
    for (size_t i = first_of(c, task); i < l->n && l->items[i].task == task; i++) {
        last = &l->items[i];
        if (last->status == RESULT_DONE)
            break;
    }
    const struct commit *run = run_of(c, task);
    if (run != NULL &&
        (last == NULL || last->status != RESULT_DONE || run_is_first(run, last)))
        return run;
    return last != NULL ? last : run_with(&c->lists[COMMITS_SKIP], task);
}

bool commits_in_run(const struct commits *c, const struct commit *at)
{
    const struct commits_list *l = &c->lists[COMMITS_RUN];
    return l->n > 0 && at >= l->items && at < l->items + l->n;
}

uint32_t commits_attempts(struct commits *c, uint64_t task)
{
    const struct commits_list *l = &c->lists[COMMITS_ONE];
    const struct commit *run = run_of(c, task);
    uint32_t most = run != NULL ? run->attempt : 0;
    for (size_t i = first_of(c, task); i < l->n && l->items[i].task == task; i++)
        most = l->items[i].attempt > most ? l->items[i].attempt : most;
    return most;
}

bool commits_next(struct commits *c, uint64_t from, struct commits_span *ret)
{
    const struct commits_list *ones = &c->lists[COMMITS_ONE];
    const struct commit *run = run_at(&c->lists[COMMITS_RUN], from);
    const struct commit *skip = run_at(&c->lists[COMMITS_SKIP], from);
    size_t i = first_of(c, from);
    uint64_t one = i < ones->n ? ones->items[i].task : UINT64_MAX;
    uint64_t in_run = run == NULL ? UINT64_MAX : run->task > from ? run->task : from;
    uint64_t in_skip = skip == NULL ? UINT64_MAX : skip->task > from ? skip->task : from;
    uint64_t first = one < in_run ? one : in_run, end;
    first = first < in_skip ? first : in_skip;
    if (first == UINT64_MAX)
        return false;
    *ret = (struct commits_span){.first = first, .count = 1};
    if (first == one) {
        ret->counts = commits_find(c, first);
        ret->attempts = commits_attempts(c, first);
        return true;
    }
    ret->counts = first == in_run ? run : skip;
    ret->attempts = first == in_run ? run->attempt : 0;
    end = ret->counts->task + ret->counts->count;
    end = end < one ? end : one;
    if (ret->counts == skip)
        end = end < in_run ? end : in_run;
    ret->count = end - first;
    return true;
}

uint64_t commits_n_attempts(const struct commits *c)
{
    uint64_t n = c->lists[COMMITS_ONE].n;
    for (size_t i = 0; i < c->lists[COMMITS_RUN].n; i++)
        n += c->lists[COMMITS_RUN].items[i].count;
    return n;
}

/* The attempt at c->at, which goes on to the next. */
static const struct commit *step(struct commits *c, uint64_t *ret_task)
{
    const struct commits_list *ones = &c->lists[COMMITS_ONE],
                              *runs = &c->lists[COMMITS_RUN];
    const struct commit *one = c->at.one < ones->n ? &ones->items[c->at.one] : NULL;
    const struct commit *run = c->at.run < runs->n ? &runs->items[c->at.run] : NULL;
    uint64_t in_run = run != NULL ? run->task + c->at.in_run : UINT64_MAX;
    c->at.i++;
    if (one != NULL && (run == NULL || one->task < in_run ||
                        (one->task == in_run && !run_is_first(run, one)))) {
        c->at.one++;
        *ret_task = one->task;
        return one;
    }
    if (run != NULL && ++c->at.in_run == run->count) {
        c->at.in_run = 0;
        c->at.run++;
    }
    *ret_task = in_run;
    return run;
}

const struct commit *commits_attempt(struct commits *c, uint64_t i, uint64_t *ret_task)
{
    if (i < c->at.i)
        memset(&c->at, 0, sizeof(c->at));
    while (c->at.i < i)
        (void)step(c, ret_task);
    return step(c, ret_task);
}

uint32_t commits_print(const struct commits *c, uint32_t crc)
{
    for (unsigned i = 0; i < COMMITS_LISTS; i++) {
        const struct commits_list *l = &c->lists[i];
        crc = crc_extend(crc, &l->n, sizeof(l->n));
        if (l->n > 0)
            crc = crc_extend(crc, l->items, l->n * sizeof(*l->items));
    }
    return crc;
}

void commits_free(struct commits *c)
{
    for (unsigned i = 0; i < COMMITS_LISTS; i++)
        free(c->lists[i].items);
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

void commits_rank_ran(struct commits_ranks *r,
                      uint32_t rank,
                      uint64_t tasks,
                      double seconds)
{
    struct commits_rank_row *row = row_of(r, rank);
    row->tasks += tasks;
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
