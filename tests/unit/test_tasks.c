/* scheduler/spec/tasks: (stage, index) -> arguments, by arithmetic. */
#include "base/str.h"
#include "spec/tasks.h"
#include "spec_kernels.h"
#include <criterion/criterion.h>
#include <math.h>

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

/* What other stages committed: output o of task t is the number 100 o + t, as f64 or i64.
 */
struct committed {
    double f;
    int64_t i;
    uint64_t best;
    unsigned scalar;
    bool least;
};

static int get_best(void *ctx,
                    unsigned stage,
                    unsigned scalar,
                    bool least,
                    uint64_t *ret,
                    struct gm_error *err)
{
    struct committed *c = ctx;
    (void)stage;
    c->scalar = scalar;
    c->least = least;
    if (c->best == UINT64_MAX)
        return gm_fail(err, -ENOENT, "no task is done");
    *ret = c->best;
    return 0;
}

static int get_output(void *ctx,
                      unsigned stage,
                      uint64_t task,
                      unsigned output,
                      struct gm_input *ret,
                      struct gm_error *err)
{
    struct committed *c = ctx;
    (void)stage;
    (void)err;
    c->i = (int64_t)(100 * output + task);
    c->f = (double)c->i + 0.5;
    *ret = (struct gm_input){.dtype = output == 5 ? GM_I64 : GM_F64, .nbytes = 8};
    ret->data = output == 5 ? (const void *)&c->i : (const void *)&c->f;
    return 0;
}

static int get_npy(void *ctx,
                   unsigned stage,
                   uint64_t task,
                   unsigned output,
                   const char **ret,
                   struct gm_error *err)
{
    (void)ctx, (void)stage, (void)task, (void)output, (void)err;
    *ret = "/tmp/private/a.npy";
    return 0;
}

static int get_results(void *ctx, const char **ret, struct gm_error *err)
{
    (void)ctx, (void)err;
    *ret = "/tmp/private/results.h5";
    return 0;
}

static struct tasks_source make_source(struct committed *c)
{
    return (struct tasks_source){.ctx = c,
                                 .best = get_best,
                                 .output = get_output,
                                 .npy = get_npy,
                                 .results = get_results};
}

Test(tasks, the_last_dimension_varies_fastest)
{
    AUTO(jobspec)
    s = load("kernel: mlp.infer\nmatrix: {a: [x, y], b: 5-9:2}\n"
             "shards: {of: d.csv, rows: 300}\nargs: {model: m}\n");
    const struct jobspec_stage *t = &s->stages[0];
    cr_assert(t->n_tasks == 2 * 3 * 4);
    for (uint64_t i = 0; i < 24; i++) {
        uint64_t axis[2], shard = 99;
        tasks_place(t, i, axis, &shard);
        cr_expect(axis[0] == i / 12 && axis[1] == i / 4 % 3 && shard == i % 4);
    }
    cr_expect(tasks_axis_value(&t->axes[1], 2).as.i == 9);
    cr_expect_str_eq(tasks_axis_value(&t->axes[0], 1).as.s, "y");
}

Test(tasks, a_seed_depends_on_name_and_index_alone)
{
    /* SplitMix64 (Steele, Lea, Flood) from state FNV-1a("train"): worked out in Python */
    cr_expect_eq(tasks_seed("train", 0), UINT64_C(0x33f94cfb5ea23761));
    cr_expect_eq(tasks_seed("train", 1), UINT64_C(0x28619190bc7c1796));
    cr_expect_neq(tasks_seed("trail", 0), tasks_seed("train", 0));
}

Test(tasks, arguments_are_resolved_and_what_varies_is_told_sorted)
{
    AUTO(jobspec)
    s = load("kernel: mlp.train\nmatrix: {seed: 1-3, lr: [0.3, 1]}\n"
             "args: {data: d.csv, lr: '${lr}', init-seed: '${seed}', epochs: 7,\n"
             "       note: 's${seed} lr${lr} i${task.index} $${x}'}\n");
    AUTO(arena) a = arena_make();
    struct tasks_args got;
    struct gm_error err = {0};
    cr_assert(tasks_args(s, 0, 3, NULL, a, &got, &err) == 0, "%s", err.text);
    cr_expect(gm_param_float(&got.params, TRAIN_LR) == 1.0, "an integer becomes a float");
    cr_expect(gm_param_int(&got.params, TRAIN_SEED) == 2);
    cr_expect(gm_param_int(&got.params, TRAIN_EPOCHS) == 7);
    cr_expect_str_eq(gm_param_text(&got.params, TRAIN_NOTE), "s2 lr1 i3 ${x}");
    cr_expect(!gm_param_given(&got.params, TRAIN_BETAS));
    cr_expect_str_eq(got.varying,
                     "{\"init-seed\":2,\"lr\":1.0,\"note\":\"s2 lr1 i3 ${x}\"}");
    cr_expect(!got.has_shard && got.n_inputs == 0);
    struct gm_params common = tasks_common(&s->stages[0], a);
    cr_expect(gm_param_given(&common, TRAIN_EPOCHS) &&
              !gm_param_given(&common, TRAIN_LR));
}

Test(tasks, nothing_that_varies_is_an_empty_text)
{
    AUTO(jobspec) s = load("kernel: sleep\nargs: {seconds: 0}\n");
    AUTO(arena) a = arena_make();
    struct tasks_args got;
    cr_assert(tasks_args(s, 0, 0, NULL, a, &got, NULL) == 0);
    cr_expect_str_eq(got.varying, "");
}

Test(tasks, the_last_shard_is_what_is_left)
{
    AUTO(jobspec)
    s = load("kernel: mlp.infer\nshards: {of: t.csv, rows: 300}\n"
             "args: {model: m, start: '${shard.index}', table: '${shard.path}'}\n");
    AUTO(arena) a = arena_make();
    struct tasks_args got;
    cr_assert(tasks_args(s, 0, 3, NULL, a, &got, NULL) == 0);
    cr_assert(got.has_shard);
    cr_expect(got.shard.first == 900 && got.shard.count == 100 && got.shard.index == 3);
    cr_expect(got.shard.total == 1000 && got.shard.unit == GM_ROWS);
    cr_expect_str_eq(got.shard.path, "/job/t.csv");
    cr_expect_str_eq(gm_param_text(&got.params, INFER_TABLE), "/job/t.csv");
    cr_expect_str_eq(
        got.varying,
        "{\"shard\":{\"first\":900,\"count\":100},\"start\":3,\"table\":\"t.csv\"}");
}

static const char pipeline[] =
    "tasks:\n"
    "- {name: train, kernel: mlp.train, matrix: {x: 1-4}, args: {data: d.csv}}\n"
    "- name: score\n"
    "  kernel: mlp.infer\n"
    "  shards: {of: t.csv, rows: 250}\n"
    "  args: {model: '${train.model@max:accuracy}', start: "
    "'${train.best_epoch@min:seconds}',\n"
    "         threshold: '${train.accuracy@max:accuracy}'}\n"
    "- {name: same, kernel: mlp.train, matrix: {y: 6-9}, args: {data: 'in.h5:/g/d', "
    "epochs: '${train.best_epoch}'}}\n"
    "- name: plot\n"
    "  matrix: {k: 1-4}\n"
    "  command: [p, '${results}', '${train.weights}', '${train.accuracy}', "
    "'${k}/${task.index}', lit]\n"
    "  env: {A: 'x${k}', B: '1'}\n";

Test(tasks, outputs_of_other_stages_arrive_as_inputs_and_numbers)
{
    AUTO(jobspec) s = load(pipeline);
    AUTO(arena) a = arena_make();
    struct committed c = {.best = 2};
    struct tasks_source source = make_source(&c);
    struct tasks_args got;
    struct gm_error err = {0};
    cr_assert(tasks_args(s, 1, 1, &source, a, &got, &err) == 0, "%s", err.text);
    cr_assert(got.n_inputs == 1);
    cr_expect(got.inputs[0].param == INFER_MODEL && got.inputs[0].data != NULL);
    cr_expect_str_eq(got.inputs[0].origin, "train.model[2]");
    cr_expect(!gm_param_given(&got.params, INFER_MODEL),
              "no text that looks like a path");
    cr_expect(gm_param_int(&got.params, INFER_START) == 502);
    cr_expect(gm_param_float(&got.params, INFER_THRESHOLD) == 202.5);
    cr_expect_str_eq(
        got.varying,
        "{\"model\":\"train.model[2]\",\"shard\":{\"first\":250,\"count\":250},"
        "\"start\":502,\"threshold\":202.5}");
}

Test(tasks, a_number_out_of_range_names_the_output_it_came_from)
{
    AUTO(jobspec) s = load(pipeline);
    AUTO(arena) a = arena_make();
    struct committed c = {.best = 600};
    struct tasks_source source = make_source(&c);
    struct tasks_args got;
    struct gm_error err = {0};
    cr_expect(tasks_args(s, 1, 0, &source, a, &got, &err) == -EINVAL);
    cr_expect_str_eq(err.text,
                     "args.start: train.best_epoch[600]: must be 0 .. 1000, not 1100");
}

Test(tasks, a_stage_whose_best_task_does_not_exist_says_so)
{
    AUTO(jobspec) s = load(pipeline);
    AUTO(arena) a = arena_make();
    struct committed c = {.best = UINT64_MAX};
    struct tasks_source source = make_source(&c);
    struct tasks_args got;
    struct gm_error err = {0};
    cr_expect(tasks_args(s, 1, 0, &source, a, &got, &err) == -ENOENT);
    cr_expect_str_eq(err.text, "args.model: no task is done");
}

Test(tasks, a_dataset_becomes_an_input_that_the_caller_reads)
{
    AUTO(jobspec) s = load(pipeline);
    AUTO(arena) a = arena_make();
    struct committed c = {0};
    struct tasks_source source = make_source(&c);
    struct tasks_args got;
    struct gm_error err = {0};
    cr_assert(tasks_args(s, 2, 3, &source, a, &got, &err) == 0, "%s", err.text);
    cr_assert(got.n_inputs == 1);
    cr_expect(got.inputs[0].param == TRAIN_DATA && got.inputs[0].data == NULL);
    cr_expect_str_eq(got.inputs[0].origin, "/job/in.h5:/g/d");
    cr_expect(gm_param_int(&got.params, TRAIN_EPOCHS) == 503,
              "the task of the same index");
    cr_expect_str_eq(got.varying, "{\"epochs\":503,\"y\":9}");
}

Test(tasks, a_command_gets_texts_and_what_it_refers_to_is_told)
{
    AUTO(jobspec) s = load(pipeline);
    AUTO(arena) a = arena_make();
    struct committed c = {0};
    struct tasks_source source = make_source(&c);
    struct tasks_command got;
    struct gm_error err = {0};
    cr_assert(tasks_command(s, 3, 2, &source, a, &got, &err) == 0, "%s", err.text);
    static const char *const want[] = {
        "p", "/tmp/private/results.h5", "/tmp/private/a.npy", "202.5", "3/2", "lit"};
    for (size_t i = 0; i < 6; i++)
        cr_expect_str_eq(got.argv[i], want[i]);
    cr_expect(got.argv[6] == NULL);
    cr_expect_str_eq(got.env[0], "A=x3");
    cr_expect_str_eq(got.env[1], "B=1");
    cr_expect(got.env[2] == NULL && !got.has_shard);
    cr_expect_str_eq(got.varying,
                     "{\"k\":3,\"task.index\":2,\"train.accuracy\":\"train.accuracy[2]\","
                     "\"train.weights\":\"train.weights[2]\"}");
}

Test(tasks, what_is_common_is_sorted_with_defaults_and_digests)
{
    AUTO(jobspec)
    s = load("tasks:\n"
             "- {name: a, kernel: mlp.infer, matrix: {f: [1, 2]}, shards: {of: t.csv, "
             "rows: 10},\n"
             "   args: {table: 't${f}', model: ../m, threshold: 1}}\n"
             "- {name: b, kernel: mlp.train, args: {data: d.csv, lr: 0.30}}\n"
             "- {name: c, command: [p, 'a${results} $${x}'], needs: [a], env: {K: v}}\n");
    AUTO_STR v = {0}, m = {0}, one = {0}, two = {0};
    for (int i = 0; i < 64;
         i++) {           /* the fake look makes digests of the last letter's code */
        str_add(&v, "6"); /* 'v' % 16 */
        str_add(&m, "d");
        str_add(&one, "1");
        str_add(&two, "2");
    }
    AUTO_FREE(char) plain = tasks_common_json(s, 0, false);
    cr_expect_str_eq(
        plain,
        "{\"kernel\":\"mlp.infer\",\"args\":{\"model\":\"../m\",\"threshold\":1.0},"
        "\"shards\":{\"of\":\"t.csv\",\"rows\":10}}");
    AUTO_FREE(char) digests = tasks_common_json(s, 0, true);
    AUTO_STR want = {0};
    str_printf(&want,
               "{\"kernel\":\"mlp.infer\",\"args\":{\"model\":{\"sha256\":\"%s\"},"
               "\"threshold\":1.0},"
               "\"inputs\":{\"table\":[\"%s\",\"%s\"]},\"shards\":{\"of\":{\"sha256\":\"%"
               "s\"},\"rows\":10}}",
               m.text,
               one.text,
               two.text,
               v.text);
    cr_expect_str_eq(digests, want.text);
    AUTO_FREE(char) train = tasks_common_json(s, 1, false);
    cr_expect_str_eq(
        train,
        "{\"kernel\":\"mlp.train\",\"args\":{\"data\":\"d.csv\",\"epochs\":10,"
        "\"init-seed\":0,\"layers\":[64,10],\"lr\":0.3,\"momentum\":0.9,"
        "\"optimizer\":\"sgd\",\"shuffle\":true}}");
    AUTO_FREE(char) command = tasks_common_json(s, 2, true);
    cr_expect_str_eq(command,
                     "{\"command\":[\"p\",\"a${results} $${x}\"],\"env\":{\"K\":\"v\"}}");
}

Test(tasks, shards_of_an_hdf5_dataset_arrive_as_the_first_data_parameter)
{
    static const struct {
        const char *text;
        unsigned n_inputs;
    } cases[] = {
        {"kernel: mlp.infer\nshards: {of: 'd.h5:/x', rows: 300}\nargs: {model: m}\n", 1},
        {"kernel: mlp.infer\nshards: {of: 'd.h5:/x', rows: 300}\n"
         "args: {model: m, rows-of: e.csv}\n",
         0},
        {"kernel: mlp.infer\nshards: {of: d.csv, rows: 300}\nargs: {model: m}\n", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO(jobspec) s = load(cases[i].text);
        AUTO(arena) a = arena_make();
        struct committed c = {0};
        struct tasks_source source = make_source(&c);
        struct tasks_args args;
        cr_assert_eq(tasks_args(s, 0, 1, &source, a, &args, NULL), 0);
        cr_assert_eq(args.n_inputs, cases[i].n_inputs, "case %d", (int)i);
        if (args.n_inputs == 0)
            continue;
        cr_expect(args.inputs[0].param == INFER_ROWS_OF && args.inputs[0].data == NULL);
        cr_expect_str_eq(args.inputs[0].origin, "/job/d.h5:/x");
    }
}

Test(tasks, a_list_may_hold_references_that_keep_their_numbers)
{
    AUTO(jobspec)
    s = load(
        "tasks:\n"
        "  - {name: a, kernel: mlp.train, args: {data: d.csv}}\n"
        "  - name: b\n    kernel: mlp.train\n    matrix: {h: '2-8:2:*', lr: [1, 0.5]}\n"
        "    args: {data: d.csv, layers: ['${h}', 7, '${a.best_epoch}'],\n"
        "           betas: [0.25, '${lr}']}\n");
    AUTO(arena) a = arena_make();
    struct committed c = {.i = 5};
    struct tasks_source source = make_source(&c);
    struct tasks_args got;
    struct gm_error err = {0};
    cr_assert_eq(s->stages[1].n_tasks, 6);
    cr_assert(tasks_args(s, 1, 5, &source, a, &got, &err) == 0, "%s", err.text);
    const struct gm_value *layers = gm_param(&got.params, TRAIN_LAYERS);
    const struct gm_value *betas = gm_param(&got.params, TRAIN_BETAS);
    cr_assert(layers->n == 3 && betas->n == 2);
    cr_expect(layers->as.ints[0] == 8 && layers->as.ints[1] == 7);
    cr_expect(betas->as.floats[0] == 0.25 && betas->as.floats[1] == 0.5);
    AUTO_STR want = {0};
    str_printf(&want,
               "{\"betas\":[0.25,0.5],\"layers\":[8,7,%lld]}",
               (long long)layers->as.ints[2]);
    cr_expect_str_eq(got.varying, want.text);
}

Test(tasks, a_shard_of_files_is_so_many_words)
{
    AUTO(jobspec)
    s = load("command: [tar, '${shard.path}', end, '${shard.first}-${shard.count}']\n"
             "shards: {of: logs, files: 300}\n");
    AUTO(arena) a = arena_make();
    struct tasks_command got;
    struct gm_error err = {0};
    cr_assert_eq(s->stages[0].n_tasks, 4);
    cr_assert(tasks_command(s, 0, 3, NULL, a, &got, &err) == 0, "%s", err.text);
    cr_expect_str_eq(got.argv[1], "/job/logs/0900.csv");
    cr_expect_str_eq(got.argv[100], "/job/logs/0999.csv");
    cr_expect_str_eq(got.argv[101], "end");
    cr_expect_str_eq(got.argv[102], "900-100");
    cr_expect(got.argv[103] == NULL && got.shard.unit == GM_FILES);
    cr_expect(strncmp(got.varying, "{\"shard.count\":100,\"shard.first\":900,", 37) == 0);
}

Test(tasks, an_axis_that_nothing_is_made_of_is_told_too)
{
    AUTO(jobspec)
    s = load("tasks:\n"
             "  - {name: c, matrix: {rep: 1-2, on: [a, b]}, command: [date]}\n"
             "  - {name: k, matrix: {rep: 1-2, t: [0, 1]}, kernel: sleep,\n"
             "     args: {seconds: '${t}'}}\n");
    AUTO(arena) a = arena_make();
    struct tasks_command c;
    struct tasks_args k;
    cr_assert_eq(tasks_command(s, 0, 2, NULL, a, &c, NULL), 0);
    cr_expect_str_eq(c.varying, "{\"on\":\"a\",\"rep\":2}");
    cr_assert_eq(tasks_args(s, 1, 3, NULL, a, &k, NULL), 0);
    cr_expect_str_eq(k.varying, "{\"rep\":2,\"seconds\":1.0}");
}

Test(tasks, a_source_that_depends_on_axes_is_the_one_of_the_task)
{
    AUTO(jobspec)
    s = load("kernel: mlp.infer\nargs: {model: m, label: '${shard.path}'}\n"
             "matrix: {x: 1-2, day: 1-3, part: [a, b]}\n"
             "shards: {rows: 600, of: 'd-${part}-${day}.csv'}\n");
    AUTO(arena) a = arena_make();
    cr_assert(s->stages[0].n_tasks == 24 && s->stages[0].n_shards_over == 6);
    for (uint64_t i = 0; i < 24; i++) {
        struct tasks_args got;
        AUTO_STR path = {0};
        AUTO_STR varying = {0};
        const char *part = i / 2 % 2 == 0 ? "a" : "b";
        unsigned day = (unsigned)(i / 4 % 3) + 1;
        str_printf(&path, "/job/d-%s-%u.csv", part, day);
        str_printf(&varying,
                   "{\"day\":%u,\"label\":\"/job/d-%s-%u.csv\",\"part\":\"%s\","
                   "\"shard\":{\"first\":%u,\"count\":%u,\"of\":\"d-%s-%u.csv\"},"
                   "\"x\":%u}",
                   day,
                   part,
                   day,
                   part,
                   i % 2 == 0 ? 0 : 600,
                   i % 2 == 0 ? 600 : 400,
                   part,
                   day,
                   (unsigned)(i / 12) + 1);
        cr_assert_eq(tasks_args(s, 0, i, NULL, a, &got, NULL), 0);
        cr_expect_str_eq(got.shard.path, path.text);
        cr_expect_str_eq(got.varying, varying.text);
    }
    AUTO_FREE(char) common = tasks_common_json(s, 0, false);
    cr_expect(strstr(common, "\"of\":\"d-${part}-${day}.csv\",\"rows\":600") != NULL,
              "%s",
              common);
}
