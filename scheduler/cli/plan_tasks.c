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

struct task {
    const struct jobspec *spec;
    const struct jobspec_stage *s;
    uint64_t index;
    uint64_t *axes; /* the index on each */
    uint64_t shard;
    struct arena *arena;
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
    if (s->n_tasks == 0)
        return gm_fail(err,
                       -EINVAL,
                       "--tasks: how many tasks stage %s has is known once its slots are "
                       "placed: gridmill plan shows them",
                       s->name);
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

/* what they get */

static void place(struct task *t, uint64_t index)
{
    t->index = index;
    tasks_place(t->s, index, t->axes, &t->shard);
}

static uint64_t shard_first(const struct task *t)
{
    return t->shard * t->s->shard_rows;
}

static uint64_t shard_count(const struct task *t)
{
    uint64_t left = t->s->shards_of->rows - shard_first(t);
    return left < t->s->shard_rows ? left : t->s->shard_rows;
}

static struct gm_value int_value(uint64_t v)
{
    return (struct gm_value){.type = GM_PARAM_INT, .as.i = (int64_t)v};
}

static struct gm_value text_value(const char *text)
{
    return (struct gm_value){
        .type = GM_PARAM_STRING, .n = (uint32_t)strlen(text), .as.s = text};
}

/* What other stages will have committed goes by its name. */
static const char *name_of(const struct task *t, const struct jobspec_ref *ref)
{
    if (ref->kind != JOBSPEC_REF_OUTPUT)
        return ref->text;
    uint64_t task = t->spec->stages[ref->stage].n_tasks == 1 ? 0 : t->index;
    return arena_printf(t->arena, "%s[%" PRIu64 "]", ref->text, task);
}

/* False: not known before the job runs. */
static bool
known_value(const struct task *t, const struct jobspec_ref *ref, struct gm_value *ret)
{
    switch (ref->kind) {
    case JOBSPEC_REF_AXIS:
        *ret = tasks_axis_value(&t->s->axes[ref->axis], t->axes[ref->axis]);
        return true;
    case JOBSPEC_REF_TASK_INDEX:
        *ret = int_value(t->index);
        return true;
    case JOBSPEC_REF_SHARD_PATH:
        *ret = text_value(t->s->shards_of->written);
        return true;
    case JOBSPEC_REF_SHARD_FIRST:
        *ret = int_value(shard_first(t));
        return true;
    case JOBSPEC_REF_SHARD_COUNT:
        *ret = int_value(shard_count(t));
        return true;
    case JOBSPEC_REF_SHARD_INDEX:
        *ret = int_value(t->shard);
        return true;
    default:
        return false;
    }
}

static const char *print(const struct task *t, const struct jobspec_template *from)
{
    AUTO_STR out = {0};
    for (unsigned i = 0; i < from->n; i++) {
        const struct jobspec_ref *ref = from->pieces[i].ref;
        struct gm_value v;
        if (ref == NULL)
            str_add(&out, from->pieces[i].text);
        else if (known_value(t, ref, &v))
            value_text(&v, &out);
        else
            str_printf(&out, "${%s}", name_of(t, ref));
    }
    return arena_strdup(t->arena, str_text(&out));
}

/* An argument as the kernel gets it; a whole reference keeps its type. */
static struct gm_value arg_value(const struct task *t, unsigned i)
{
    const struct jobspec_arg *arg = &t->s->args[i];
    const struct gm_param_spec *p = &t->s->kernel->params[i];
    bool path = arg->fixed && value_is_path(p->type) && arg->text != NULL;
    if (arg->fixed)
        return path ? text_value(arg->text) : arg->value;
    const struct jobspec_ref *ref = arg->from.n == 1 ? arg->from.pieces[0].ref : NULL;
    struct gm_value v, converted;
    if (ref == NULL || !known_value(t, ref, &v))
        v = text_value(print(t, &arg->from));
    return value_convert(p, &v, &converted, NULL) == 0 ? converted : v;
}

/* as JSON */

static void put_places(const struct task *t, struct json *j)
{
    json_key(j, "axes");
    json_begin(j, '{');
    for (unsigned i = 0; i < t->s->n_axes; i++) {
        struct gm_value v = tasks_axis_value(&t->s->axes[i], t->axes[i]);
        json_key(j, t->s->axes[i].name);
        value_json(j, &v);
    }
    json_end(j, '}');
    if (t->s->shards_of == NULL)
        return;
    json_key(j, "shard");
    json_begin(j, '{');
    json_put_string(j, "of", t->s->shards_of->written);
    json_put_int(j, "index", (int64_t)t->shard);
    json_put_int(j, "first", (int64_t)shard_first(t));
    json_put_int(j, "count", (int64_t)shard_count(t));
    json_end(j, '}');
}

static void put_work(const struct task *t, struct json *j)
{
    const struct jobspec_stage *s = t->s;
    json_key(j, s->kernel != NULL ? "args" : "command");
    json_begin(j, s->kernel != NULL ? '{' : '[');
    for (unsigned i = 0; s->kernel != NULL && i < s->kernel->n_params; i++) {
        struct gm_value v = arg_value(t, i);
        if (v.type == 0)
            continue;
        json_key(j, s->kernel->params[i].name);
        value_json(j, &v);
    }
    for (unsigned i = 0; s->kernel == NULL && i < s->n_command; i++)
        json_string(j, print(t, &s->command[i]));
    json_end(j, s->kernel != NULL ? '}' : ']');
    if (s->n_env == 0)
        return;
    json_key(j, "env");
    json_begin(j, '{');
    for (unsigned i = 0; i < s->n_env; i++)
        json_put_string(
            j, s->env[i].name, s->env[i].unset ? NULL : print(t, &s->env[i].value));
    json_end(j, '}');
}

/* "train[3]", or "train": all of it. */
static const char *need_text(const struct task *t, const struct jobspec_need *need)
{
    const char *name = t->spec->stages[need->stage].name;
    return need->same_index ? arena_printf(t->arena, "%s[%" PRIu64 "]", name, t->index)
                            : name;
}

static void put_task(const struct task *t, struct json *j)
{
    json_begin(j, '{');
    json_put_int(j, "index", (int64_t)t->index);
    json_key(j, "seed");
    json_uint(j, tasks_seed(t->s->name, t->index));
    put_places(t, j);
    put_work(t, j);
    json_key(j, "needs");
    json_begin(j, '[');
    for (unsigned i = 0; i < t->s->n_needs; i++)
        json_string(j, need_text(t, &t->s->needs[i]));
    json_end(j, ']');
    json_end(j, '}');
}

static void print_json(struct task *t, const struct choice *c)
{
    AUTO_JSON j = {.pretty = true};
    json_begin(&j, '{');
    json_put_string(&j, "schema", "gridmill.tasks/1");
    json_put_string(&j, "name", t->spec->name);
    json_put_string(&j, "stage", t->s->name);
    json_put_string(&j, "kernel", t->s->kernel != NULL ? t->s->kernel->name : NULL);
    json_put_int(&j, "of", (int64_t)t->s->n_tasks);
    json_key(&j, "tasks");
    json_begin(&j, '[');
    for (uint64_t i = c->first; i <= c->last; i++) {
        place(t, i);
        put_task(t, &j);
    }
    json_end(&j, ']');
    json_end(&j, '}');
    terminal_print(j.out.text);
}

/* for people */

static void line(struct str *out, const char *what, const char *name, const char *text)
{
    str_printf(out, "  %-8s %s%s%s\n", what, name, name[0] != '\0' ? " = " : "", text);
}

static void
value_line(struct str *out, const char *what, const char *name, const struct gm_value *v)
{
    AUTO_JSON j = {.pretty = false};
    value_json(&j, v);
    line(out, what, name, str_text(&j.out));
}

/* The argument vector in one line; a word that needs it is quoted as JSON is. */
static void draw_command(const struct task *t, struct str *out)
{
    str_printf(out, "  %-8s", "command");
    for (unsigned i = 0; i < t->s->n_command; i++) {
        const char *word = print(t, &t->s->command[i]);
        AUTO_JSON quoted = {.pretty = false};
        bool plain = word[0] != '\0';
        for (const unsigned char *p = (const unsigned char *)word; *p != '\0'; p++)
            plain = plain && *p > ' ' && *p != '"' && *p != '\\' && *p != 0x7f;
        json_string(&quoted, word);
        str_printf(out, " %s", plain ? word : quoted.out.text);
    }
    str_add(out, "\n");
}

static void draw_work(const struct task *t, struct str *out)
{
    const struct jobspec_stage *s = t->s;
    const char *what = "args";
    for (unsigned i = 0; s->kernel != NULL && i < s->kernel->n_params; i++) {
        struct gm_value v = arg_value(t, i);
        if (v.type == 0)
            continue;
        value_line(out, what, s->kernel->params[i].name, &v);
        what = "";
    }
    if (s->kernel == NULL)
        draw_command(t, out);
    what = "env";
    for (unsigned i = 0; i < s->n_env; i++) {
        bool unset = s->env[i].unset;
        line(out, what, s->env[i].name, unset ? "(unset)" : print(t, &s->env[i].value));
        what = "";
    }
}

static void draw_task(const struct task *t, struct str *out)
{
    const struct jobspec_stage *s = t->s;
    str_printf(out,
               "%s[%" PRIu64 "] of %" PRIu64 ", %s%s\n",
               s->name,
               t->index,
               s->n_tasks,
               s->kernel != NULL ? "kernel " : "a command",
               s->kernel != NULL ? s->kernel->name : "");
    const char *what = "axes";
    for (unsigned i = 0; i < s->n_axes; i++) {
        struct gm_value v = tasks_axis_value(&s->axes[i], t->axes[i]);
        value_line(out, what, s->axes[i].name, &v);
        what = "";
    }
    if (s->shards_of != NULL)
        str_printf(out,
                   "  %-8s %" PRIu64 " of %" PRIu64 ": %s %" PRIu64 " to %" PRIu64
                   " of %s\n",
                   "shard",
                   t->shard,
                   s->n_shards,
                   jobspec_unit_name(s->shards_of->unit),
                   shard_first(t),
                   shard_first(t) + shard_count(t) - 1,
                   s->shards_of->written);
    draw_work(t, out);
    str_printf(out, "  %-8s %" PRIu64 "\n", "seed", tasks_seed(s->name, t->index));
    for (unsigned i = 0; i < s->n_needs; i++)
        line(out, i == 0 ? "after" : "", "", need_text(t, &s->needs[i]));
}

int plan_tasks(const struct cli *cli, const struct jobspec *spec, const char *which)
{
    AUTO(arena) a = arena_make();
    struct gm_error err = {0};
    struct choice c = {0};
    if (choose(spec, which, &c, &err) != 0)
        return say_failure(cli, ENGINE_USAGE, &err);
    const struct jobspec_stage *s = &spec->stages[c.stage];
    struct task t = {.spec = spec,
                     .s = s,
                     .axes = arena_alloc(a, s->n_axes, sizeof(uint64_t)),
                     .arena = a};
    if (cli->json) {
        print_json(&t, &c);
        return ENGINE_DONE;
    }
    AUTO_STR out = {0};
    for (uint64_t i = c.first; i <= c.last; i++) {
        place(&t, i);
        draw_task(&t, &out);
    }
    terminal_print(out.text);
    return ENGINE_DONE;
}
