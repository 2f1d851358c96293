/* See task.h, task_arg: one argument of a kernel for one task. Invariant: a whole
 * reference keeps its type; what is ahead stays a text and is not converted. */
#include "task.h"
#include "value.h"

/* A tensor or model of another stage becomes an input. */
static int take_input(const struct task *t,
                      const struct jobspec_ref *ref,
                      struct task_arg *ret,
                      struct gm_error *err)
{
    uint64_t task = 0;
    if (task_ahead(t, ref)) {
        ret->input.origin = task_name_ahead(t, ref);
        return 0;
    }
    int rc = task_pick(t, ref, &task, err);
    if (rc == 0)
        rc = t->source->output(
            t->source->ctx, ref->stage, task, ref->output, &ret->input, err);
    if (rc != 0)
        return rc;
    ret->input.origin = task_output_name(t, ref, task);
    ret->fact = task_text(ret->input.origin);
    return 0;
}

/* The pieces of a template side by side, as one text. */
static int print_pieces(const struct task *t,
                        const struct jobspec_template *from,
                        struct gm_value *ret,
                        struct gm_error *err)
{
    AUTO_STR text = {0};
    for (unsigned i = 0; i < from->n; i++) {
        struct gm_value recorded;
        if (from->pieces[i].ref == NULL) {
            str_add(&text, from->pieces[i].text);
            continue;
        }
        int rc = task_print(t, from->pieces[i].ref, &text, &recorded, err);
        if (rc != 0)
            return rc;
    }
    *ret = task_text(arena_strdup(t->a, str_text(&text)));
    return 0;
}

static bool any_ahead(const struct task *t, const struct jobspec_template *from)
{
    for (unsigned i = 0; i < from->n; i++) {
        if (from->pieces[i].ref != NULL && task_ahead(t, from->pieces[i].ref))
            return true;
    }
    return false;
}

/* The value of a template that is no tensor. */
static int resolve_value(const struct task *t,
                         const struct gm_param_spec *p,
                         const struct jobspec_template *from,
                         struct gm_value *ret,
                         struct gm_error *err)
{
    if (any_ahead(t, from))
        return print_pieces(t, from, ret, err);
    const struct jobspec_ref *ref = refs_whole(from);
    struct gm_value in = {0};
    const char *name = NULL;
    int rc = 0;
    if (ref == NULL)
        rc = print_pieces(t, from, &in, err);
    else if (task_of_output(ref))
        rc = task_output_scalar(t, ref, &in, &name, err);
    else
        in = task_own_value(t, ref);
    if (rc != 0)
        return rc;
    rc = value_convert(p, &in, ret, err);
    if (rc != 0 && name != NULL)
        (void)gm_prefix(err, "%s", name);
    return rc;
}

/* Numbers side by side, as a kernel takes them. */
static struct gm_value
pack_list(const struct task *t, uint32_t type, const struct gm_value *items, unsigned n)
{
    int64_t *ints = arena_alloc(t->a, n, sizeof(*ints));
    double *floats = arena_alloc(t->a, n, sizeof(*floats));
    struct gm_value list = {.type = type, .n = n};
    for (unsigned i = 0; i < n; i++) {
        if (type == GM_PARAM_INT_LIST)
            ints[i] = items[i].as.i;
        else
            floats[i] = items[i].as.f;
    }
    if (type == GM_PARAM_INT_LIST)
        list.as.ints = ints;
    else
        list.as.floats = floats;
    return list;
}

/* A list of numbers in which something varies. */
static int resolve_list(const struct task *t,
                        const struct gm_param_spec *p,
                        const struct jobspec_arg *arg,
                        struct task_arg *ret,
                        struct gm_error *err)
{
    struct gm_param_spec one = *p;
    bool whole = p->type == GM_PARAM_INT_LIST, ahead = false;
    one.type = whole ? GM_PARAM_INT : GM_PARAM_FLOAT;
    struct gm_value *items = arena_alloc(t->a, arg->n_items, sizeof(*items));
    for (unsigned i = 0; i < arg->n_items; i++) {
        items[i] = arg->items[i].value;
        if (items[i].type != 0)
            continue;
        int rc = resolve_value(t, &one, &arg->items[i].from, &items[i], err);
        if (rc != 0) {
            (void)gm_prefix(err, "item %u", i);
            return rc;
        }
        ahead = ahead || items[i].type != one.type;
    }
    if (ahead) {
        ret->items = items;
        ret->n_items = arg->n_items;
    } else {
        ret->value = pack_list(t, p->type, items, arg->n_items);
    }
    return 0;
}

/* One that varies. */
static int resolve(const struct task *t,
                   const struct gm_param_spec *p,
                   const struct jobspec_arg *arg,
                   struct task_arg *ret,
                   struct gm_error *err)
{
    const struct jobspec_ref *ref = refs_whole(&arg->from);
    if (ref != NULL && task_of_output(ref) &&
        (p->type == GM_PARAM_TENSOR || p->type == GM_PARAM_MODEL))
        return take_input(t, ref, ret, err);
    int rc = arg->n_items > 0 ? resolve_list(t, p, arg, ret, err)
                              : resolve_value(t, p, &arg->from, &ret->value, err);
    ret->fact = ret->value;
    if (rc != 0 || !value_is_path(p->type))
        return rc;
    if (ref != NULL && ref->kind == JOBSPEC_REF_SHARD_PATH)
        ret->fact = task_text(task_shard_written(t));
    ret->value.as.s = sources_absolute(t->a, t->spec->dir, ret->value.as.s);
    ret->value.n = (uint32_t)strlen(ret->value.as.s);
    return 0;
}

/* F.h5:/DATASET: the runner reads it into an input. */
static bool is_dataset(const char *path)
{
    return strstr(path, ":/") != NULL;
}

/* Shards of F.h5:/DATASET reach the kernel by its first DATA parameter, as the whole
 * table. */
static bool takes_shards(const struct task *t, unsigned param)
{
    const struct gm_kernel *k = t->s->kernel;
    unsigned first = 0;
    while (first < param && k->params[first].type != GM_PARAM_DATA)
        first++;
    return t->s->shards_of != NULL && first == param &&
           k->params[param].type == GM_PARAM_DATA && is_dataset(t->shard.path);
}

int task_arg(const struct task *t,
             unsigned param,
             struct task_arg *ret,
             struct gm_error *err)
{
    const struct gm_param_spec *p = &t->s->kernel->params[param];
    const struct jobspec_arg *arg = &t->s->args[param];
    struct task_arg made = {.value = arg->value};
    int rc = arg->fixed ? 0 : resolve(t, p, arg, &made, err);
    if (rc != 0) {
        (void)gm_prefix(err, "args.%s", p->name);
        return rc;
    }
    if (made.value.type == GM_PARAM_DATA && is_dataset(made.value.as.s))
        made.input.origin = made.value.as.s;
    else if (made.value.type == 0 && takes_shards(t, param))
        made.input.origin = t->shard.path;
    made.input.param = param;
    *ret = made;
    return 0;
}
