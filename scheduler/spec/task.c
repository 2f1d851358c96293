/* See task.h. Invariant: what a reference means is computed from (stage, index) and what
 * other stages committed. */
#include "task.h"
#include "value.h"
#include <assert.h>
#include <stdlib.h>

void task_init(struct task *t,
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
    t->shard_of = s->shards_of;
    if (s->n_shards_over > 0)
        t->shard_of = s->shards_over[paths_index(s, &s->shards_from, t->axis_index)];
    t->shard = (struct gm_slice){
        .path = t->shard_of->path,
        .unit = s->shards_of->unit,
        .index = shard,
        .first = first,
        .count = left < s->shard_rows ? left : s->shard_rows,
        .total = s->shards_of->rows,
    };
}

bool task_ahead(const struct task *t, const struct jobspec_ref *ref)
{
    return t->source == NULL && (task_of_output(ref) || ref->kind == JOBSPEC_REF_RESULTS);
}

/* Which task of a stage an output is of, element to element. */
static uint64_t same_index(const struct task *t, const struct jobspec_ref *ref)
{
    return t->spec->stages[ref->stage].n_tasks == 1 ? 0 : t->index;
}

const char *task_name_ahead(const struct task *t, const struct jobspec_ref *ref)
{
    if (ref->kind == JOBSPEC_REF_OUTPUT)
        return arena_printf(t->a, "${%s}", task_output_name(t, ref, same_index(t, ref)));
    return arena_printf(t->a, "${%s}", ref->text);
}

/* The committed task that an output reference means. */
int task_pick(const struct task *t,
              const struct jobspec_ref *ref,
              uint64_t *ret,
              struct gm_error *err)
{
    if (ref->kind == JOBSPEC_REF_BEST)
        return t->source->best(
            t->source->ctx, ref->stage, ref->scalar, ref->least, ret, err);
    *ret = same_index(t, ref);
    return 0;
}

/* "train.model[3]" */
const char *
task_output_name(const struct task *t, const struct jobspec_ref *ref, uint64_t task)
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

struct gm_value task_text(const char *text)
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
int task_output_scalar(const struct task *t,
                       const struct jobspec_ref *ref,
                       struct gm_value *ret,
                       const char **ret_name,
                       struct gm_error *err)
{
    uint64_t task = 0;
    struct gm_input in = {0};
    int rc = task_pick(t, ref, &task, err);
    if (rc != 0)
        return rc;
    *ret_name = task_output_name(t, ref, task);
    rc = t->source->output(t->source->ctx, ref->stage, task, ref->output, &in, err);
    if (rc != 0)
        return rc;
    rc = scalar_of(&in, ret, err);
    if (rc != 0)
        (void)gm_prefix(err, "%s", *ret_name);
    return rc;
}

/* The shard's path as the results keep it: as the jobspec names it; of files, their
 * names.
 */
const char *task_shard_written(const struct task *t)
{
    const char *const *files = t->shard_of->files;
    AUTO_STR names = {0};
    for (uint64_t i = 0; files != NULL && i < t->shard.count; i++) {
        const char *path = files[t->shard.first + i], *name = strrchr(path, '/');
        str_printf(&names, "%s%s", i > 0 ? " " : "", name != NULL ? name + 1 : path);
    }
    return names.len > 0 ? arena_strdup(t->a, names.text) : t->shard_of->written;
}

/* The path of the shard: its source, or its first file. */
static const char *shard_path(const struct task *t)
{
    const char *const *files = t->shard_of->files;
    return files != NULL ? files[t->shard.first] : t->shard.path;
}

/* A reference that is no output: axis, index, shard. */
struct gm_value task_own_value(const struct task *t, const struct jobspec_ref *ref)
{
    switch (ref->kind) {
    case JOBSPEC_REF_AXIS:
        return tasks_axis_value(&t->s->axes[ref->axis], t->axis_index[ref->axis]);
    case JOBSPEC_REF_SHARD_PATH:
        return task_text(shard_path(t));
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

bool task_of_output(const struct jobspec_ref *ref)
{
    return ref->kind == JOBSPEC_REF_OUTPUT || ref->kind == JOBSPEC_REF_BEST;
}

static bool is_made_of(const struct jobspec_template *from, unsigned axis)
{
    bool is = false;
    for (unsigned i = 0; i < from->n; i++) {
        const struct jobspec_ref *ref = from->pieces[i].ref;
        is |= ref != NULL && ref->kind == JOBSPEC_REF_AXIS && ref->axis == axis;
    }
    return is;
}

bool task_axis_told(const struct jobspec_stage *s, unsigned axis)
{
    const char *name = s->axes[axis].name;
    bool told = s->shards_of != NULL && strcmp(name, "shard") == 0;
    for (unsigned i = 0; i < s->kernel->n_params && !told; i++) {
        const struct jobspec_arg *arg = &s->args[i];
        told = strcmp(s->kernel->params[i].name, name) == 0 ||
               (!arg->fixed && is_made_of(&arg->from, axis));
        for (unsigned k = 0; k < arg->n_items && !told; k++)
            told = is_made_of(&arg->items[k].from, axis);
    }
    return told;
}

static bool is_single_number(const struct jobspec *spec, const struct jobspec_ref *ref)
{
    const struct gm_output_spec *o =
        &spec->stages[ref->stage].kernel->outputs[ref->output];
    return o->ndim == 0 && (o->flags & (GM_SERIES | GM_MODEL | GM_RAGGED)) == 0;
}

/* What a reference prints as; *ret_name is how the results call it (NULL: not at all). */
int task_print(const struct task *t,
               const struct jobspec_ref *ref,
               struct str *out,
               struct gm_value *ret_recorded,
               struct gm_error *err)
{
    const char *text = NULL, *name = NULL;
    uint64_t task = 0;
    int rc;
    *ret_recorded = (struct gm_value){0};
    if (task_ahead(t, ref)) {
        str_add(out, task_name_ahead(t, ref));
        return 0;
    }
    if (ref->kind == JOBSPEC_REF_SHARD_PATH) {
        str_add(out, shard_path(t));
        *ret_recorded = task_text(task_shard_written(t));
        return 0;
    }
    if (ref->kind == JOBSPEC_REF_RESULTS) {
        rc = t->source->results(t->source->ctx, &text, err);
        if (rc == 0)
            str_add(out, text);
        return rc;
    }
    if (!task_of_output(ref)) {
        *ret_recorded = task_own_value(t, ref);
        value_text(ret_recorded, out);
        return 0;
    }
    if (is_single_number(t->spec, ref)) {
        struct gm_value v = {0};
        rc = task_output_scalar(t, ref, &v, &name, err);
        if (rc == 0)
            value_text(&v, out);
    } else {
        rc = task_pick(t, ref, &task, err);
        if (rc == 0)
            rc =
                t->source->npy(t->source->ctx, ref->stage, task, ref->output, &text, err);
        if (rc == 0) {
            name = task_output_name(t, ref, task);
            str_add(out, text);
        }
    }
    if (rc == 0)
        *ret_recorded = task_text(name);
    return rc;
}

void facts_add(struct facts *f, struct arena *a, const char *name, struct gm_value v)
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
const char *facts_json(struct facts *f, const struct task *t, struct arena *a)
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
        json_uint(&j, t->shard.first);
        json_key(&j, "count");
        json_uint(&j, t->shard.count);
        if (t->s->n_shards_over > 0)
            json_put_string(&j, "of", t->shard_of->written);
        json_end(&j, '}');
    }
    json_end(&j, '}');
    return arena_strdup(a, str_text(&j.out));
}
