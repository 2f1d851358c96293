/* See canonical.h. Invariant: the text depends on the loaded spec alone; keys stand in
 * one fixed order and defaults are left out. */
#include "spec/canonical.h"
#include "base/file.h"
#include "written.h"
#include <math.h>

/* Whole seconds without a point, as people and Flux write them. */
static void put_seconds(struct json *j, const char *key, double s)
{
    json_key(j, key);
    if (s < 9e15 && floor(s) == s)
        json_int(j, (int64_t)s);
    else
        json_double(j, s);
}

static void open_vertex(struct json *j, const char *type, unsigned count)
{
    json_begin(j, '{');
    json_put_string(j, "type", type);
    json_key(j, "count");
    if (count > 0) {
        json_uint(j, count);
    } else { /* ranks: auto */
        json_begin(j, '{');
        json_put_int(j, "min", 1);
        json_end(j, '}');
    }
}

static void put_slot(struct json *j, const struct jobspec *s, unsigned count)
{
    open_vertex(j, "slot", count);
    json_put_string(j, "label", "rank");
    json_key(j, "with");
    json_begin(j, '[');
    open_vertex(j, "core", s->cores > 0 ? s->cores : 1);
    json_end(j, '}');
    if (s->gpus > 0) {
        open_vertex(j, "gpu", s->gpus);
        json_end(j, '}');
    }
    json_end(j, ']');
    json_end(j, '}');
}

static bool by_nodes(const struct jobspec *s)
{
    return s->nodes > 0 && s->ranks_per_node > 0;
}

static void put_resources(struct json *j, const struct jobspec *s)
{
    json_key(j, "resources");
    json_begin(j, '[');
    if (by_nodes(s)) {
        open_vertex(j, "node", s->nodes);
        json_key(j, "with");
        json_begin(j, '[');
        put_slot(j, s, s->ranks_per_node);
        json_end(j, ']');
        json_end(j, '}');
    } else {
        put_slot(j, s, s->ranks);
    }
    json_end(j, ']');
}

static void put_tasks(struct json *j, const struct jobspec *s)
{
    AUTO_FREE(char)
    file = strcmp(s->file, "-") == 0 ? NULL : file_absolute(NULL, s->file);
    json_key(j, "tasks");
    json_begin(j, '[');
    json_begin(j, '{');
    json_key(j, "command");
    json_begin(j, '[');
    json_string(j, "gridmill-runner");
    json_string(j, file != NULL ? file : "-");
    json_end(j, ']');
    json_put_string(j, "slot", "rank");
    json_key(j, "count");
    json_begin(j, '{');
    json_put_int(j, "per_slot", 1);
    json_end(j, '}');
    json_end(j, '}');
    json_end(j, ']');
}

static void put_system(struct json *j, const struct jobspec *s)
{
    json_key(j, "system");
    json_begin(j, '{');
    put_seconds(j, "duration", s->time);
    json_put_string(j, "cwd", s->dir);
    json_key(j, "job");
    json_begin(j, '{');
    json_put_string(j, "name", s->name);
    json_end(j, '}');
    json_end(j, '}');
}

static void put_matrix(struct json *j, const struct jobspec_stage *s)
{
    json_key(j, "matrix");
    json_begin(j, '{');
    for (unsigned i = 0; i < s->n_axes; i++) {
        json_key(j, s->axes[i].name);
        written_axis(j, &s->axes[i]);
    }
    json_end(j, '}');
}

static void put_shards(struct json *j, const struct jobspec_stage *s)
{
    json_key(j, "shards");
    json_begin(j, '{');
    json_put_string(j, "of", s->shards_of->written);
    json_key(j, s->shards_of->unit == GM_LINES ? "lines" : "rows");
    json_uint(j, s->shard_rows);
    json_end(j, '}');
}

static void put_args(struct json *j, const struct jobspec_stage *s)
{
    bool open = false;
    for (unsigned i = 0; i < s->kernel->n_params; i++) {
        if (!s->args[i].given)
            continue;
        if (!open) {
            json_key(j, "args");
            json_begin(j, '{');
            open = true;
        }
        json_key(j, s->kernel->params[i].name);
        written_arg(j, &s->args[i]);
    }
    if (open)
        json_end(j, '}');
}

static void
put_needs(struct json *j, const struct jobspec *spec, const struct jobspec_stage *s)
{
    bool open = false;
    for (unsigned i = 0; i < s->n_needs; i++) {
        if (!s->needs[i].said)
            continue;
        if (!open) {
            json_key(j, "needs");
            json_begin(j, '[');
            open = true;
        }
        json_string(j, spec->stages[s->needs[i].stage].name);
    }
    if (open)
        json_end(j, ']');
}

static void put_retry(struct json *j, const struct jobspec_stage *s)
{
    static const char *const words[] = {"exit", "signal", "timeout", "node"};
    json_key(j, "retry");
    json_begin(j, '{');
    json_put_int(j, "limit", s->retry_limit);
    json_key(j, "on");
    json_begin(j, '[');
    for (unsigned i = 0; i < 4; i++) {
        if ((s->retry_on & 1u << i) != 0)
            json_string(j, words[i]);
    }
    json_end(j, ']');
    json_end(j, '}');
}

static void
put_stage(struct json *j, const struct jobspec *spec, const struct jobspec_stage *s)
{
    json_begin(j, '{');
    json_put_string(j, "name", s->name);
    if (s->kernel != NULL)
        json_put_string(j, "kernel", s->kernel->name);
    if (s->kernel == NULL) {
        json_key(j, "command");
        written_command(j, s);
    }
    if (s->group == 0)
        json_put_string(j, "group", "all");
    else if (s->group > 1)
        json_put_int(j, "group", s->group);
    if (s->n_axes > 0)
        put_matrix(j, s);
    if (s->shards_of != NULL)
        put_shards(j, s);
    if (s->kernel != NULL)
        put_args(j, s);
    put_needs(j, spec, s);
    if (s->timeout > 0)
        put_seconds(j, "timeout", s->timeout);
    if (s->retry_limit > 0)
        put_retry(j, s);
    if (s->n_env > 0) {
        json_key(j, "env");
        written_env(j, s);
    }
    json_end(j, '}');
}

/* What Flux has no word for. */
static void put_gridmill(struct json *j, const struct jobspec *s)
{
    json_key(j, "gridmill");
    json_begin(j, '{');
    if (!by_nodes(s) && s->nodes > 0)
        json_put_int(j, "nodes", s->nodes);
    if (!by_nodes(s) && s->ranks_per_node > 0)
        json_put_int(j, "ranks-per-node", s->ranks_per_node);
    if (s->memory > 0) {
        json_key(j, "memory");
        json_uint(j, s->memory);
    }
    if (strcmp(s->mapping, "auto") != 0)
        json_put_string(j, "mapping", s->mapping);
    if (s->oversubscribe)
        json_put_bool(j, "oversubscribe", true);
    json_key(j, "tasks");
    json_begin(j, '[');
    for (unsigned i = 0; i < s->n_stages; i++)
        put_stage(j, s, &s->stages[i]);
    json_end(j, ']');
    json_put_string(j, "results", s->results);
    json_end(j, '}');
}

char *canonical_format(const struct jobspec *spec, bool pretty)
{
    AUTO_JSON j = {.pretty = pretty};
    bool numbered = spec->ranks > 0;
    json_begin(&j, '{');
    json_put_int(&j, "version", numbered ? 1 : 999);
    put_resources(&j, spec);
    put_tasks(&j, spec);
    json_key(&j, "attributes");
    json_begin(&j, '{');
    put_system(&j, spec);
    json_key(&j, "user");
    json_begin(&j, '{');
    put_gridmill(&j, spec);
    json_end(&j, '}');
    json_end(&j, '}');
    json_end(&j, '}');
    return str_steal(&j.out);
}
