#include "mlp_task.h"
#include <math.h>

static int run(const struct rehearse_arg *args,
               unsigned threads,
               unsigned cancel,
               struct rehearse_output **ret,
               struct gm_error *err)
{
    const struct rehearse_task task = {.kernel = mlp_task_kernel("gemm"),
                                       .args = args,
                                       .n_threads = threads,
                                       .cancel_after = cancel};
    return rehearse_run(&task, ret, err);
}

static double value(const struct rehearse_output *out, const char *name)
{
    const struct rehearse_output *o = rehearse_find(mlp_task_kernel("gemm"), out, name);
    cr_assert_not_null(o, "%s", name);
    return *(const double *)o->data;
}

Test(gemm, rates_are_positive_and_the_error_is_that_of_rounding)
{
    static const struct {
        const char *dtype, *n, *m, *k;
        double most, least;
    } cases[] = {{"float32", "65", "7", "130", 1e-6, 1e-9},
                 {"float64", "65", "7", "130", 1e-15, 0},
                 {"float32", "1", "1", "1", 1e-7, 0},
                 {"float64", "256", "256", "256", 1e-15, 0},
                 {"bfloat16", "65", "7", "130", 0x1p-9, 1e-4}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct rehearse_arg args[] = {{"dtype", cases[i].dtype},
                                            {"n", cases[i].n},
                                            {"m", cases[i].m},
                                            {"k", cases[i].k},
                                            {"repeat", "3"},
                                            {NULL, NULL}};
        struct rehearse_output *out = NULL, *again = NULL;
        struct gm_error err;
        cr_assert_eq(run(args, 1, 0, &out, &err), 0, "%s", err.text);
        cr_assert_eq(run(args, 1, 0, &again, &err), 0, "%s", err.text);
        cr_expect_gt(value(out, "gflops"), 0);
        cr_expect_float_eq(value(out, "peak_fraction"),
                           value(out, "gflops") / value(out, "peak_gflops"),
                           1e-12);
        cr_expect_leq(value(out, "error"), cases[i].most);
        cr_expect_geq(value(out, "error"), cases[i].least, "%s", cases[i].dtype);
        cr_expect_eq(
            value(out, "error"), value(again, "error"), "a computed output has its bits");
        rehearse_free(mlp_task_kernel("gemm"), out);
        rehearse_free(mlp_task_kernel("gemm"), again);
    }
}

Test(gemm, without_check_there_is_no_error_and_a_stop_is_noticed)
{
    const struct rehearse_arg args[] = {{"n", "64"}, {"check", "false"}, {NULL, NULL}};
    struct rehearse_output *out = NULL;
    struct gm_error err;
    cr_assert_eq(run(args, 2, 0, &out, &err), 0, "%s", err.text);
    cr_expect_null(rehearse_find(mlp_task_kernel("gemm"), out, "error"));
    rehearse_free(mlp_task_kernel("gemm"), out);
    cr_expect_eq(run(args, 1, 4, &out, &err), -ECANCELED);
}

Test(gemm, its_cost_is_counted_from_the_parameters)
{
    struct gm_value v[7] = {{.type = GM_PARAM_INT, .as.i = 10},
                            {.type = GM_PARAM_INT, .as.i = 3},
                            {0},
                            {.type = GM_PARAM_CHOICE, .as.s = "float64"},
                            {.type = GM_PARAM_INT, .as.i = 4},
                            {.type = GM_PARAM_INT, .as.i = 0},
                            {.type = GM_PARAM_BOOL, .as.b = true}};
    const struct gm_kernel *k = mlp_task_kernel("gemm");
    const struct gm_params p = {.specs = k->params, .values = v, .n = 7};
    double flops = 0, bytes = 0;
    cr_assert_eq(k->cost(&p, &flops, &bytes), 0);
    cr_expect_float_eq(flops, 2.0 * 3 * 10 * 10 * 5, 1e-9);
    cr_expect_float_eq(bytes, 8.0 * (30 + 100 + 30) * 5, 1e-9);
    v[3].as.s = "bfloat16";
    cr_assert_eq(k->cost(&p, &flops, &bytes), 0);
    cr_expect_float_eq(bytes, (4.0 * (30 + 30) + 2.0 * 100) * 5, 1e-9);
}
