/* See plan_tasks.h. Invariant: a task costs the same whatever its number is, and however
 * many there are. */
#include "plan_tasks.h"
#include "base/memory.h"
#include "engine/engine.h"
#include "say.h"
#include "spec/tasks.h"
#include "spec/value.h"
#include <inttypes.h>

enum { MOST_TASKS = 1000 };

struct choice {
    unsigned stage;
    uint64_t first, last;
};

/* A task and what it will get. */
struct shown {
    const struct jobspec *spec;
    const struct jobspec_stage *s;
    uint64_t index;
    struct tasks_preview gets;
};

/* which */

static int
stages_named(const struct jobspec *spec, const char *which, struct gm_error *err)
{
    AUTO_STR names = {0};
    for (unsigned i = 0; i < spec->n_stages && i < 8; i++)
        str_printf(&names,
                   "%s%s:%s",
                   i == 0                    ? ""
                   : i + 1 == spec->n_stages ? " or "
                                             : ", ",
                   spec->stages[i].name,
                   which);
    return gm_fail(err,
                   -EINVAL,
                   "--tasks %s: the job has %u stages: write %s%s",
                   which,
                   spec->n_stages,
                   names.text,
                   spec->n_stages > 8 ? ", ..." : "");
}

static int find_stage(const struct jobspec *spec,
                      const char *name,
                      unsigned *ret,
                      struct gm_error *err)
{
    AUTO_FREE(const char *) names = xcalloc(spec->n_stages, sizeof(*names));
    for (unsigned i = 0; i < spec->n_stages; i++) {
        names[i] = spec->stages[i].name;
        if (strcmp(names[i], name) == 0) {
            *ret = i;
            return 0;
        }
    }
    const char *near = str_nearest(name, names, spec->n_stages);
    return gm_fail(err,
                   -EINVAL,
                   "--tasks %s: no stage has this name%s%s%s",
                   name,
                   near != NULL ? "; did you mean '" : "",
                   near != NULL ? near : "",
                   near != NULL ? "'?" : "");
}

/* Decimal digits, at most 19 of them. */
static bool read_number(const char **text, uint64_t *ret)
{
    uint64_t v = 0;
    const char *p = *text;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (p - *text == 19)
            return false;
        v = 10 * v + (uint64_t)(*p - '0');
    }
    bool any = p > *text;
    *text = p;
    *ret = v;
    return any;
}

static int
check_range(const struct jobspec *spec, const struct choice *c, struct gm_error *err)
{
    const struct jobspec_stage *s = &spec->stages[c->stage];
    if (c->first > c->last)
        return gm_fail(err,
                       -EINVAL,
                       "--tasks %" PRIu64 "-%" PRIu64 ": ends before it begins",
                       c->first,
                       c->last);
    if (c->last >= s->n_tasks)
        return gm_fail(err,
                       -EINVAL,
                       "--tasks %" PRIu64 ": stage %s has %" PRIu64
                       " task%s: 0 to %" PRIu64,
                       c->last,
                       s->name,
                       s->n_tasks,
                       s->n_tasks == 1 ? "" : "s",
                       s->n_tasks - 1);
    if (c->last - c->first >= MOST_TASKS)
        return gm_fail(err,
                       -EINVAL,
                       "--tasks %" PRIu64 "-%" PRIu64 ": at most %d tasks at a time",
                       c->first,
                       c->last,
                       MOST_TASKS);
    return 0;
}

static int choose(const struct jobspec *spec,
                  const char *which,
                  struct choice *ret,
                  struct gm_error *err)
{
    struct choice c = {0};
    const char *colon = strrchr(which, ':');
    const char *p = colon != NULL ? colon + 1 : which;
    bool fine = read_number(&p, &c.first);
    c.last = c.first;
    if (fine && *p == '-') {
        p++;
        fine = read_number(&p, &c.last);
    }
    if (!fine || *p != '\0')
        return gm_fail(err,
                       -EINVAL,
                       "--tasks %s: must be [STAGE:]N or [STAGE:]N-M, counted from 0",
                       which);
    if (colon == NULL && spec->n_stages > 1)
        return stages_named(spec, which, err);
    AUTO_STR name = {0};
    str_add_n(&name, which, colon != NULL ? (size_t)(colon - which) : 0);
    int rc = colon != NULL ? find_stage(spec, name.text, &c.stage, err) : 0;
    if (rc == 0)
        rc = check_range(spec, &c, err);
    if (rc == 0)
        *ret = c;
    return rc;
}

/* as JSON */

static void put_shard(const struct shown *t, struct json *j)
{
    const struct gm_slice *shard = &t->gets.shard;
    json_key(j, "shard");
    json_begin(j, '{');
    json_put_string(j, "of", t->gets.shard_of);
    json_put_string(j, "unit", jobspec_unit_name(shard->unit));
    json_put_int(j, "index", (int64_t)shard->index);
    json_put_int(j, "first", (int64_t)shard->first);
    json_put_int(j, "count", (int64_t)shard->count);
    if (t->gets.shard_files != NULL) {
        json_key(j, "files");
        json_begin(j, '[');
        for (uint64_t i = 0; i < shard->count; i++)
            json_string(j, t->gets.shard_files[i]);
        json_end(j, ']');
    }
    json_end(j, '}');
}

static void put_arg(struct json *j, const struct tasks_preview_arg *arg)
{
    if (arg->items == NULL) {
        value_json(j, &arg->value);
        return;
    }
    json_begin(j, '[');
    for (unsigned i = 0; i < arg->n_items; i++)
        value_json(j, &arg->items[i]);
    json_end(j, ']');
}

static void put_args(const struct shown *t, struct json *j)
{
    json_key(j, "args");
    json_begin(j, '{');
    for (unsigned i = 0; i < t->gets.n_args; i++) {
        json_key(j, t->gets.args[i].name);
        put_arg(j, &t->gets.args[i]);
    }
    json_end(j, '}');
}

static void put_command(const struct shown *t, struct json *j)
{
    const char *const *set = t->gets.env;
    json_key(j, "command");
    json_begin(j, '[');
    for (const char *const *word = t->gets.argv; *word != NULL; word++)
        json_string(j, *word);
    json_end(j, ']');
    if (t->gets.input != NULL)
        json_put_string(j, "stdin", t->gets.input);
    if (t->s->n_env == 0)
        return;
    json_key(j, "env");
    json_begin(j, '{');
    for (unsigned i = 0; i < t->s->n_env; i++) {
        const struct jobspec_env *e = &t->s->env[i];
        json_put_string(j, e->name, e->unset ? NULL : *set++ + strlen(e->name) + 1);
    }
    json_end(j, '}');
}

/* "train[3]", or "train": all of it. */
static void
need_text(const struct shown *t, const struct jobspec_need *need, struct str *out)
{
    str_add(out, t->spec->stages[need->stage].name);
    if (need->same_index)
        str_printf(out, "[%" PRIu64 "]", t->index);
}

static void put_task(const struct shown *t, struct json *j)
{
    json_begin(j, '{');
    json_put_int(j, "index", (int64_t)t->index);
    json_key(j, "seed");
    json_uint(j, tasks_seed(t->s->name, t->index));
    json_key(j, "axes");
    json_begin(j, '{');
    for (unsigned i = 0; i < t->s->n_axes; i++) {
        json_key(j, t->s->axes[i].name);
        value_json(j, &t->gets.axes[i]);
    }
    json_end(j, '}');
    if (t->gets.has_shard)
        put_shard(t, j);
    if (t->s->kernel != NULL)
        put_args(t, j);
    else
        put_command(t, j);
    json_key(j, "needs");
    json_begin(j, '[');
    for (unsigned i = 0; i < t->s->n_needs; i++) {
        AUTO_STR need = {0};
        need_text(t, &t->s->needs[i], &need);
        json_string(j, need.text);
    }
    json_end(j, ']');
    json_end(j, '}');
}

static void begin_json(const struct shown *t, struct json *j)
{
    json_begin(j, '{');
    json_put_string(j, "schema", "gridmill.tasks/1");
    json_put_string(j, "name", t->spec->name);
    json_put_string(j, "stage", t->s->name);
    json_put_string(j, "kernel", t->s->kernel != NULL ? t->s->kernel->name : NULL);
    json_put_int(j, "of", (int64_t)t->s->n_tasks);
    json_key(j, "tasks");
    json_begin(j, '[');
}

static void end_json(struct json *j)
{
    json_end(j, ']');
    json_end(j, '}');
}

/* for people */

static void line(struct str *out, const char *what, const char *name, const char *text)
{
    str_printf(out, "  %-8s %s%s%s\n", what, name, name[0] != '\0' ? " = " : "", text);
}

static void
arg_line(struct str *out, const char *what, const struct tasks_preview_arg *arg)
{
    AUTO_JSON j = {.pretty = false};
    put_arg(&j, arg);
    line(out, what, arg->name, str_text(&j.out));
}

/* As a shell would take it. */
static void draw_command(const struct shown *t, struct str *out)
{
    str_printf(out, "  %-8s", "command");
    for (const char *const *word = t->gets.argv; *word != NULL; word++) {
        str_add(out, " ");
        str_add_shell(out, *word);
    }
    str_add(out, "\n");
}

static void draw_work(const struct shown *t, struct str *out)
{
    const char *const *set = t->gets.env;
    for (unsigned i = 0; i < t->gets.n_args; i++)
        arg_line(out, i == 0 ? "args" : "", &t->gets.args[i]);
    if (t->s->kernel == NULL)
        draw_command(t, out);
    if (t->gets.input != NULL)
        line(out, "stdin", "", t->gets.input);
    for (unsigned i = 0; i < t->s->n_env; i++) {
        const struct jobspec_env *e = &t->s->env[i];
        AUTO_STR value = {0};
        if (!e->unset)
            str_add_shell(&value, *set++ + strlen(e->name) + 1);
        line(out, i == 0 ? "env" : "", e->name, e->unset ? "(unset)" : value.text);
    }
}

static void draw_shard(const struct shown *t, struct str *out)
{
    const struct gm_slice *shard = &t->gets.shard;
    str_printf(out,
               "  %-8s %" PRIu64 " of %" PRIu64 ": %s %" PRIu64 " to %" PRIu64 " of %s\n",
               "shard",
               shard->index,
               t->s->n_shards,
               jobspec_unit_name(shard->unit),
               shard->first,
               shard->first + shard->count - 1,
               t->gets.shard_of);
    for (uint64_t i = 0; t->gets.shard_files != NULL && i < shard->count; i++)
        line(out, i == 0 ? "files" : "", "", t->gets.shard_files[i]);
}

static void draw_task(const struct shown *t, struct str *out)
{
    const struct jobspec_stage *s = t->s;
    str_printf(out,
               "%s[%" PRIu64 "] of %" PRIu64 ", %s%s\n",
               s->name,
               t->index,
               s->n_tasks,
               s->kernel != NULL ? "kernel " : "a command",
               s->kernel != NULL ? s->kernel->name : "");
    for (unsigned i = 0; i < s->n_axes; i++) {
        const struct tasks_preview_arg axis = {.name = s->axes[i].name,
                                               .value = t->gets.axes[i]};
        arg_line(out, i == 0 ? "axes" : "", &axis);
    }
    if (t->gets.has_shard)
        draw_shard(t, out);
    draw_work(t, out);
    str_printf(out, "  %-8s %" PRIu64 "\n", "seed", tasks_seed(s->name, t->index));
    for (unsigned i = 0; i < s->n_needs; i++) {
        AUTO_STR need = {0};
        need_text(t, &s->needs[i], &need);
        line(out, i == 0 ? "after" : "", "", need.text);
    }
}

/* All of them, as JSON or for people. */
static int show(const struct jobspec *spec,
                const struct choice *c,
                bool json,
                struct str *out,
                struct gm_error *err)
{
    AUTO_JSON j = {.pretty = true};
    struct shown t = {.spec = spec, .s = &spec->stages[c->stage]};
    begin_json(&t, &j);
    for (t.index = c->first; t.index <= c->last; t.index++) {
        AUTO(arena) a = arena_make();
        int rc = tasks_preview(spec, c->stage, t.index, a, &t.gets, err);
        if (rc != 0)
            return rc;
        if (json)
            put_task(&t, &j);
        else
            draw_task(&t, out);
    }
    end_json(&j);
    if (json)
        str_add(out, j.out.text);
    return 0;
}

static bool all_counted(const struct jobspec *spec)
{
    bool all = true;
    for (unsigned i = 0; i < spec->n_stages; i++)
        all = all && spec->stages[i].n_tasks > 0;
    return all;
}

/* A canonical job has as many tasks as this machine has slots for it: *spec becomes the
 * same job, placed. */
static int count_here(const struct jobspec **spec, struct arena *a, struct gm_error *err)
{
    AUTO(restree) tree = NULL;
    AUTO(plan) plan = NULL;
    struct jobspec *placed = arena_alloc(a, 1, sizeof(*placed));
    struct jobspec_stage *stages = arena_alloc(a, (*spec)->n_stages, sizeof(*stages));
    int rc = restree_load_host(&tree, err);
    if (rc == 0)
        rc = engine_plan(*spec, tree, launch_mpirun.name, &plan, err);
    if (rc != 0)
        return rc;
    *placed = **spec;
    placed->stages = stages;
    for (unsigned i = 0; i < placed->n_stages; i++) {
        stages[i] = (*spec)->stages[i];
        stages[i].n_tasks = plan_n_tasks(plan, *spec, i);
    }
    *spec = placed;
    return 0;
}

int plan_tasks(const struct cli *cli, const struct jobspec *spec, const char *which)
{
    AUTO(arena) a = arena_make();
    struct gm_error err = {0};
    struct choice c = {0};
    AUTO_STR out = {0};
    int rc = all_counted(spec) ? 0 : count_here(&spec, a, &err);
    if (rc != 0)
        return say_failure(cli, engine_exit_for(rc), &err);
    rc = choose(spec, which, &c, &err);
    if (rc == 0)
        rc = show(spec, &c, cli->json, &out, &err);
    if (rc != 0)
        return say_failure(cli, ENGINE_USAGE, &err);
    terminal_print(out.text);
    return ENGINE_DONE;
}
