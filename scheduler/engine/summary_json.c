/* A summary for programs: "gridmill.summary/1". Invariant: what is not known is null, and
 * a number has all its digits. */
#include "base/json.h"
#include "summary_data.h"
#include <math.h>

static void put_output(struct json *j, const struct summary_output *o)
{
    json_key(j, o->name);
    json_begin(j, '{');
    json_put_string(j, "summary", summary_kind_name(o->kind));
    json_put_string(j, "unit", o->unit);
    json_put_int(j, "tasks", (int64_t)o->n);
    if (o->kind == GM_SUM_MATRIX) {
        json_key(j, "value");
        json_begin(j, '[');
        for (uint64_t i = 0; i < o->rows; i++) {
            json_begin(j, '[');
            for (uint64_t k = 0; k < o->cols; k++)
                json_double(j, o->cells[i * o->cols + k]);
            json_end(j, ']');
        }
        json_end(j, ']');
    } else {
        json_key(j, "value");
        if (o->integral && o->n > 0 && fabs(o->value) < 9e15)
            json_int(j, (int64_t)o->value);
        else
            json_double(j, o->value);
    }
    if (o->n > 0 && (o->kind == GM_SUM_BEST || o->kind == GM_SUM_LEAST)) {
        json_put_int(j, "task", (int64_t)o->task);
        json_put_string(j, "params", o->params);
    }
    if (o->weight != NULL)
        json_put_string(j, "weight", o->weight);
    json_end(j, '}');
}

static void put_stage(struct json *j, const struct summary_stage *s)
{
    json_begin(j, '{');
    json_put_string(j, "name", s->name);
    json_put_string(j, "kernel", *s->kernel != '\0' ? s->kernel : NULL);
    json_put_int(j, "tasks", (int64_t)s->n_tasks);
    json_put_int(j, "done", (int64_t)s->done);
    json_put_int(j, "failed", (int64_t)s->failed);
    json_put_int(j, "skipped", (int64_t)s->skipped);
    json_put_int(j, "open", (int64_t)s->open);
    json_put_int(j, "attempts", (int64_t)s->attempts);
    json_put_double(j, "seconds", s->end - s->start);
    json_put_double(j, "busy", s->busy);
    json_key(j, "outputs");
    json_begin(j, '{');
    for (unsigned i = 0; i < s->n_outputs; i++)
        put_output(j, &s->outputs[i]);
    json_end(j, '}');
    json_end(j, '}');
}

static void put_headline(struct json *j, const struct summary *s)
{
    unsigned stage = 0;
    const struct summary_output *o = summary_headline(s, &stage);
    json_key(j, "headline");
    if (o == NULL) {
        json_null(j);
        return;
    }
    json_begin(j, '{');
    json_put_string(j, "stage", s->stages[stage].name);
    json_put_string(j, "output", o->name);
    json_put_string(j, "summary", summary_kind_name(o->kind));
    json_put_double(j, "value", o->value);
    json_end(j, '}');
}

static void put_ranks(struct json *j, const struct summary *s)
{
    json_key(j, "ranks");
    json_begin(j, '[');
    for (unsigned i = 0; i < s->n_ranks; i++) {
        const struct summary_rank *r = &s->ranks[i];
        json_begin(j, '{');
        json_put_string(j, "host", r->host);
        json_put_string(j, "device", r->device);
        json_put_string(j, "cpus", r->cpus);
        json_put_string(j, "seen", *r->seen != '\0' ? r->seen : NULL);
        json_put_int(j, "tasks", (int64_t)r->tasks);
        json_put_double(j, "busy", r->busy);
        json_put_double(j, "lost", r->lost > 0 ? r->lost : (double)NAN);
        json_put_string(j, "why", r->lost > 0 ? r->why : NULL);
        json_end(j, '}');
    }
    json_end(j, ']');
}

static void put_failures(struct json *j, const struct summary *s)
{
    json_key(j, "failures");
    json_begin(j, '[');
    for (unsigned i = 0; i < s->n_failures; i++) {
        const struct summary_failure *f = &s->failures[i];
        json_begin(j, '{');
        json_put_string(j, "stage", s->stages[f->stage].name);
        json_put_int(j, "task", (int64_t)f->task);
        json_put_string(j, "params", f->params);
        json_put_string(j, "message", f->message);
        json_put_int(j, "exit_code", f->exit_code);
        json_put_int(j, "signal", f->signal);
        json_end(j, '}');
    }
    json_end(j, ']');
}

char *summary_json(const struct summary *s)
{
    AUTO_JSON j = {.pretty = true};
    json_begin(&j, '{');
    json_put_string(&j, "schema", "gridmill.summary/1");
    json_put_string(&j, "outcome", summary_outcome(s));
    json_put_int(&j, "code", (int64_t)summary_exit(s));
    json_put_string(&j, "verdict", s->verdict);
    json_put_string(&j, "name", s->name);
    json_put_string(&j, "id", s->id);
    json_put_string(&j, "build", s->build);
    json_put_string(&j, "results", s->path);
    json_put_bool(&j, "packed", s->packed);
    json_put_int(&j, "bytes", (int64_t)s->bytes);
    json_put_int(&j, "tasks", (int64_t)summary_tasks(s));
    json_put_int(&j, "committed", (int64_t)summary_committed(s));
    json_put_double(&j, "seconds", summary_wall(s));
    put_headline(&j, s);
    json_key(&j, "stages");
    json_begin(&j, '[');
    for (unsigned i = 0; i < s->n_stages; i++)
        put_stage(&j, &s->stages[i]);
    json_end(&j, ']');
    put_ranks(&j, s);
    summary_put_receipt(&j, s);
    put_failures(&j, s);
    json_key(&j, "phases");
    json_begin(&j, '{');
    for (unsigned i = 0; i < s->n_phases; i++)
        json_put_double(&j, s->phases[i].name, s->phases[i].s);
    json_end(&j, '}');
    json_end(&j, '}');
    return str_steal(&j.out);
}
