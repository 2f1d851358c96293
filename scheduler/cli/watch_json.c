/* See watch_draw.h: one line for programs. What is not known is null. */
#include "base/json.h"
#include "watch_draw.h"

static void put_time(struct json *j, const char *key, double v, bool known)
{
    json_key(j, key);
    if (known)
        json_double(j, v);
    else
        json_null(j);
}

static void put_uint(struct json *j, const char *key, uint64_t v)
{
    json_key(j, key);
    json_uint(j, v);
}

/* stage: n_stages for all of the job. */
static void put_pace(struct json *j, const struct watch_view *v, unsigned stage)
{
    bool at_least = false;
    double left =
        v->state == FOLLOW_RUNNING ? pace_left(v->job, stage, v->now, &at_least) : -1;
    json_put_double(j, "rate", pace_rate(v->pace, stage));
    put_time(j, "left", left, left >= 0);
    json_put_bool(j, "at_least", at_least);
}

static void put_counts(struct json *j, const struct scan_stage *s)
{
    put_uint(j, "tasks", s->n_tasks);
    put_uint(j, "done", s->done);
    put_uint(j, "failed", s->failed);
    put_uint(j, "skipped", s->skipped);
    put_uint(j, "retried", s->retried);
}

static void put_stages(struct json *j, const struct watch_view *v)
{
    json_key(j, "stages");
    json_begin(j, '[');
    for (unsigned i = 0; i < v->job->n_stages; i++) {
        json_begin(j, '{');
        json_put_string(j, "name", v->job->stages[i].name);
        put_counts(j, &v->job->stages[i]);
        put_pace(j, v, i);
        json_end(j, '}');
    }
    json_end(j, ']');
}

static void put_ranks(struct json *j, const struct watch_view *v)
{
    json_key(j, "ranks");
    json_begin(j, '[');
    for (unsigned i = 0; i < v->job->n_ranks; i++) {
        const struct scan_rank *r = &v->job->ranks[i];
        json_begin(j, '{');
        json_put_int(j, "rank", i);
        json_put_string(j, "host", r->host);
        put_uint(j, "tasks", r->tasks);
        json_put_double(j, "busy", watch_busy(v, r));
        put_time(j, "last", r->last, r->last > 0);
        json_put_bool(j, "stale", watch_is_stale(v, r));
        put_time(j, "lost", r->lost, r->lost > 0);
        json_put_string(j, "lost_why", r->lost > 0 ? r->lost_why : NULL);
        json_end(j, '}');
    }
    json_end(j, ']');
}

static void put_failures(struct json *j, const struct watch_view *v)
{
    json_key(j, "failures");
    json_begin(j, '[');
    for (unsigned i = 0; i < v->job->n_failures; i++) {
        const struct scan_failure *f = &v->job->failures[i];
        json_begin(j, '{');
        json_put_string(j, "stage", v->job->stages[f->stage].name);
        put_uint(j, "task", f->task);
        put_uint(j, "attempt", f->attempt);
        put_uint(j, "rank", f->rank);
        put_time(j, "end", f->end, f->end > 0);
        json_put_string(j, "params", f->params);
        json_put_string(j, "message", f->message);
        json_end(j, '}');
    }
    json_end(j, ']');
}

static void put_job(struct json *j, const struct watch_view *v)
{
    struct scan_stage all = {0};
    for (unsigned i = 0; i < v->job->n_stages; i++) {
        const struct scan_stage *s = &v->job->stages[i];
        all.n_tasks += s->n_tasks;
        all.done += s->done;
        all.failed += s->failed;
        all.skipped += s->skipped;
        all.retried += s->retried;
    }
    json_put_string(j, "name", v->job->name);
    json_put_string(j, "id", v->job->id);
    json_put_int(j, "launch", v->job->launch);
    put_counts(j, &all);
    put_pace(j, v, v->job->n_stages);
    put_time(j, "start", v->job->first, v->job->first > 0);
    put_time(j, "last", v->job->last, v->job->last > 0);
    put_stages(j, v);
    put_ranks(j, v);
    put_failures(j, v);
}

void watch_json(const struct watch_view *v, struct str *out)
{
    AUTO_JSON j = {0};
    AUTO_STR resume = {0};
    static const char *const outcomes[] = {[ENGINE_DONE] = "done",
                                           [ENGINE_TASK_FAILED] = "failed",
                                           [ENGINE_USAGE] = NULL,
                                           [ENGINE_CANNOT_FIT] = NULL,
                                           [ENGINE_INTERNAL] = NULL,
                                           [ENGINE_INCOMPLETE] = "incomplete"};
    bool ended = !watch_goes_on(v) && v->state != FOLLOW_NOTHING;
    str_add(&resume, "gridmill resume ");
    str_add_shell(&resume, v->file);
    json_begin(&j, '{');
    json_put_string(&j, "schema", "gridmill.watch/1");
    json_put_double(&j, "time", v->now);
    json_put_string(&j, "file", v->file);
    json_put_string(&j, "state", follow_state_name(v->state));
    json_put_string(&j, "outcome", ended ? outcomes[v->code] : NULL);
    json_key(&j, "code");
    if (ended)
        json_int(&j, v->code);
    else
        json_null(&j);
    json_put_string(&j, "resume", v->state == FOLLOW_STOPPED ? resume.text : NULL);
    if (v->job != NULL)
        put_job(&j, v);
    json_end(&j, '}');
    str_printf(out, "%s\n", j.out.text);
}
