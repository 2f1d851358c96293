/* See tasks.h. Invariant: everything about a task is computed from (stage, index) and
 * what other stages committed; two calls with the same input give the same bytes. */
#include "spec/tasks.h"
#include "task.h"
#include "value.h"
#include <assert.h>

void tasks_place(const struct jobspec_stage *s,
                 uint64_t index,
                 uint64_t *axis_index,
                 uint64_t *ret_shard)
{
    if (s->shards_of != NULL) {
        *ret_shard = index % s->n_shards;
        index /= s->n_shards;
    }
    for (unsigned i = s->n_axes; i-- > 0;) {
        axis_index[i] = index % s->axes[i].n;
        index /= s->axes[i].n;
    }
}

struct gm_value tasks_axis_value(const struct jobspec_axis *axis, uint64_t i)
{
    assert(i < axis->n);
    if (!axis->is_range)
        return axis->items[i];
    return (struct gm_value){.type = GM_PARAM_INT,
                             .as.i = axis->first + (int64_t)i * axis->step};
}

uint64_t tasks_seed(const char *stage, uint64_t index)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a of the name */
    for (const char *p = stage; *p != '\0'; p++)
        h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    h += (index + 1) * 0x9e3779b97f4a7c15u; /* SplitMix64's step number index + 1 */
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
    return h ^ (h >> 31);
}

/* A tensor or model of another stage becomes an input of parameter `param`. */
static int take_input(const struct task *t,
                      unsigned param,
                      const struct jobspec_ref *ref,
                      struct tasks_args *ret,
                      struct gm_value *ret_fact,
                      struct gm_error *err)
{
    uint64_t task = 0;
    struct gm_input *in = &ret->inputs[ret->n_inputs];
    int rc = task_pick(t, ref, &task, err);
    if (rc == 0)
        rc = t->source->output(t->source->ctx, ref->stage, task, ref->output, in, err);
    if (rc != 0)
        return rc;
    in->param = param;
    in->origin = task_output_name(t, ref, task);
    *ret_fact = task_text(in->origin);
    ret->n_inputs++;
    return 0;
}

/* The value of a template that is no tensor: whole references keep their type. */
static int resolve_value(const struct task *t,
                         const struct gm_param_spec *p,
                         const struct jobspec_template *from,
                         struct gm_value *ret,
                         struct gm_error *err)
{
    const struct jobspec_ref *ref = refs_whole(from);
    struct gm_value in = {0};
    const char *name = NULL;
    if (ref != NULL && task_of_output(ref)) {
        int rc = task_output_scalar(t, ref, &in, &name, err);
        if (rc != 0)
            return rc;
    } else if (ref != NULL) {
        in = task_own_value(t, ref);
    } else {
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
        in = task_text(arena_strdup(t->a, str_text(&text)));
    }
    int rc = value_convert(p, &in, ret, err);
    if (rc != 0 && name != NULL)
        (void)gm_prefix(err, "%s", name);
    return rc;
}

/* A list of numbers in which something varies. */
static int resolve_list(const struct task *t,
                        const struct gm_param_spec *p,
                        const struct jobspec_arg *arg,
                        struct gm_value *ret,
                        struct gm_error *err)
{
    struct gm_param_spec one = *p;
    bool whole = p->type == GM_PARAM_INT_LIST;
    one.type = whole ? GM_PARAM_INT : GM_PARAM_FLOAT;
    int64_t *ints = arena_alloc(t->a, arg->n_items, sizeof(*ints));
    double *floats = arena_alloc(t->a, arg->n_items, sizeof(*floats));
    for (unsigned i = 0; i < arg->n_items; i++) {
        struct gm_value v = arg->items[i].value;
        int rc = v.type != 0 ? 0 : resolve_value(t, &one, &arg->items[i].from, &v, err);
        if (rc != 0) {
            (void)gm_prefix(err, "item %u", i);
            return rc;
        }
        ints[i] = whole ? v.as.i : 0;
        floats[i] = whole ? 0 : v.as.f;
    }
    *ret = (struct gm_value){.type = p->type, .n = arg->n_items};
    if (whole)
        ret->as.ints = ints;
    else
        ret->as.floats = floats;
    return 0;
}

/* One argument that varies: its value for the kernel, and the fact for the results. */
static int resolve_arg(const struct task *t,
                       unsigned param,
                       struct gm_value *ret,
                       struct tasks_args *args,
                       struct facts *facts,
                       struct gm_error *err)
{
    const struct gm_param_spec *p = &t->s->kernel->params[param];
    const struct jobspec_template *from = &t->s->args[param].from;
    const struct jobspec_ref *ref = refs_whole(from);
    struct gm_value v = {0}, fact;
    int rc;
    if (ref != NULL && task_of_output(ref) &&
        (p->type == GM_PARAM_TENSOR || p->type == GM_PARAM_MODEL)) {
        rc = take_input(t, param, ref, args, &fact, err);
    } else {
        rc = t->s->args[param].n_items > 0
                 ? resolve_list(t, p, &t->s->args[param], &v, err)
                 : resolve_value(t, p, from, &v, err);
        fact = v;
        if (rc == 0 && value_is_path(p->type)) {
            bool shard = ref != NULL && ref->kind == JOBSPEC_REF_SHARD_PATH;
            if (shard)
                fact = task_text(task_shard_written(t));
            v.as.s = sources_absolute(t->a, t->spec->dir, v.as.s);
            v.n = (uint32_t)strlen(v.as.s);
        }
    }
    if (rc != 0) {
        (void)gm_prefix(err, "args.%s", p->name);
        return rc;
    }
    *ret = v;
    facts_add(facts, t->a, p->name, fact);
    return 0;
}

/* F.h5:/DATASET: the runner reads it into an input. */
static bool is_dataset(const struct gm_value *v)
{
    return v->type == GM_PARAM_DATA && strstr(v->as.s, ":/") != NULL;
}

/* Shards of F.h5:/DATASET reach the kernel by its first DATA parameter, as the whole
 * table. */
static void add_shard_table(const struct task *t, struct tasks_args *args)
{
    const struct gm_kernel *k = t->s->kernel;
    if (strstr(t->shard.path, ":/") == NULL)
        return;
    for (unsigned i = 0; i < k->n_params; i++) {
        if (k->params[i].type != GM_PARAM_DATA)
            continue;
        if (args->params.values[i].type == 0)
            args->inputs[args->n_inputs++] =
                (struct gm_input){.param = i, .origin = t->shard.path};
        return;
    }
}

int tasks_args(const struct jobspec *spec,
               unsigned stage,
               uint64_t index,
               const struct tasks_source *source,
               struct arena *a,
               struct tasks_args *ret,
               struct gm_error *err)
{
    struct task t;
    task_init(&t, spec, stage, index, source, a);
    const struct gm_kernel *k = t.s->kernel;
    struct gm_value *values = arena_alloc(a, k->n_params, sizeof(*values));
    struct tasks_args args = {
        .params = {.specs = k->params, .values = values, .n = k->n_params},
        .inputs = arena_alloc(a, k->n_params, sizeof(*args.inputs))};
    struct facts facts = {0};
    for (unsigned i = 0; i < k->n_params; i++) {
        int rc = 0;
        if (t.s->args[i].fixed)
            values[i] = t.s->args[i].value;
        else
            rc = resolve_arg(&t, i, &values[i], &args, &facts, err);
        if (rc != 0)
            return rc;
        if (is_dataset(&values[i]))
            args.inputs[args.n_inputs++] =
                (struct gm_input){.param = i, .origin = values[i].as.s};
    }
    args.has_shard = t.s->shards_of != NULL;
    args.shard = t.shard;
    if (args.has_shard) {
        facts_add(&facts, a, "shard", (struct gm_value){0});
        add_shard_table(&t, &args);
    }
    args.varying = facts_json(&facts, &t, a);
    *ret = args;
    return 0;
}

struct gm_params tasks_common(const struct jobspec_stage *s, struct arena *a)
{
    unsigned n = s->kernel->n_params;
    struct gm_value *values = arena_alloc(a, n, sizeof(*values));
    for (unsigned i = 0; i < n; i++) {
        if (s->args[i].fixed)
            values[i] = s->args[i].value;
    }
    return (struct gm_params){.specs = s->kernel->params, .values = values, .n = n};
}
