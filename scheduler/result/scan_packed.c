/* See scan_inner.h: the same counts of a packed file, which is read once. */
#include "base/arena.h"
#include "base/memory.h"
#include "scan_inner.h"

static const char *copy(struct scan *s, const char *text)
{
    return arena_strdup(s->head.arena, text != NULL ? text : "");
}

static char *text_of(
    struct reader *r, unsigned stage, uint64_t task, uint32_t kind, struct gm_error *err)
{
    struct reader_value v = {0};
    return reader_value(r, stage, task, kind, 0, &v, err) == 0 ? v.data : NULL;
}

static void keep_failure(struct scan *s,
                         struct reader *r,
                         unsigned stage,
                         uint64_t task,
                         const struct reader_task *t)
{
    struct scan_found *f = scan_next_found(s);
    f->failure = (struct scan_failure){.stage = stage,
                                       .task = task,
                                       .attempt = t->attempts,
                                       .rank = t->rank,
                                       .end = t->end};
    f->params = text_of(r, stage, task, RESULT_PARAMS, NULL);
    f->message = text_of(r, stage, task, RESULT_MESSAGE, NULL);
}

/* The failures that are kept are those that ended last; a ring keeps what comes last, so
 * one that ended before all that it has is passed over once it is full. */
static bool is_late(const struct scan *s, double end)
{
    if (s->n_found < SCAN_FAILURES)
        return true;
    return end >= s->found[s->n_found % SCAN_FAILURES].failure.end;
}

static void take_task(struct scan_stage *stage, const struct reader_task *t)
{
    stage->done += t->status == RESULT_DONE;
    stage->failed += t->status == RESULT_FAILED;
    stage->skipped += t->status == RESULT_SKIPPED;
    if (t->status == RESULT_SKIPPED || t->attempts == 0)
        return;
    bool over = t->status == RESULT_DONE || t->status == RESULT_FAILED;
    stage->retried += t->attempts - over;
    stage->fresh += over;
    stage->first = stage->first <= 0 || t->start < stage->first ? t->start : stage->first;
    stage->last = t->end > stage->last ? t->end : stage->last;
    stage->busy_s +=
        (t->end - t->start) / (double)(t->timed_with > 1 ? t->timed_with : 1);
}

static int take_stage(struct scan *s, struct reader *r, unsigned i, struct gm_error *err)
{
    struct scan_stage *stage = &s->job.stages[i];
    const struct reader_stage *from = reader_stage(r, i);
    *stage = (struct scan_stage){.name = copy(s, from->name), .n_tasks = from->n_tasks};
    for (uint64_t task = 0; task < from->n_tasks; task++) {
        struct reader_task t;
        int rc = reader_task(r, i, task, &t, err);
        if (rc != 0)
            return rc;
        take_task(stage, &t);
        if (t.status == RESULT_FAILED && is_late(s, t.end))
            keep_failure(s, r, i, task, &t);
        if (t.rank < s->job.n_ranks && t.attempts > 0) {
            struct scan_rank *rank = &s->job.ranks[t.rank];
            rank->last = t.end > rank->last ? t.end : rank->last;
        }
    }
    if (stage->first > 0 && (s->job.first <= 0 || stage->first < s->job.first))
        s->job.first = stage->first;
    s->job.last = stage->last > s->job.last ? stage->last : s->job.last;
    return 0;
}

static int take_ranks(struct scan *s, struct reader *r, struct gm_error *err)
{
    s->job.n_ranks = reader_n_ranks(r);
    s->job.ranks = xcalloc(s->job.n_ranks + 1u, sizeof(*s->job.ranks));
    for (unsigned i = 0; i < s->job.n_ranks; i++) {
        struct reader_rank rank = {0};
        int rc = reader_rank(r, i, &rank, err);
        if (rc != 0)
            return rc;
        s->job.ranks[i] = (struct scan_rank){.host = copy(s, rank.host),
                                             .tasks = rank.tasks,
                                             .busy_s = rank.busy_s,
                                             .lost = rank.lost,
                                             .lost_why = copy(s, rank.lost_why)};
    }
    return 0;
}

int scan_of_packed(const char *path, struct scan *s, struct gm_error *err)
{
    AUTO(reader) r = NULL;
    int rc = reader_open(path, &r, err);
    if (rc != 0)
        return rc;
    s->head.arena = arena_make();
    s->job.packed = true;
    s->job.version = 1;
    s->job.name = copy(s, reader_job_text(r, "name"));
    s->job.id = copy(s, reader_job_text(r, "id"));
    s->job.n_stages = reader_n_stages(r);
    s->job.stages = xcalloc(s->job.n_stages + 1u, sizeof(*s->job.stages));
    rc = take_ranks(s, r, err);
    for (unsigned i = 0; rc == 0 && i < s->job.n_stages; i++)
        rc = take_stage(s, r, i, err);
    if (rc == 0)
        scan_list_failures(s);
    return rc;
}
