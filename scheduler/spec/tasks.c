/* See tasks.h. Invariant: everything about a task is computed from (stage, index) and
 * what other stages committed; two calls with the same input give the same bytes. */
#include "spec/tasks.h"
#include "load.h"
#include "value.h"
#include <assert.h>
#include <stdlib.h>

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

/* One task while its references are resolved. */
struct task {
    const struct jobspec *spec;
    const struct jobspec_stage *s;
    uint64_t index;
    uint64_t axis_index[LOAD_MAX_AXES];
    struct gm_slice shard;
    const struct tasks_source *source;
    struct arena *a;
};

static void task_init(struct task *t,
                      const struct jobspec *spec,
                      unsigned stage,
                      uint64_t index,
                      const struct tasks_source *source,
                      struct arena *a)
{
    const struct jobspec_stage *s = &spec->stages[stage];
    uint64_t shard = 0;
    assert(index < s->n_tasks && s->n_axes <= LOAD_MAX_AXES);
    *t = (struct task){.spec = spec, .s = s, .index = index, .source = source, .a = a};
    tasks_place(s, index, t->axis_index, &shard);
    if (s->shards_of == NULL)
        return;
    uint64_t first = shard * s->shard_rows, left = s->shards_of->rows - first;
    t->shard = (struct gm_slice){
        .path = s->shards_of->path,
        .unit = s->shards_of->unit,
        .index = shard,
        .first = first,
        .count = left < s->shard_rows ? left : s->shard_rows,
        .total = s->shards_of->rows,
    };
}

/* The committed task that an output reference means. */
static int pick_task(const struct task *t,
                     const struct jobspec_ref *ref,
                     uint64_t *ret,
                     struct gm_error *err)
{
    if (ref->kind == JOBSPEC_REF_BEST)
        return t->source->best(
            t->source->ctx, ref->stage, ref->scalar, ref->least, ret, err);
    *ret = t->spec->stages[ref->stage].n_tasks == 1 ? 0 : t->index;
    return 0;
}

/* "train.model[3]" */
static const char *
name_of(const struct task *t, const struct jobspec_ref *ref, uint64_t task)
{
    const struct jobspec_stage *s = &t->spec->stages[ref->stage];
    return arena_printf(t->a,
                        "%s.%s[%llu]",
                        s->name,
                        s->kernel->outputs[ref->output].name,
                        (unsigned long long)task);
}

static struct gm_value int_value(uint64_t v)
{
    return (struct gm_value){.type = GM_PARAM_INT, .as.i = (int64_t)v};
}

static struct gm_value text_value(const char *text)
{
    assert(text != NULL);
    return (struct gm_value){
        .type = GM_PARAM_STRING, .n = (uint32_t)strlen(text), .as.s = text};
}

/* One number of an output. */
static int
scalar_of(const struct gm_input *in, struct gm_value *ret, struct gm_error *err)
{
    struct gm_value v = {.type = GM_PARAM_INT};
    int32_t i32;
    float f32;
    if (in->data == NULL || in->nbytes != gm_dtype_size(in->dtype) || in->nbytes == 0)
        return gm_fail(err, -EINVAL, "is no single number");
    switch (in->dtype) {
    case GM_U8:
        v.as.i = *(const unsigned char *)in->data;
        break;
    case GM_I32:
        memcpy(&i32, in->data, sizeof(i32));
        v.as.i = i32;
        break;
    case GM_I64:
        memcpy(&v.as.i, in->data, sizeof(v.as.i));
        break;
    case GM_F32:
        memcpy(&f32, in->data, sizeof(f32));
        v.type = GM_PARAM_FLOAT;
        v.as.f = (double)f32;
        break;
    default:
        v.type = GM_PARAM_FLOAT;
        memcpy(&v.as.f, in->data, sizeof(v.as.f));
        break;
    }
    *ret = v;
    return 0;
}

/* An output's number; *ret_name is "train.loss[3]". */
static int output_scalar(const struct task *t,
                         const struct jobspec_ref *ref,
                         struct gm_value *ret,
                         const char **ret_name,
                         struct gm_error *err)
{
    uint64_t task = 0;
    struct gm_input in = {0};
    int rc = pick_task(t, ref, &task, err);
    if (rc != 0)
        return rc;
    *ret_name = name_of(t, ref, task);
    rc = t->source->output(t->source->ctx, ref->stage, task, ref->output, &in, err);
    if (rc != 0)
        return rc;
    rc = scalar_of(&in, ret, err);
    if (rc != 0)
        (void)gm_prefix(err, "%s", *ret_name);
    return rc;
}

/* A reference that is no output: axis, index, shard. */
static struct gm_value own_value(const struct task *t, const struct jobspec_ref *ref)
{
    switch (ref->kind) {
    case JOBSPEC_REF_AXIS:
        return tasks_axis_value(&t->s->axes[ref->axis], t->axis_index[ref->axis]);
    case JOBSPEC_REF_SHARD_PATH:
        return text_value(t->shard.path);
    case JOBSPEC_REF_SHARD_FIRST:
        return int_value(t->shard.first);
    case JOBSPEC_REF_SHARD_COUNT:
        return int_value(t->shard.count);
    case JOBSPEC_REF_SHARD_INDEX:
        return int_value(t->shard.index);
    default:
        return int_value(t->index);
    }
}

static bool of_output(const struct jobspec_ref *ref)
{
    return ref->kind == JOBSPEC_REF_OUTPUT || ref->kind == JOBSPEC_REF_BEST;
}

static bool is_single_number(const struct jobspec *spec, const struct jobspec_ref *ref)
{
    const struct gm_output_spec *o =
        &spec->stages[ref->stage].kernel->outputs[ref->output];
    return o->ndim == 0 && (o->flags & (GM_SERIES | GM_MODEL | GM_RAGGED)) == 0;
}

/* What a reference prints as; *ret_name is how the results call it (NULL: not at all). */
static int print_ref(const struct task *t,
                     const struct jobspec_ref *ref,
                     struct str *out,
                     struct gm_value *ret_recorded,
                     struct gm_error *err)
{
    const char *text = NULL, *name = NULL;
    uint64_t task = 0;
    int rc;
    *ret_recorded = (struct gm_value){0};
    if (ref->kind == JOBSPEC_REF_RESULTS) {
        rc = t->source->results(t->source->ctx, &text, err);
        if (rc == 0)
            str_add(out, text);
        return rc;
    }
    if (!of_output(ref)) {
        *ret_recorded = own_value(t, ref);
        value_text(ret_recorded, out);
        if (ref->kind == JOBSPEC_REF_SHARD_PATH)
            *ret_recorded = text_value(t->s->shards_of->written);
        return 0;
    }
    if (is_single_number(t->spec, ref)) {
        struct gm_value v = {0};
        rc = output_scalar(t, ref, &v, &name, err);
        if (rc == 0)
            value_text(&v, out);
    } else {
        rc = pick_task(t, ref, &task, err);
        if (rc == 0)
            rc =
                t->source->npy(t->source->ctx, ref->stage, task, ref->output, &text, err);
        if (rc == 0) {
            name = name_of(t, ref, task);
            str_add(out, text);
        }
    }
    if (rc == 0)
        *ret_recorded = text_value(name);
    return rc;
}

/* Names with their values, to be written as one sorted JSON object. */
struct fact {
    const char *name;
    struct gm_value value;
};

struct facts {
    struct fact *items;
    size_t n, room;
};

static void
facts_add(struct facts *f, struct arena *a, const char *name, struct gm_value v)
{
    if (f->n == f->room) {
        size_t room = f->room == 0 ? 8 : 2 * f->room;
        struct fact *items = arena_alloc(a, room, sizeof(*items));
        if (f->n > 0)
            memcpy(items, f->items, f->n * sizeof(*items));
        f->items = items;
        f->room = room;
    }
    f->items[f->n++] = (struct fact){.name = name, .value = v};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct fact *)a)->name, ((const struct fact *)b)->name);
}

/* {"lr":0.1,"shard":{"first":0,"count":64}}; a fact without a type is the shard. "" for
 * none. */
static const char *
facts_json(struct facts *f, const struct gm_slice *shard, struct arena *a)
{
    AUTO_JSON j = {0};
    if (f->n == 0)
        return "";
    qsort(f->items, f->n, sizeof(*f->items), by_name);
    json_begin(&j, '{');
    for (size_t i = 0; i < f->n; i++) {
        if (i > 0 && strcmp(f->items[i].name, f->items[i - 1].name) == 0)
            continue;
        json_key(&j, f->items[i].name);
        if (f->items[i].value.type != 0) {
            value_json(&j, &f->items[i].value);
            continue;
        }
        json_begin(&j, '{');
        json_key(&j, "first");
        json_uint(&j, shard->first);
        json_key(&j, "count");
        json_uint(&j, shard->count);
        json_end(&j, '}');
    }
    json_end(&j, '}');
    return arena_strdup(a, str_text(&j.out));
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
    int rc = pick_task(t, ref, &task, err);
    if (rc == 0)
        rc = t->source->output(t->source->ctx, ref->stage, task, ref->output, in, err);
    if (rc != 0)
        return rc;
    in->param = param;
    in->origin = name_of(t, ref, task);
    *ret_fact = text_value(in->origin);
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
    if (ref != NULL && of_output(ref)) {
        int rc = output_scalar(t, ref, &in, &name, err);
        if (rc != 0)
            return rc;
    } else if (ref != NULL) {
        in = own_value(t, ref);
    } else {
        AUTO_STR text = {0};
        for (unsigned i = 0; i < from->n; i++) {
            struct gm_value recorded;
            if (from->pieces[i].ref == NULL) {
                str_add(&text, from->pieces[i].text);
                continue;
            }
            int rc = print_ref(t, from->pieces[i].ref, &text, &recorded, err);
            if (rc != 0)
                return rc;
        }
        in = text_value(arena_strdup(t->a, str_text(&text)));
    }
    int rc = value_convert(p, &in, ret, err);
    if (rc != 0 && name != NULL)
        (void)gm_prefix(err, "%s", name);
    return rc;
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
    if (ref != NULL && of_output(ref) &&
        (p->type == GM_PARAM_TENSOR || p->type == GM_PARAM_MODEL)) {
        rc = take_input(t, param, ref, args, &fact, err);
    } else {
        rc = resolve_value(t, p, from, &v, err);
        fact = v;
        if (rc == 0 && value_is_path(p->type)) {
            bool shard = ref != NULL && ref->kind == JOBSPEC_REF_SHARD_PATH;
            if (shard)
                fact = text_value(t->s->shards_of->written);
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
    args.varying = facts_json(&facts, &t.shard, a);
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

/* A word of a command; what it refers to is added to the facts. */
static int print_template(const struct task *t,
                          const struct jobspec_template *from,
                          struct str *out,
                          struct facts *facts,
                          struct gm_error *err)
{
    for (unsigned i = 0; i < from->n; i++) {
        const struct jobspec_ref *ref = from->pieces[i].ref;
        struct gm_value recorded;
        if (ref == NULL) {
            str_add(out, from->pieces[i].text);
            continue;
        }
        int rc = print_ref(t, ref, out, &recorded, err);
        if (rc != 0)
            return rc;
        if (recorded.type != 0)
            facts_add(facts, t->a, ref->text, recorded);
    }
    return 0;
}

int tasks_command(const struct jobspec *spec,
                  unsigned stage,
                  uint64_t index,
                  const struct tasks_source *source,
                  struct arena *a,
                  struct tasks_command *ret,
                  struct gm_error *err)
{
    struct task t;
    task_init(&t, spec, stage, index, source, a);
    size_t n = t.s->n_command, n_env = t.s->n_env, n_set = 0;
    const char **argv = arena_alloc(a, n + 1, sizeof(*argv));
    const char **env = arena_alloc(a, n_env + 1, sizeof(*env));
    struct facts facts = {0};
    for (size_t i = 0; i < n + n_env; i++) {
        const struct jobspec_env *e = i < n ? NULL : &t.s->env[i - n];
        AUTO_STR word = {0};
        if (e != NULL && e->unset)
            continue;
        if (e != NULL)
            str_printf(&word, "%s=", e->name);
        int rc = print_template(
            &t, e != NULL ? &e->value : &t.s->command[i], &word, &facts, err);
        if (rc != 0)
            return rc;
        *(e != NULL ? &env[n_set++] : &argv[i]) = arena_strdup(a, str_text(&word));
    }
    *ret = (struct tasks_command){
        .argv = argv,
        .env = env,
        .varying = facts_json(&facts, &t.shard, a),
        .shard = t.shard,
        .has_shard = t.s->shards_of != NULL,
    };
    return 0;
}
