#include "kernels/model/mlp.h"
#include "mlp_task.h"
#include <math.h>

#define ROWS_FLOATS ((size_t)MLP_ROWS * (MLP_INPUTS + 1))

struct trained {
    const struct gm_kernel *kernel;
    struct rehearse_output *outputs;
    struct gm_error err;
    int rc;
};

/* Trains on the clouds; `more` are arguments on top, name after name, ended by NULL. */
static struct trained
train(unsigned n_ranks, unsigned cancel_after, const char *const *more)
{
    float *x = malloc(ROWS_FLOATS * sizeof(*x));
    struct gm_input input = mlp_task_rows(x);
    struct rehearse_arg args[32] = {
        {"layers", "[9, 17, 5]"}, {"epochs", "4"}, {"lr", "0.1"}};
    for (int n = 3; more != NULL && *more != NULL; more += 2)
        args[n++] = (struct rehearse_arg){more[0], more[1]};
    struct trained t = {.kernel = mlp_task_kernel("mlp.train")};
    const struct rehearse_task task = {.kernel = t.kernel,
                                       .args = args,
                                       .inputs = &input,
                                       .n_inputs = 1,
                                       .n_ranks = n_ranks,
                                       .cancel_after = cancel_after};
    t.rc = rehearse_run(&task, &t.outputs, &t.err);
    free(x);
    return t;
}

/* The same in two pieces: `first` ranks take `steps` steps and save, `then` others go on.
 * rc 0 from the first: it was over before. */
static struct trained
train_in_two(unsigned first, unsigned steps, unsigned then, const char *const *more)
{
    float *x = malloc(ROWS_FLOATS * sizeof(*x));
    struct gm_input input = mlp_task_rows(x);
    struct rehearse_state *state = NULL;
    struct rehearse_arg args[32] = {
        {"layers", "[9, 17, 5]"}, {"epochs", "4"}, {"lr", "0.1"}};
    for (int n = 3; more != NULL && *more != NULL; more += 2)
        args[n++] = (struct rehearse_arg){more[0], more[1]};
    struct trained t = {.kernel = mlp_task_kernel("mlp.train")};
    struct rehearse_task task = {.kernel = t.kernel,
                                 .args = args,
                                 .inputs = &input,
                                 .n_inputs = 1,
                                 .n_ranks = first,
                                 .save_after = steps,
                                 .save = &state};
    t.rc = rehearse_run(&task, &t.outputs, &t.err);
    if (t.rc == -ECANCELED) {
        task.n_ranks = then;
        task.save_after = 0;
        task.load = state;
        t.rc = rehearse_run(&task, &t.outputs, &t.err);
    }
    rehearse_state_free(state);
    free(x);
    return t;
}

static bool same(const struct trained *a, const struct trained *b, const char *output)
{
    const struct rehearse_output *x = rehearse_find(a->kernel, a->outputs, output);
    const struct rehearse_output *y = rehearse_find(b->kernel, b->outputs, output);
    return x != NULL && y != NULL && x->nbytes == y->nbytes &&
           memcmp(x->data, y->data, x->nbytes) == 0;
}

static double scalar(const struct trained *t, const char *name)
{
    return *(const double *)rehearse_find(t->kernel, t->outputs, name)->data;
}

#define MORE(...)                                                                        \
    (const char *const[])                                                                \
    {                                                                                    \
        __VA_ARGS__, NULL                                                                \
    }

Test(mlp_train, the_weights_have_the_same_bits_for_any_number_of_ranks)
{
    static const char *const setups[][5] = {
        {"optimizer", "sgd", NULL},
        {"optimizer", "adamw", "activation", "gelu", NULL},
        {"batch", "50", "micro-batch", "7", NULL}, /* uneven in every way */
        {"layers",
         "[9, 300, 5]",
         "batch",
         "181",
         NULL}}; /* products that OpenBLAS makes */
    static const unsigned ranks[] = {2, 3, 4, 7};
    for (size_t s = 0; s < sizeof(setups) / sizeof(setups[0]); s++) {
        struct trained one = train(1, 0, setups[s]);
        cr_assert_eq(one.rc, 0, "%s", one.err.text);
        for (size_t r = 0; r < sizeof(ranks) / sizeof(ranks[0]); r++) {
            struct trained many = train(ranks[r], 0, setups[s]);
            cr_assert_eq(many.rc, 0, "%s", many.err.text);
            cr_expect(same(&one, &many, "model"), "setup %zu, %u ranks", s, ranks[r]);
            cr_expect(same(&one, &many, "loss"));
            cr_expect(same(&one, &many, "valid_accuracy"));
            cr_expect(same(&one, &many, "accuracy"));
            rehearse_free(many.kernel, many.outputs);
        }
        rehearse_free(one.kernel, one.outputs);
    }
}

/* 4 epochs of 6 steps (batches of 32 of the 181 rows) and one of validation: 28, and the
 * last. */
Test(mlp_train, saved_after_any_step_it_goes_on_with_the_same_bits_on_any_ranks)
{
    static const char *const setups[][5] = {{"optimizer", "sgd", "momentum", "0.9", NULL},
                                            {"optimizer", "adamw", NULL}};
    static const char *const outputs[] = {"model", "loss", "valid_accuracy", "accuracy"};
    for (size_t s = 0; s < sizeof(setups) / sizeof(setups[0]); s++) {
        struct trained whole = train(1, 0, setups[s]);
        cr_assert_eq(whole.rc, 0, "%s", whole.err.text);
        for (unsigned steps = 1; steps <= 28; steps++) {
            struct trained two =
                train_in_two(1 + steps % 3, steps, 1 + steps / 3 % 3, setups[s]);
            cr_assert_eq(two.rc, 0, "after %u: %s", steps, two.err.text);
            for (size_t o = 0; o < 4; o++)
                cr_expect(same(&whole, &two, outputs[o]), "%s, %u", outputs[o], steps);
            rehearse_free(two.kernel, two.outputs);
        }
        rehearse_free(whole.kernel, whole.outputs);
    }
}

/* The comparison above can fail: these change the bits and must be seen. */
/* 9 x 300 x 5 is below 100,000 weights, 9 x 10,000 x 5 above. */
Test(mlp_train, micro_batches_are_as_long_as_the_network_wants)
{
    static const struct {
        const char *layers, *chosen, *other;
    } cases[] = {{"[9, 300, 5]", "8", "64"}, {"[9, 10000, 5]", "64", "8"}};
    for (size_t i = 0; i < 2; i++) {
        const char *const *set =
            MORE("layers", cases[i].layers, "batch", "128", "epochs", "1");
        struct trained own = train(1, 0, set);
        struct trained same_one = train(1,
                                        0,
                                        MORE("layers",
                                             cases[i].layers,
                                             "batch",
                                             "128",
                                             "epochs",
                                             "1",
                                             "micro-batch",
                                             cases[i].chosen));
        struct trained other = train(1,
                                     0,
                                     MORE("layers",
                                          cases[i].layers,
                                          "batch",
                                          "128",
                                          "epochs",
                                          "1",
                                          "micro-batch",
                                          cases[i].other));
        cr_assert_eq(own.rc, 0, "%s", own.err.text);
        cr_assert_eq(same_one.rc, 0, "%s", same_one.err.text);
        cr_assert_eq(other.rc, 0, "%s", other.err.text);
        cr_expect(same(&own, &same_one, "model"), "case %zu", i);
        cr_expect_not(same(&own, &other, "model"), "case %zu", i);
        rehearse_free(own.kernel, own.outputs);
        rehearse_free(same_one.kernel, same_one.outputs);
        rehearse_free(other.kernel, other.outputs);
    }
}

Test(mlp_train, another_micro_batch_seed_or_rate_gives_other_bits)
{
    static const char *const changes[][3] = {{"micro-batch", "4", NULL},
                                             {"micro-batch", "32", NULL},
                                             {"init-seed", "1", NULL},
                                             {"split-seed", "1", NULL},
                                             {"momentum", "0.90001", NULL},
                                             {"weight-decay", "1e-6", NULL},
                                             {"scale", "1.0001", NULL}};
    struct trained base = train(1, 0, NULL);
    cr_assert_eq(base.rc, 0, "%s", base.err.text);
    for (size_t c = 0; c < sizeof(changes) / sizeof(changes[0]); c++) {
        struct trained other = train(1, 0, changes[c]);
        cr_assert_eq(other.rc, 0, "%s", other.err.text);
        cr_expect_not(same(&base, &other, "model"), "%s", changes[c][0]);
        rehearse_free(other.kernel, other.outputs);
    }
    rehearse_free(base.kernel, base.outputs);
}

Test(mlp_train, it_learns)
{
    struct trained t = train(1, 0, MORE("epochs", "15"));
    cr_assert_eq(t.rc, 0, "%s", t.err.text);
    const struct rehearse_output *loss = rehearse_find(t.kernel, t.outputs, "loss");
    const struct rehearse_output *valid =
        rehearse_find(t.kernel, t.outputs, "valid_accuracy");
    cr_assert(loss->rows == 15 && valid->rows == 15);
    const double *l = loss->data, *v = valid->data;
    cr_expect(l[0] > 0.3 && l[14] < 0.1 * l[0], "loss %g to %g", l[0], l[14]);
    cr_expect_gt(scalar(&t, "accuracy"), 0.95);
    cr_expect_eq(scalar(&t, "accuracy"), v[14]);
    cr_expect_gt(scalar(&t, "samples_per_s"), 0);
    struct mlp *m = NULL;
    const struct rehearse_output *model = rehearse_find(t.kernel, t.outputs, "model");
    cr_assert_eq(
        mlp_parse("model", model->data, model->nbytes, &m, &t.err), 0, "%s", t.err.text);
    cr_expect_eq(m->n_params, 9 * 17 + 17 + 17 * 5 + 5);
    mlp_free(m);
    rehearse_free(t.kernel, t.outputs);
}

/* Against plain loops in double, written here: whole mini-batch of one step, so neither
 * micro-shards nor order matter. */
Test(mlp_train, one_step_is_the_step_of_the_textbook)
{
    struct trained t = train(
        1,
        0,
        MORE("layers", "[9, 5]", "epochs", "1", "batch", "301", "split", "[100, 0, 0]"));
    cr_assert_eq(t.rc, 0, "%s", t.err.text);
    cr_expect_null(rehearse_find(t.kernel, t.outputs, "accuracy"),
                   "nothing to validate on");
    cr_expect_null(rehearse_find(t.kernel, t.outputs, "valid_accuracy"));
    float *x = malloc(ROWS_FLOATS * sizeof(*x)), start[45];
    (void)mlp_task_rows(x);
    philox_uniform(0, 0, -sqrtf(6.0F / 9), sqrtf(6.0F / 9), 45, start);
    double w[45], b[5] = {0}, loss = 0;
    for (int i = 0; i < 45; i++)
        w[i] = (double)start[i];
    for (size_t r = 0; r < MLP_ROWS; r++) {
        const float *row = x + r * 10;
        double z[5] = {0}, sum = 0;
        for (int c = 0; c < 5; c++) {
            for (int i = 0; i < 9; i++)
                z[c] += (double)row[i] * (double)start[i * 5 + c];
            sum += exp(z[c]);
        }
        loss += log(sum) - z[(int)row[9]];
        for (int c = 0; c < 5; c++) {
            double d = 0.1 / MLP_ROWS * (exp(z[c]) / sum - (c == (int)row[9]));
            b[c] -= d;
            for (int i = 0; i < 9; i++)
                w[i * 5 + c] -= d * (double)row[i];
        }
    }
    struct mlp *m = NULL;
    const struct rehearse_output *model = rehearse_find(t.kernel, t.outputs, "model");
    cr_assert_eq(mlp_parse("model", model->data, model->nbytes, &m, NULL), 0);
    for (int i = 0; i < 45; i++)
        cr_expect_float_eq((double)m->params[i], w[i], 1e-6);
    for (int c = 0; c < 5; c++)
        cr_expect_float_eq((double)m->params[45 + c], b[c], 1e-6);
    cr_expect_float_eq(scalar(&t, "loss"), loss / MLP_ROWS, 1e-5);
    mlp_free(m);
    free(x);
    rehearse_free(t.kernel, t.outputs);
}

Test(mlp_train, what_cannot_be_trained_is_refused_with_the_reason)
{
    static const struct {
        const char *name, *value, *want;
    } cases[] = {
        {"layers",
         "[8, 5]",
         "clouds: has 9 columns of inputs, but the first layer has 8"},
        {"layers",
         "[9, 4]",
         "clouds: row 2: label 4, but the last layer has 4 classes (0-3)"},
        {"layers", "[9]", "layers: 1 widths"},
        {"layers", "[9, 1]", "number of classes"},
        {"split", "[0, 50, 50]", "none of the 301 rows is left to train on"},
        {"split", "[60, 40]", "split: has 2 numbers"},
        {"split", "[60, 20, 10]", "is 90, not 100"},
        {"labels", "/nowhere/labels.csv", "/nowhere/labels.csv: No such file"},
        {"lr", "1e30", "the loss is no longer finite: training diverged (lr 1e+30)"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trained t = train(1, 0, MORE(cases[i].name, cases[i].value));
        cr_expect_lt(t.rc, 0, "case %zu", i);
        cr_expect_not_null(
            strstr(t.err.text, cases[i].want), "case %zu: %s", i, t.err.text);
    }
}

Test(mlp_train, labels_that_are_no_classes_are_refused_by_row)
{
    static const float wrong[] = {2.5F, -1, 1e9F};
    float *x = malloc(ROWS_FLOATS * sizeof(*x));
    for (size_t i = 0; i < 3; i++) {
        struct gm_input input = mlp_task_rows(x);
        x[12 * 10 + 9] = wrong[i];
        const struct rehearse_arg args[] = {{"layers", "[9, 5]"}, {NULL, NULL}};
        const struct rehearse_task task = {.kernel = mlp_task_kernel("mlp.train"),
                                           .args = args,
                                           .inputs = &input,
                                           .n_inputs = 1};
        struct rehearse_output *outputs = NULL;
        struct gm_error err;
        cr_expect_eq(rehearse_run(&task, &outputs, &err), -EINVAL);
        cr_expect_not_null(strstr(err.text, "clouds: row 12: label "), "%s", err.text);
    }
    free(x);
}

Test(mlp_train, labels_may_come_apart)
{
    float *x = malloc(ROWS_FLOATS * sizeof(*x)),
          *inputs = malloc(ROWS_FLOATS * sizeof(*x));
    uint8_t labels[MLP_ROWS];
    struct gm_input all = mlp_task_rows(x);
    for (size_t i = 0; i < MLP_ROWS; i++) {
        memcpy(inputs + i * 9, x + i * 10, 9 * sizeof(*x));
        labels[i] = (uint8_t)x[i * 10 + 9];
    }
    struct gm_input apart[2] = {all, all};
    apart[0].dims[1] = 9;
    apart[0].data = inputs;
    apart[1] = (struct gm_input){.param = 1,
                                 .dtype = GM_U8,
                                 .ndim = 1,
                                 .dims = {MLP_ROWS},
                                 .data = labels,
                                 .nbytes = MLP_ROWS,
                                 .origin = "labels"};
    const struct rehearse_arg args[] = {
        {"layers", "[9, 17, 5]"}, {"epochs", "4"}, {"lr", "0.1"}, {NULL, NULL}};
    struct trained t = {.kernel = mlp_task_kernel("mlp.train")}, base = train(1, 0, NULL);
    struct rehearse_task task = {
        .kernel = t.kernel, .args = args, .inputs = apart, .n_inputs = 2};
    t.rc = rehearse_run(&task, &t.outputs, &t.err);
    cr_assert_eq(t.rc, 0, "%s", t.err.text);
    cr_expect(same(&t, &base, "model"));
    rehearse_free(t.kernel, t.outputs);
    rehearse_free(base.kernel, base.outputs);
    apart[1].dims[0] = MLP_ROWS - 1;
    cr_expect_eq(rehearse_run(&task, &t.outputs, &t.err), -EINVAL);
    cr_expect_not_null(
        strstr(t.err.text, "labels: has 300 x 1 labels where clouds has 301 rows"));
    free(x);
    free(inputs);
}

Test(mlp_train, a_stop_is_noticed_within_a_step)
{
    for (unsigned after = 1; after < 40; after += 13) {
        struct trained t = train(1, after, NULL);
        cr_expect_eq(t.rc, -ECANCELED);
    }
}
