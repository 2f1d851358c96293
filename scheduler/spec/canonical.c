/* See canonical.h. Invariant: the text depends on the loaded spec alone; keys stand in
 * one fixed order and defaults are left out. */
#include "spec/canonical.h"
#include "base/file.h"
#include "part.h"
#include "rewrite.h"
#include "spec/flux.h"
#include "written.h"

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
    json_put_string(j, "label", s->flux != NULL ? s->flux->tasks[0].slot : "rank");
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
    if (s->several) {
        char number[16];
        (void)snprintf(number, sizeof(number), "%u", s->document);
        json_string(j, "--document");
        json_string(j, number);
    }
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

static void put_needs(struct json *j, const struct jobspec *s)
{
    json_key(j, "dependencies");
    json_begin(j, '[');
    for (unsigned i = 0; i < s->n_after; i++)
        dependency_json(j, &s->after[i]);
    json_end(j, ']');
}

static void put_system(struct json *j, const struct jobspec *s)
{
    json_key(j, "system");
    json_begin(j, '{');
    written_seconds(j, "duration", s->time);
    json_put_string(j, "cwd", s->dir);
    json_key(j, "job");
    json_begin(j, '{');
    json_put_string(j, "name", s->name);
    json_end(j, '}');
    if (s->n_after > 0)
        put_needs(j, s);
    if (s->constraints != NULL) {
        json_key(j, "constraints");
        constraint_json(j, s->constraints);
    }
    json_end(j, '}');
}

static void put_attributes(struct json *j, const struct jobspec *s)
{
    json_key(j, "attributes");
    json_begin(j, '{');
    put_system(j, s);
    json_key(j, "user");
    json_begin(j, '{');
    json_key(j, "gridmill");
    part_write(j, s);
    json_end(j, '}');
    json_end(j, '}');
}

char *canonical_format(const struct jobspec *spec, bool pretty)
{
    AUTO_JSON j = {.pretty = pretty};
    bool again = spec->flux != NULL;
    json_begin(&j, '{');
    json_put_int(&j,
                 "version",
                 again             ? rewrite_version(spec)
                 : spec->ranks > 0 ? 1
                                   : 999);
    if (again && rewrite_keeps_resources(spec))
        rewrite_resources(&j, spec);
    else
        put_resources(&j, spec);
    if (again)
        rewrite_tasks(&j, spec);
    else
        put_tasks(&j, spec);
    if (again)
        rewrite_attributes(&j, spec);
    else
        put_attributes(&j, spec);
    json_end(&j, '}');
    return str_steal(&j.out);
}

const char *canonical_note(const struct jobspec *spec)
{
    if (spec->resources != NULL || spec->ranks > 0)
        return NULL;
    return "ranks: auto has no number, so the canonical form asks for {min: 1} slots "
           "under version 999; Flux's version 1 wants a number: give --set ranks=N";
}
