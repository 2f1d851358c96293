/* See walk.h. Invariant: the values are what task_arg gives for the task that stands in
 * `at`; those that move say which dimension of the stage moves them. */
#include "spec/walk.h"
#include "base/memory.h"
#include "load.h"
#include "value.h"
#include <string.h>

enum moves { BY_TABLE, BY_STEP, BY_REST };

enum target { TO_VALUE, TO_INT, TO_FLOAT }; /* to a parameter, or an item of its list */

/* The dimensions: the axes, then the shards, then the task's number itself. */
struct mover {
    enum moves kind;
    unsigned dim;
    int64_t first, step;          /* STEP: first + number * step */
    const struct gm_value *table; /* TABLE: by the number */
    enum target target;
    bool real; /* the parameter is a FLOAT */
    union {
        struct gm_value *value;
        int64_t *i;
        double *f;
    } to;
};

struct walk {
    struct arena *arena;
    const struct jobspec_stage *s;
    uint64_t task; /* n_tasks: nowhere yet */
    uint64_t at[LOAD_MAX_AXES + 2], size[LOAD_MAX_AXES + 2];
    unsigned n_dims; /* without the task's number */
    struct gm_value *values;
    struct mover *movers;
    unsigned n_movers;
    uint64_t seed_start;
    struct tasks_args args;
};

/* A whole number that is any of a dimension's must be one for the parameter. */
static int
check_step(const struct walk *w, const struct gm_param_spec *p, const struct mover *m)
{
    uint64_t last = m->dim < w->n_dims ? w->size[m->dim] - 1 : w->s->n_tasks - 1;
    struct gm_value v = {.type = GM_PARAM_INT, .as.i = m->first}, out;
    if (p->type != GM_PARAM_INT && p->type != GM_PARAM_FLOAT)
        return -ENOTSUP;
    if (value_convert(p, &v, &out, NULL) != 0)
        return -ENOTSUP;
    v.as.i = m->kind == BY_REST ? 1 : m->first + (int64_t)last * m->step;
    return value_convert(p, &v, &out, NULL) != 0 ? -ENOTSUP : 0;
}

static int fill_table(struct walk *w,
                      const char *dir,
                      const struct gm_param_spec *p,
                      const struct jobspec_axis *axis,
                      struct mover *m)
{
    struct gm_value *table = arena_alloc(w->arena, axis->n, sizeof(*table));
    for (uint64_t i = 0; i < axis->n; i++) {
        struct gm_value v = tasks_axis_value(axis, i);
        if (value_convert(p, &v, &table[i], NULL) != 0)
            return -ENOTSUP;
        if (!value_is_path(p->type))
            continue;
        if (strstr(table[i].as.s, ":/") != NULL) /* a table for the runner to read */
            return -ENOTSUP;
        table[i].as.s = sources_absolute(w->arena, dir, table[i].as.s);
        table[i].n = (uint32_t)strlen(table[i].as.s);
    }
    m->kind = BY_TABLE;
    m->table = table;
    return 0;
}

/* How a reference moves; where to is the caller's. */
static int find_mover(struct walk *w,
                      const char *dir,
                      const struct gm_param_spec *p,
                      const struct jobspec_ref *ref,
                      struct mover *ret)
{
    const struct jobspec_stage *s = w->s;
    struct mover m = {.kind = BY_STEP, .dim = w->n_dims - 1, .step = 1};
    switch (ref->kind) {
    case JOBSPEC_REF_AXIS:
        m.dim = ref->axis;
        m.first = s->axes[ref->axis].first;
        m.step = s->axes[ref->axis].step;
        if (!s->axes[ref->axis].is_range) {
            *ret = m;
            return fill_table(w, dir, p, &s->axes[ref->axis], ret);
        }
        break;
    case JOBSPEC_REF_TASK_INDEX:
        m.dim = w->n_dims;
        break;
    case JOBSPEC_REF_SHARD_FIRST:
        m.step = (int64_t)s->shard_rows;
        break;
    case JOBSPEC_REF_SHARD_COUNT:
        m.kind = BY_REST;
        m.first = (int64_t)s->shard_rows;
        break;
    case JOBSPEC_REF_SHARD_INDEX:
        break;
    default:
        return -ENOTSUP; /* a path of shards, another task's */
    }
    m.real = p->type == GM_PARAM_FLOAT;
    *ret = m;
    return check_step(w, p, &m);
}

static int add_list(struct walk *w,
                    const char *dir,
                    const struct gm_param_spec *p,
                    const struct jobspec_arg *arg,
                    struct gm_value *value)
{
    struct gm_param_spec one = *p;
    bool whole = p->type == GM_PARAM_INT_LIST;
    int64_t *ints = arena_alloc(w->arena, arg->n_items, sizeof(*ints));
    double *floats = arena_alloc(w->arena, arg->n_items, sizeof(*floats));
    one.type = whole ? GM_PARAM_INT : GM_PARAM_FLOAT;
    for (unsigned i = 0; i < arg->n_items; i++) {
        const struct jobspec_item *item = &arg->items[i];
        const struct jobspec_ref *ref = refs_whole(&item->from);
        struct mover m;
        if (item->value.type != 0) {
            if (whole)
                ints[i] = item->value.as.i;
            else
                floats[i] = item->value.as.f;
            continue;
        }
        int rc = ref != NULL ? find_mover(w, dir, &one, ref, &m) : -ENOTSUP;
        if (rc != 0)
            return rc;
        m.target = whole ? TO_INT : TO_FLOAT;
        if (whole)
            m.to.i = &ints[i];
        else
            m.to.f = &floats[i];
        w->movers[w->n_movers++] = m;
    }
    *value = (struct gm_value){.type = p->type, .n = arg->n_items};
    if (whole)
        value->as.ints = ints;
    else
        value->as.floats = floats;
    return 0;
}

static int add_arg(struct walk *w, const struct jobspec *spec, unsigned param)
{
    const struct gm_param_spec *p = &w->s->kernel->params[param];
    const struct jobspec_arg *arg = &w->s->args[param];
    struct gm_value *value = &w->values[param];
    *value = arg->value;
    if (arg->fixed)
        return value->type == GM_PARAM_DATA && strstr(value->as.s, ":/") != NULL
                   ? -ENOTSUP
                   : 0;
    if (arg->n_items > 0)
        return add_list(w, spec->dir, p, arg, value);
    const struct jobspec_ref *ref = refs_whole(&arg->from);
    struct mover m;
    int rc = ref != NULL ? find_mover(w, spec->dir, p, ref, &m) : -ENOTSUP;
    if (rc != 0)
        return rc;
    value->type = p->type;
    m.target = TO_VALUE;
    m.to.value = value;
    w->movers[w->n_movers++] = m;
    return 0;
}

static void add_dims(struct walk *w)
{
    const struct jobspec_stage *s = w->s;
    for (unsigned i = 0; i < s->n_axes; i++)
        w->size[w->n_dims++] = s->axes[i].n;
    if (s->shards_of == NULL)
        return;
    w->size[w->n_dims++] = s->n_shards;
    w->args.has_shard = true;
    w->args.shard = (struct gm_slice){.path = s->shards_of->path,
                                      .unit = s->shards_of->unit,
                                      .total = s->shards_of->rows};
}

/* What tells the tasks apart is more than numbers and texts that are known now. */
static bool reads_more(const struct jobspec_stage *s)
{
    const struct jobspec_source *of = s->shards_of;
    return s->kernel == NULL || s->n_tasks == 0 || s->n_shards_over > 0 ||
           (of != NULL && (of->files != NULL || strstr(of->path, ":/") != NULL));
}

int walk_make(const struct jobspec *spec,
              unsigned stage,
              struct walk **ret,
              struct gm_error *err)
{
    const struct jobspec_stage *s = &spec->stages[stage];
    if (reads_more(s))
        return gm_fail(err, -ENOTSUP, "its tasks read tables or files");
    AUTO(walk) w = xcalloc(1, sizeof(*w));
    unsigned n = s->kernel->n_params, most = n;
    w->arena = arena_make();
    w->s = s;
    w->task = s->n_tasks;
    w->seed_start = tasks_seed_start(s->name);
    add_dims(w);
    for (unsigned i = 0; i < n; i++)
        most += s->args[i].n_items;
    w->values = arena_alloc(w->arena, n, sizeof(*w->values));
    w->movers = arena_alloc(w->arena, most, sizeof(*w->movers));
    for (unsigned i = 0; i < n; i++) {
        int rc = add_arg(w, spec, i);
        if (rc != 0)
            return gm_fail(err,
                           rc,
                           "args.%s: put together for each task",
                           s->kernel->params[i].name);
    }
    w->args.params =
        (struct gm_params){.specs = s->kernel->params, .values = w->values, .n = n};
    *ret = steal(&w);
    return 0;
}

void walk_free(struct walk *w)
{
    if (w == NULL)
        return;
    arena_free(w->arena);
    free(w);
}

/* The rows of the shard that we are in. */
static uint64_t shard_count(const struct walk *w)
{
    uint64_t first = w->at[w->n_dims - 1] * w->s->shard_rows;
    uint64_t left = w->s->shards_of->rows - first;
    return left < w->s->shard_rows ? left : w->s->shard_rows;
}

static void apply(const struct walk *w, const struct mover *m)
{
    uint64_t number = w->at[m->dim];
    if (m->kind == BY_TABLE) {
        const struct gm_value *v = &m->table[number];
        if (m->target == TO_VALUE)
            *m->to.value = *v;
        else if (m->target == TO_INT)
            *m->to.i = v->as.i;
        else
            *m->to.f = v->as.f;
        return;
    }
    int64_t v = m->kind == BY_STEP ? m->first + (int64_t)number * m->step
                                   : (int64_t)shard_count(w);
    if (m->target == TO_VALUE && m->real)
        m->to.value->as.f = (double)v;
    else if (m->target == TO_VALUE)
        m->to.value->as.i = v;
    else if (m->target == TO_INT)
        *m->to.i = v;
    else
        *m->to.f = (double)v;
}

/* Moves `at` to the task; the lowest dimension that changed. */
static unsigned move(struct walk *w, uint64_t task)
{
    unsigned lowest = w->n_dims;
    w->at[w->n_dims] = task;
    if (task == w->task + 1) { /* as an odometer */
        while (lowest > 0) {
            lowest--;
            if (++w->at[lowest] < w->size[lowest])
                return lowest;
            w->at[lowest] = 0;
        }
        return 0;
    }
    for (uint64_t rest = task; lowest > 0;) {
        lowest--;
        w->at[lowest] = rest % w->size[lowest];
        rest /= w->size[lowest];
    }
    return 0;
}

const struct tasks_args *walk_to(struct walk *w, uint64_t task, uint64_t *ret_seed)
{
    *ret_seed = tasks_seed_at(w->seed_start, task);
    if (task == w->task)
        return &w->args;
    unsigned lowest = move(w, task);
    w->task = task;
    for (unsigned i = 0; i < w->n_movers; i++) {
        if (w->movers[i].dim >= lowest)
            apply(w, &w->movers[i]);
    }
    if (w->args.has_shard) {
        w->args.shard.index = w->at[w->n_dims - 1];
        w->args.shard.first = w->args.shard.index * w->s->shard_rows;
        w->args.shard.count = shard_count(w);
    }
    return &w->args;
}
