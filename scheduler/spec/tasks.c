/* See tasks.h. Invariant: everything about a task is computed from (stage, index) and
 * what other stages committed; two calls with the same input give the same bytes. */
#include "spec/tasks.h"
#include "task.h"
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

uint64_t tasks_seed_start(const char *stage)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a of the name */
    for (const char *p = stage; *p != '\0'; p++)
        h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    return h;
}

uint64_t tasks_seed_at(uint64_t start, uint64_t index)
{
    uint64_t h = start + (index + 1) * 0x9e3779b97f4a7c15u; /* SplitMix64's step */
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
    return h ^ (h >> 31);
}

uint64_t tasks_seed(const char *stage, uint64_t index)
{
    return tasks_seed_at(tasks_seed_start(stage), index);
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
        struct task_arg arg;
        int rc = task_arg(&t, i, &arg, err);
        if (rc != 0)
            return rc;
        values[i] = arg.value;
        if (arg.fact.type != 0)
            facts_add(&facts, a, k->params[i].name, arg.fact);
        if (arg.input.origin != NULL)
            args.inputs[args.n_inputs++] = arg.input;
    }
    for (unsigned i = 0; i < t.s->n_axes; i++) { /* repetitions, for instance */
        if (!task_axis_told(t.s, i))
            facts_add(&facts,
                      a,
                      t.s->axes[i].name,
                      tasks_axis_value(&t.s->axes[i], t.axis_index[i]));
    }
    args.has_shard = t.s->shards_of != NULL;
    args.shard = t.shard;
    if (args.has_shard)
        facts_add(&facts, a, "shard", (struct gm_value){0});
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
