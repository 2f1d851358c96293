/* scheduler/spec/preview: what a task will get, with what is not known yet by its name.
 */
#include "base/str.h"
#include "spec/tasks.h"
#include "spec_kernels.h"
#include <criterion/criterion.h>

static const char job[] =
    "tasks:\n"
    "- {name: train, kernel: mlp.train, matrix: {x: 1-4}, args: {data: d.csv}}\n"
    "- name: score\n"
    "  kernel: mlp.infer\n"
    "  shards: {of: t.csv, rows: 250}\n"
    "  args: {model: '${train.model@max:accuracy}', start: "
    "'${train.best_epoch@min:seconds}',\n"
    "         label: 'of ${train.accuracy@max:accuracy} at ${shard.first}'}\n"
    "- name: again\n"
    "  kernel: mlp.train\n"
    "  matrix: {y: 6-9}\n"
    "  args: {data: d.csv, layers: [64, '${train.best_epoch}', '${y}'], betas: [0.5, "
    "'${y}'],\n"
    "         epochs: '${train.best_epoch}'}\n"
    "- name: plot\n"
    "  matrix: {k: 1-4}\n"
    "  command: [p, '${results}', '${train.weights}', '-${train.accuracy}', '${k}']\n"
    "  env: {A: 'x${k}', B: '${train.weights@min:seconds}'}\n";

struct previewed {
    struct jobspec *spec;
    struct arena *arena;
    struct tasks_preview gets;
};

static void preview(struct previewed *p, unsigned stage, uint64_t index)
{
    struct jobspec_options opt = fake_options();
    struct jobspec_faults faults;
    struct gm_error err = {0};
    int rc = jobspec_parse("x.yaml", job, strlen(job), &opt, &p->spec, &faults, &err);
    cr_assert(rc == 0, "%s", err.text);
    jobspec_faults_free(&faults);
    p->arena = arena_make();
    rc = tasks_preview(p->spec, stage, index, p->arena, &p->gets, &err);
    cr_assert(rc == 0, "%s", err.text);
}

static void previewed_free(struct previewed *p)
{
    arena_free(p->arena);
    jobspec_free(p->spec);
}

static const struct tasks_preview_arg *arg(const struct previewed *p, const char *name)
{
    for (unsigned i = 0; i < p->gets.n_args; i++) {
        if (strcmp(p->gets.args[i].name, name) == 0)
            return &p->gets.args[i];
    }
    cr_assert_fail("no argument %s", name);
    return NULL;
}

Test(preview, an_output_that_is_not_there_yet_goes_by_its_name)
{
    struct previewed p;
    preview(&p, 1, 1);
    cr_expect_str_eq(arg(&p, "model")->value.as.s, "${train.model@max:accuracy}");
    cr_expect_str_eq(arg(&p, "start")->value.as.s, "${train.best_epoch@min:seconds}");
    cr_expect(arg(&p, "start")->value.type == GM_PARAM_STRING);
    cr_expect_str_eq(arg(&p, "label")->value.as.s,
                     "of ${train.accuracy@max:accuracy} at 250");
    cr_expect(p.gets.n_args == 3, "what is not given is not told");
    cr_expect(p.gets.has_shard && p.gets.shard.first == 250 && p.gets.shard.index == 1);
    cr_expect(p.gets.shard.count == 250 && p.gets.shard.unit == GM_ROWS);
    cr_expect_str_eq(p.gets.shard_of, "t.csv");
    cr_expect(p.gets.shard_files == NULL && p.gets.argv == NULL);
    previewed_free(&p);
}

Test(preview, a_list_keeps_its_numbers_beside_names)
{
    struct previewed p;
    preview(&p, 2, 3);
    const struct tasks_preview_arg *layers = arg(&p, "layers"), *betas = arg(&p, "betas");
    cr_assert(layers->items != NULL && layers->n_items == 3);
    cr_expect(layers->items[0].type == GM_PARAM_INT && layers->items[0].as.i == 64);
    cr_expect_str_eq(layers->items[1].as.s, "${train.best_epoch[3]}");
    cr_expect(layers->items[2].type == GM_PARAM_INT && layers->items[2].as.i == 9);
    cr_expect(betas->items == NULL && betas->value.type == GM_PARAM_FLOAT_LIST);
    cr_expect(betas->value.n == 2 && betas->value.as.floats[1] == 9.0);
    cr_expect_str_eq(arg(&p, "epochs")->value.as.s, "${train.best_epoch[3]}");
    cr_expect(arg(&p, "lr")->value.as.f == 0.1, "a default is told, too");
    cr_expect(p.gets.axes[0].as.i == 9 && !p.gets.has_shard);
    previewed_free(&p);
}

Test(preview, a_command_is_what_the_runner_starts)
{
    static const char *const argv[] = {
        "p", "${results}", "${train.weights[2]}", "-${train.accuracy[2]}", "3", NULL};
    static const char *const env[] = {"A=x3", "B=${train.weights@min:seconds}", NULL};
    struct previewed p;
    preview(&p, 3, 2);
    for (unsigned i = 0; argv[i] != NULL; i++)
        cr_expect_str_eq(p.gets.argv[i], argv[i]);
    cr_expect(p.gets.argv[5] == NULL && p.gets.env[2] == NULL && p.gets.n_args == 0);
    for (unsigned i = 0; env[i] != NULL; i++)
        cr_expect_str_eq(p.gets.env[i], env[i]);
    previewed_free(&p);
}
