/* scheduler/spec/walk beside tasks_args, task by task: the same values in any order. */
#include "base/arena.h"
#include "spec/walk.h"
#include "spec_kernels.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static struct jobspec *load(const char *text)
{
    struct jobspec_options opt = fake_options();
    struct jobspec_faults faults;
    struct gm_error err = {0};
    struct jobspec *spec = NULL;
    int rc = jobspec_parse("x.yaml", text, strlen(text), &opt, &spec, &faults, &err);
    cr_assert(rc == 0, "%s", err.text);
    jobspec_faults_free(&faults);
    return spec;
}

static void same_value(const struct gm_value *a, const struct gm_value *b)
{
    cr_assert(a->type == b->type && a->n == b->n);
    switch (a->type) {
    case 0:
        return;
    case GM_PARAM_BOOL:
        cr_assert(a->as.b == b->as.b);
        return;
    case GM_PARAM_INT:
        cr_assert(a->as.i == b->as.i);
        return;
    case GM_PARAM_FLOAT:
        cr_assert(a->as.f == b->as.f);
        return;
    case GM_PARAM_INT_LIST:
        cr_assert_arr_eq(a->as.ints, b->as.ints, a->n * sizeof(int64_t));
        return;
    case GM_PARAM_FLOAT_LIST:
        cr_assert_arr_eq(a->as.floats, b->as.floats, a->n * sizeof(double));
        return;
    default:
        cr_assert_str_eq(a->as.s, b->as.s);
    }
}

static void same_task(const struct jobspec *spec, struct walk *w, uint64_t task)
{
    AUTO(arena) a = arena_make();
    struct tasks_args want;
    struct gm_error err = {0};
    uint64_t seed = 0;
    cr_assert(tasks_args(spec, 0, task, NULL, a, &want, &err) == 0, "%s", err.text);
    const struct tasks_args *got = walk_to(w, task, &seed);
    cr_assert_eq(seed, tasks_seed(spec->stages[0].name, task));
    cr_assert(got->params.n == want.params.n && got->params.specs == want.params.specs);
    for (unsigned i = 0; i < want.params.n; i++)
        same_value(&got->params.values[i], &want.params.values[i]);
    cr_assert(got->has_shard == want.has_shard && got->n_inputs == want.n_inputs);
    if (!want.has_shard)
        return;
    cr_assert_str_eq(got->shard.path, want.shard.path);
    cr_assert(
        got->shard.unit == want.shard.unit && got->shard.index == want.shard.index &&
        got->shard.first == want.shard.first && got->shard.count == want.shard.count &&
        got->shard.total == want.shard.total);
}

static const char *const walked[] = {
    "kernel: mlp.train\nargs: {data: d.csv}\n",
    "kernel: mlp.train\nmatrix: {seed: 1-3, lr: [0.3, 1]}\n"
    "args: {data: d.csv, lr: '${lr}', init-seed: '${seed}', epochs: 7}\n",
    "kernel: mlp.train\nmatrix: {e: 1-7:2, d: [d.csv, e.csv], o: [sgd, adamw], s: "
    "[true, false]}\n"
    "args: {data: '${d}', lr: '${e}', init-seed: '${task.index}', optimizer: '${o}',\n"
    "       shuffle: '${s}', note: '${d}', layers: [7, '${e}', 9], betas: [0.5, '${e}']}"
    "\n",
    "kernel: mlp.infer\nmatrix: {m: [a, b], b: 5-9:2}\n"
    "shards: {of: d.csv, rows: 300}\nargs: {model: m, start: '${b}', threshold: "
    "'${shard.first}', label: '${m}'}\n",
};

Test(walk, gives_what_tasks_args_gives_in_any_order)
{
    for (size_t k = 0; k < sizeof(walked) / sizeof(walked[0]); k++) {
        AUTO(jobspec) spec = load(walked[k]);
        AUTO(walk) w = NULL;
        struct gm_error err = {0};
        cr_assert(walk_make(spec, 0, &w, &err) == 0, "%zu: %s", k, err.text);
        uint64_t n = spec->stages[0].n_tasks;
        for (uint64_t t = 0; t < n; t++)
            same_task(spec, w, t);
        srand((unsigned)k);
        for (unsigned i = 0; i < 200; i++)
            same_task(spec, w, (uint64_t)rand() % n);
        for (uint64_t t = n; t-- > 0;)
            same_task(spec, w, t);
    }
}

Test(walk, what_is_put_together_or_read_for_each_task_is_not_walked)
{
    static const char *const texts[] = {
        "kernel: mlp.train\nmatrix: {i: 1-3}\nargs: {data: d.csv, note: 'run ${i}'}\n",
        "kernel: mlp.train\nargs: {data: 'd.h5:/x'}\n",
        "command: [echo, a]\n",
    };
    for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
        AUTO(jobspec) spec = load(texts[k]);
        AUTO(walk) w = NULL;
        cr_assert_eq(walk_make(spec, 0, &w, NULL), -ENOTSUP);
        cr_assert_null(w);
    }
}
