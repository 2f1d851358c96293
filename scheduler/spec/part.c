/* See part.h. Invariant: reading it as a short form gives the same job again; keys stand
 * in one fixed order and defaults are left out. */
#include "part.h"
#include "written.h"

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

/* The mapping begins with the first limit that is no default. */
static void begin_limits(struct json *j, bool *open)
{
    if (*open)
        return;
    *open = true;
    json_key(j, "limits");
    json_begin(j, '{');
}

static void
put_limit(struct json *j, const char *key, uint64_t limit, uint64_t preset, bool *open)
{
    if (limit == preset)
        return;
    begin_limits(j, open);
    json_key(j, key);
    if (limit == UINT64_MAX)
        json_string(j, "inf");
    else
        json_uint(j, limit);
}

static void put_limits(struct json *j, const struct jobspec_limits *l)
{
    bool open = false;
    put_limit(j, "memory", l->memory, UINT64_MAX, &open);
    put_limit(j, "file-size", l->file_size, UINT64_MAX, &open);
    put_limit(j, "files", l->files, UINT64_MAX, &open);
    put_limit(j, "processes", l->processes, UINT64_MAX, &open);
    put_limit(j, "core", l->core, 0, &open);
    if (l->cpu >= 0) {
        begin_limits(j, &open);
        written_seconds(j, "cpu", l->cpu);
    }
    if (open)
        json_end(j, '}');
}

/* What tasks take of the ranks, and how many there are at once. */
static void put_running(struct json *j, const struct jobspec_stage *s)
{
    if (s->crash_limit != JOBSPEC_CRASH_LIMIT)
        json_put_int(j, "crash-limit", s->crash_limit);
    if (s->checkpoint > 0)
        written_seconds(j, "checkpoint", s->checkpoint);
    if (s->priority != 0)
        json_put_int(j, "priority", s->priority);
    if (s->max_in_flight > 0) {
        json_key(j, "max-in-flight");
        json_uint(j, s->max_in_flight);
    }
    if (s->task_cores > 0)
        json_put_int(j, "cores", s->task_cores);
    if (s->task_gpus > 0)
        json_put_int(j, "gpus", s->task_gpus);
}

static void put_command(struct json *j, const struct jobspec_stage *s)
{
    if (s->n_env > 0) {
        json_key(j, "env");
        written_env(j, s);
    }
    if (s->input.n > 0) {
        json_key(j, "stdin");
        written_text(j, &s->input);
    }
    if (s->inherit != NULL) {
        json_key(j, "inherit");
        json_begin(j, '[');
        for (unsigned i = 0; i < s->n_inherit; i++)
            json_string(j, s->inherit[i]);
        json_end(j, ']');
    }
    put_limits(j, &s->limits);
    if (s->most_output != JOBSPEC_MOST_OUTPUT) {
        json_key(j, "output-limit");
        json_uint(j, s->most_output);
    }
}

static void
put_stage(struct json *j, const struct jobspec *spec, const struct jobspec_stage *s)
{
    json_begin(j, '{');
    json_put_string(j, "name", s->name);
    if (s->kernel != NULL)
        json_put_string(
            j, "kernel", s->kernel_file != NULL ? s->kernel_file : s->kernel->name);
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
    if (s->shards_of != NULL) {
        json_key(j, "shards");
        written_shards(j, s);
    }
    if (s->kernel != NULL)
        put_args(j, s);
    put_needs(j, spec, s);
    if (s->timeout > 0)
        written_seconds(j, "timeout", s->timeout);
    if (s->retry_limit > 0)
        put_retry(j, s);
    put_running(j, s);
    put_command(j, s);
    json_end(j, '}');
}

/* What follows where the job is stopped or lost. */
static void put_ending(struct json *j, const struct jobspec *s)
{
    if (s->grace < JOBSPEC_GRACE || s->grace > JOBSPEC_GRACE)
        written_seconds(j, "grace", s->grace);
    if (s->restarts == JOBSPEC_RESTARTS && !s->stop_on_loss)
        return;
    json_key(j, "on-loss");
    json_begin(j, '{');
    if (s->restarts != JOBSPEC_RESTARTS)
        json_put_int(j, "restarts", s->restarts);
    if (s->stop_on_loss)
        json_put_string(j, "policy", "stop");
    json_end(j, '}');
}

/* Argument vectors, one after another. */
static void put_notify(struct json *j, const struct jobspec *s)
{
    const struct jobspec_template *word = s->notify;
    json_key(j, "notify");
    json_begin(j, '[');
    for (unsigned i = 0; i < s->n_notify; i++) {
        json_begin(j, '[');
        for (unsigned k = 0; k < s->notify_words[i]; k++)
            written_text(j, word++);
        json_end(j, ']');
    }
    json_end(j, ']');
}

static void put_results(struct json *j, const struct jobspec *s)
{
    bool packed = s->compress != NULL && strcmp(s->compress, "none") != 0;
    json_key(j, "results");
    if (!packed && s->pack == JOBSPEC_PACK_SINGLE && s->writers == JOBSPEC_WRITERS_RANK) {
        json_string(j, s->results);
        return;
    }
    json_begin(j, '{');
    json_put_string(j, "file", s->results);
    if (packed)
        json_put_string(j, "compress", s->compress);
    if (s->pack == JOBSPEC_PACK_SHARDED)
        json_put_string(j, "pack", "sharded");
    if (s->writers == JOBSPEC_WRITERS_HOST)
        json_put_string(j, "writers", "host");
    json_end(j, '}');
}

static void put_pattern(struct json *j, const struct pattern *p)
{
    json_key(j, "pattern");
    if (p->kind == PATTERN_RING || p->kind == PATTERN_TREE) {
        json_string(j, p->kind == PATTERN_RING ? "ring" : "tree");
        return;
    }
    json_begin(j, '{');
    if (p->kind == PATTERN_ALL_TO_ALL)
        json_put_int(j, "all-to-all", p->group);
    else if (p->kind == PATTERN_MATRIX)
        json_put_string(j, "matrix", p->written);
    else {
        json_key(j, "stencil-2d");
        json_begin(j, '[');
        json_uint(j, p->rows);
        json_uint(j, p->columns);
        json_end(j, ']');
    }
    json_end(j, '}');
}

/* As a text where that says it all: `numa` alone would be our word. */
static void put_map_by(struct json *j, const struct jobspec *s)
{
    json_key(j, "mapping");
    if (s->rank_by == NULL && s->bind_to == NULL && strcmp(s->mapping, "numa") != 0) {
        json_string(j, s->mapping);
        return;
    }
    json_begin(j, '{');
    json_put_string(j, "map-by", s->mapping);
    if (s->rank_by != NULL)
        json_put_string(j, "rank-by", s->rank_by);
    if (s->bind_to != NULL)
        json_put_string(j, "bind-to", s->bind_to);
    json_end(j, '}');
}

static void put_placing(struct json *j, const struct jobspec *s)
{
    bool by_nodes = s->nodes > 0 && s->ranks_per_node > 0;
    if (!by_nodes && s->nodes > 0)
        json_put_int(j, "nodes", s->nodes);
    if (!by_nodes && s->ranks_per_node > 0)
        json_put_int(j, "ranks-per-node", s->ranks_per_node);
    if (s->threads > 0)
        json_put_int(j, "threads", s->threads);
    if (s->memory > 0) {
        json_key(j, "memory");
        json_uint(j, s->memory);
    }
    if (s->map_by)
        put_map_by(j, s);
    else if (strcmp(s->mapping, "auto") != 0)
        json_put_string(j, "mapping", s->mapping);
    if (s->hosts != NULL)
        json_put_string(j, "hosts", s->hosts);
    if (s->pattern != NULL)
        put_pattern(j, s->pattern);
    if (s->oversubscribe)
        json_put_bool(j, "oversubscribe", true);
    if (s->verify != NULL)
        json_put_string(j, "verify-binding", s->verify);
}

void part_write(struct json *j, const struct jobspec *s)
{
    json_begin(j, '{');
    put_placing(j, s);
    put_ending(j, s);
    json_key(j, "tasks");
    json_begin(j, '[');
    for (unsigned i = 0; i < s->n_stages; i++)
        put_stage(j, s, &s->stages[i]);
    json_end(j, ']');
    put_results(j, s);
    if (s->telemetry > 0) {
        json_key(j, "telemetry");
        json_begin(j, '{');
        written_seconds(j, "every", s->telemetry);
        json_end(j, '}');
    }
    if (s->n_notify > 0)
        put_notify(j, s);
    json_end(j, '}');
}
