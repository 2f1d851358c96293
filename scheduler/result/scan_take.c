/* See scan_inner.h: what a commit changes in the counts. Invariant: a task is in one of a
 * stage's three sets at most, and the counts are the sets' sizes. */
#include "base/memory.h"
#include "crc.h"
#include "scan_inner.h"

#define RECORDS_MOST 256u  /* of a failed task that are looked through for its words */
#define WORDS_MOST   2048u /* bytes of them */

static struct taskset *empty(struct taskset *old, uint64_t n)
{
    taskset_free(old);
    return taskset_make(n);
}

void scan_forget(struct scan *s)
{
    for (unsigned i = 0; i < s->job.n_stages; i++) {
        const struct reader_stage *from = &s->head.stages[i];
        struct scan_sets *sets = &s->sets[i];
        sets->done = empty(sets->done, from->n_tasks);
        sets->failed = empty(sets->failed, from->n_tasks);
        sets->skipped = empty(sets->skipped, from->n_tasks);
        s->job.stages[i] =
            (struct scan_stage){.name = from->name, .n_tasks = from->n_tasks};
    }
    for (unsigned i = 0; i < s->job.n_ranks; i++) {
        s->job.ranks[i] = (struct scan_rank){
            .host = i < s->head.n_ranks ? s->head.rank_hosts[i] : "", .lost_why = ""};
    }
    s->n_found = 0;
    s->job.n_failures = 0;
    s->job.first = s->job.last = 0;
    s->job.version++;
}

/* Into the set of its status, out of those that it is stronger than. */
static void move(struct scan_sets *sets, const struct row_commit *c)
{
    struct taskset *order[] = {sets->done, sets->failed, sets->skipped};
    unsigned to = c->status == RESULT_DONE ? 0 : c->status == RESULT_FAILED ? 1 : 2;
    if (to == 0) {
        (void)taskset_add(order[0], c->task, c->count);
    } else {
        uint64_t end = c->task + c->count;
        for (uint64_t task = c->task; task < end; task++) {
            bool stronger =
                taskset_has(order[0], task) || (to == 2 && taskset_has(order[1], task));
            if (!stronger)
                (void)taskset_add(order[to], task, 1);
        }
    }
    for (unsigned i = to + 1; i < 3; i++) {
        if (taskset_count(order[i]) > 0)
            (void)taskset_remove(order[i], c->task, c->count);
    }
}

static void widen(double *first, double *last, const struct row_commit *c)
{
    *first = *first <= 0 || c->start < *first ? c->start : *first;
    *last = c->end > *last ? c->end : *last;
}

static void take_rank(struct scan *s, const struct row_commit *c)
{
    double took = c->end > c->start ? c->end - c->start : 0;
    if (c->rank >= s->job.n_ranks)
        return;
    struct scan_rank *r = &s->job.ranks[c->rank];
    r->tasks += c->count;
    r->busy_s += took;
    r->last = c->end > r->last ? c->end : r->last;
    if (c->n_ranks < 2 || c->n_ranks != s->job.n_ranks)
        return;
    for (unsigned i = 0; i < s->job.n_ranks; i++) { /* the others were in it, too */
        struct scan_rank *other = &s->job.ranks[i];
        other->busy_s += i != c->rank ? took : 0;
        other->last = c->end > other->last ? c->end : other->last;
    }
}

void scan_take(struct scan *s, const struct row_commit *c, bool current)
{
    struct scan_stage *stage = &s->job.stages[c->stage];
    struct scan_sets *sets = &s->sets[c->stage];
    s->job.version++;
    if (c->status == RESULT_RETRIED)
        stage->retried++;
    else
        move(sets, c);
    stage->done = taskset_count(sets->done);
    stage->failed = taskset_count(sets->failed);
    stage->skipped = taskset_count(sets->skipped);
    if (!current)
        return;
    stage->fresh += c->status != RESULT_RETRIED ? c->count : 0;
    if (c->status == RESULT_SKIPPED || c->start <= 0)
        return;
    widen(&stage->first, &stage->last, c);
    double took = c->end > c->start ? c->end - c->start : 0;
    double each = c->count > 1 ? took / (double)c->count : took;
    stage->busy_s += took;
    stage->longest = each > stage->longest ? each : stage->longest;
    widen(&s->job.first, &s->job.last, c);
    take_rank(s, c);
}

struct scan_found *scan_next_found(struct scan *s)
{
    struct scan_found *f = &s->found[s->n_found++ % SCAN_FAILURES];
    free(f->params);
    free(f->message);
    *f = (struct scan_found){0};
    return f;
}

static char *read_text(const struct row_record *r, struct window *heap)
{
    size_t n = r->nbytes < WORDS_MOST ? (size_t)r->nbytes : WORDS_MOST;
    AUTO_FREE(char) text = xcalloc(n + 1, 1);
    if (window_read(heap, r->offset, n, text, NULL) != 0 ||
        (n == r->nbytes && crc_extend(0, text, n) != r->data_crc))
        return NULL;
    return steal(&text);
}

static void read_words(struct scan_found *f, struct window *records, struct window *heap)
{
    uint64_t n = f->n < RECORDS_MOST ? f->n : RECORDS_MOST;
    for (uint64_t i = 0; i < n; i++) {
        struct row_record r;
        if (window_read(records, f->first + i, 1, &r, NULL) != 0 ||
            !row_record_ok(&r, heap->dims[0]))
            return;
        if (r.kind == RESULT_PARAMS && f->params == NULL)
            f->params = read_text(&r, heap);
        else if (r.kind == RESULT_MESSAGE && f->message == NULL)
            f->message = read_text(&r, heap);
    }
}

static void look_up(struct scan *s, struct scan_found *f)
{
    struct window records = {0}, heap = {0};
    const struct scan_file *file = &s->files[f->file];
    AUTO_ID id = -1;
    f->looked = true;
    if (h5_open_unlocked(file->path, &id, NULL) != 0)
        return;
    if (window_open(
            &records, id, "records", H5P_DEFAULT, s->record_type, 1, 1u << 14, NULL) ==
            0 &&
        window_open(
            &heap, id, "heap", H5P_DEFAULT, H5T_NATIVE_UINT8, 1, 1u << 14, NULL) == 0 &&
        /* the file may be open, and what is known of it old */
        window_refresh(&records, NULL) == 0 && window_refresh(&heap, NULL) == 0)
        read_words(f, &records, &heap);
    window_close(&records);
    window_close(&heap);
}

void scan_look_up(struct scan *s)
{
    uint64_t n = s->n_found < SCAN_FAILURES ? s->n_found : SCAN_FAILURES;
    for (uint64_t i = 0; i < n; i++) {
        if (!s->found[i].looked)
            look_up(s, &s->found[i]);
    }
}

void scan_list_failures(struct scan *s)
{
    uint64_t n = s->n_found < SCAN_FAILURES ? s->n_found : SCAN_FAILURES;
    s->job.n_failures = 0;
    for (uint64_t i = 1; i <= n; i++) {
        struct scan_found *f = &s->found[(s->n_found - i) % SCAN_FAILURES];
        if (s->folder != NULL &&
            !taskset_has(s->sets[f->failure.stage].failed, f->failure.task))
            continue;
        f->failure.params = f->params != NULL ? f->params : "";
        f->failure.message = f->message != NULL ? f->message : "";
        s->job.failures[s->job.n_failures++] = f->failure;
    }
}
