/* See tasks.h, tasks_preview. Invariant: nothing is resolved here; it is what a run
 * resolves, with no source to ask. */
#include "task.h"

static int preview_args(const struct task *t,
                        const struct tasks_preview_arg **ret,
                        unsigned *ret_n,
                        struct gm_error *err)
{
    const struct gm_kernel *k = t->s->kernel;
    struct tasks_preview_arg *args = arena_alloc(t->a, k->n_params, sizeof(*args));
    unsigned n = 0;
    for (unsigned i = 0; i < k->n_params; i++) {
        struct task_arg arg;
        int rc = task_arg(t, i, &arg, err);
        if (rc != 0)
            return rc;
        if (arg.value.type == 0 && arg.input.origin != NULL)
            arg.value = task_text(arg.input.origin);
        if (arg.value.type == 0 && arg.items == NULL)
            continue;
        args[n++] = (struct tasks_preview_arg){.name = k->params[i].name,
                                               .value = arg.value,
                                               .items = arg.items,
                                               .n_items = arg.n_items};
    }
    *ret = args;
    *ret_n = n;
    return 0;
}

static const struct gm_value *axis_values(const struct task *t)
{
    struct gm_value *values = arena_alloc(t->a, t->s->n_axes, sizeof(*values));
    for (unsigned i = 0; i < t->s->n_axes; i++)
        values[i] = tasks_axis_value(&t->s->axes[i], t->axis_index[i]);
    return values;
}

int tasks_preview(const struct jobspec *spec,
                  unsigned stage,
                  uint64_t index,
                  struct arena *a,
                  struct tasks_preview *ret,
                  struct gm_error *err)
{
    struct task t;
    struct tasks_command command = {0};
    int rc;
    task_init(&t, spec, stage, index, NULL, a);
    struct tasks_preview made = {
        .axes = axis_values(&t), .has_shard = t.shard_of != NULL, .shard = t.shard};
    if (made.has_shard) {
        made.shard_of = t.shard_of->written;
        if (t.shard_of->files != NULL)
            made.shard_files = t.shard_of->files + t.shard.first;
    }
    if (t.s->kernel != NULL)
        rc = preview_args(&t, &made.args, &made.n_args, err);
    else
        rc = tasks_command(spec, stage, index, NULL, a, &command, err);
    if (rc != 0)
        return rc;
    made.argv = command.argv;
    made.env = command.env;
    made.input = command.input;
    *ret = made;
    return 0;
}
