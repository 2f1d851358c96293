/* See tasks.h, tasks_common_json: what is equal for all tasks of a stage, as the results
 * keep it and as the result hash covers it. Invariant: with digests the text depends on
 * what the input files hold and not on where they lie. */
#include "base/memory.h"
#include "base/strmap.h"
#include "load.h"
#include "spec/tasks.h"
#include "value.h"
#include "written.h"
#include <stdlib.h>

/* The plain look (unit 0) of each path. */
static struct strmap *index_sources(const struct jobspec *spec)
{
    struct strmap *m = strmap_make();
    for (unsigned i = 0; i < spec->n_sources; i++) {
        if (spec->sources[i].unit == 0)
            strmap_put(m, spec->sources[i].path, i);
    }
    return m;
}

static void put_digest(struct json *j, const char *sha256)
{
    json_begin(j, '{');
    json_put_string(j, "sha256", sha256);
    json_end(j, '}');
}

static const char *
digest_of(const struct jobspec *spec, const struct strmap *m, const char *path)
{
    size_t i;
    return strmap_get(m, path, &i) ? spec->sources[i].sha256 : "";
}

struct order {
    const char *name;
    unsigned i;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct order *)a)->name, ((const struct order *)b)->name);
}

/* The parameters of a kernel by name; yours to free. */
static struct order *sorted_params(const struct gm_kernel *k)
{
    struct order *all = xcalloc(k->n_params, sizeof(*all));
    for (unsigned i = 0; i < k->n_params; i++)
        all[i] = (struct order){.name = k->params[i].name, .i = i};
    qsort(all, k->n_params, sizeof(*all), by_name);
    return all;
}

static void put_args(struct json *j,
                     const struct jobspec *spec,
                     const struct jobspec_stage *s,
                     const struct strmap *digests)
{
    AUTO_FREE(struct order) order = sorted_params(s->kernel);
    json_begin(j, '{');
    for (unsigned k = 0; k < s->kernel->n_params; k++) {
        const struct jobspec_arg *arg = &s->args[order[k].i];
        if (!arg->fixed || arg->value.type == 0)
            continue;
        json_key(j, order[k].name);
        if (!value_is_path(arg->value.type))
            value_json(j, &arg->value);
        else if (digests != NULL)
            put_digest(j, digest_of(spec, digests, arg->value.as.s));
        else
            json_string(j, arg->text);
    }
    json_end(j, '}');
}

/* Files that an argument names over its axes stand in the tasks' rows by their names;
 * what they hold is told here, once, in the order of the axes. */
static void put_inputs(struct json *j,
                       const struct jobspec *spec,
                       const struct jobspec_stage *s,
                       const struct strmap *digests)
{
    bool open = false;
    for (unsigned i = 0; i < s->kernel->n_params; i++) {
        const struct jobspec_arg *arg = &s->args[i];
        if (arg->n_paths == 0)
            continue;
        if (!open) {
            json_key(j, "inputs");
            json_begin(j, '{');
            open = true;
        }
        json_key(j, s->kernel->params[i].name);
        json_begin(j, '[');
        for (unsigned p = 0; p < arg->n_paths; p++)
            json_string(j, digest_of(spec, digests, arg->paths[p]));
        json_end(j, ']');
    }
    if (open)
        json_end(j, '}');
}

/* What commands read: each file by what it holds, in the order of the axes; what stages
 * compute, and shards, as written. */
static void put_stdin(struct json *j,
                      const struct jobspec *spec,
                      const struct jobspec_stage *s,
                      const struct strmap *digests)
{
    json_key(j, "stdin");
    if (digests == NULL || s->n_input_paths == 0) {
        written_text(j, &s->input);
        return;
    }
    json_begin(j, '[');
    for (unsigned i = 0; i < s->n_input_paths; i++)
        json_string(j, digest_of(spec, digests, s->input_paths[i]));
    json_end(j, ']');
}

/* The data set's digest, or those of the data sets over the axes in their order. */
static void put_shard_digests(struct json *j, const struct jobspec_stage *s)
{
    json_begin(j, '{');
    json_key(j, "of");
    if (s->n_shards_over > 0)
        json_begin(j, '[');
    else
        put_digest(j, s->shards_of->sha256);
    for (unsigned i = 0; i < s->n_shards_over; i++)
        put_digest(j, s->shards_over[i]->sha256);
    if (s->n_shards_over > 0)
        json_end(j, ']');
    json_key(j, jobspec_unit_name(s->shards_of->unit));
    json_uint(j, s->shard_rows);
    json_end(j, '}');
}

char *tasks_common_json(const struct jobspec *spec, unsigned stage, bool with_digests)
{
    const struct jobspec_stage *s = &spec->stages[stage];
    AUTO(strmap) digests = with_digests ? index_sources(spec) : NULL;
    AUTO_JSON j = {0};
    json_begin(&j, '{');
    if (s->kernel != NULL) {
        json_put_string(&j, "kernel", s->kernel->name);
        json_key(&j, "args");
        put_args(&j, spec, s, digests);
        if (with_digests)
            put_inputs(&j, spec, s, digests);
    } else {
        json_key(&j, "command");
        written_command(&j, s);
        json_key(&j, "env");
        written_env(&j, s);
        if (s->input.n > 0)
            put_stdin(&j, spec, s, digests);
    }
    if (s->shards_of != NULL) {
        json_key(&j, "shards");
        if (with_digests)
            put_shard_digests(&j, s);
        else
            written_shards(&j, s);
    }
    json_end(&j, '}');
    return str_steal(&j.out);
}
