#include "kernels/op/bias_act.h"
#include "op_check.h"
#include <criterion/criterion.h>
#include <math.h>

static const enum act acts[] = {ACT_NONE, ACT_RELU, ACT_GELU};

static void check(enum act act, size_t m, size_t n)
{
    float *z = op_numbers(m * n, 0), *bias = op_numbers(n, 1), *dy = op_numbers(m * n, 2);
    float *y = op_numbers(m * n, 3), *db = op_numbers(n, 4);
    for (size_t i = 0; i < m * n; i++)
        z[i] *= 6;
    double *rz = op_widen(z, m * n), *rbias = op_widen(bias, n),
           *rdy = op_widen(dy, m * n);
    double *ry = malloc(m * n * sizeof(*ry)), *rdb = malloc(n * sizeof(*rdb));
    bias_act_forward(act, m, n, z, bias, y);
    bias_act_ref_forward(act, m, n, rz, rbias, ry);
    cr_expect_lt(op_nmse(y, ry, m * n), 1e-13, "forward, act %d, %zu x %zu", act, m, n);
    double size = 0; /* a slope near 0 has an error of an ulp of 1: measured against dy */
    for (size_t i = 0; i < m * n; i++)
        size += rdy[i] * rdy[i];
    bias_act_backward(act, m, n, z, dy, dy, db);
    bias_act_ref_backward(act, m, n, rz, rdy, rdy, rdb);
    cr_expect_lt(
        op_nmse(dy, rdy, m * n), 1e-12, "backward, act %d, %zu x %zu", act, m, n);
    cr_expect_lt(
        op_square(db, rdb, n), 1e-12 * size, "bias, act %d, %zu x %zu", act, m, n);
    free(z);
    free(bias);
    free(dy);
    free(y);
    free(db);
    free(rz);
    free(rbias);
    free(rdy);
    free(ry);
    free(rdb);
}

Test(bias_act_cpu, agrees_with_the_reference_on_odd_shapes)
{
    for (size_t i = 0; i < 3 * OP_SIZES * OP_SIZES; i++)
        check(acts[i % 3], op_sizes[i / 3 % OP_SIZES], op_sizes[i / 3 / OP_SIZES]);
}

Test(bias_act_cpu, the_reference_gradient_is_the_difference_quotient)
{
    for (size_t a = 0; a < 3; a++) {
        for (double z = -4.05; z < 4; z += 0.1) { /* never 0, where ReLU has a corner */
            const double h = 1e-6, zero = 0, one = 1;
            double up = z + h, down = z - h, at = z, yu, yd, dz, db;
            bias_act_ref_forward(acts[a], 1, 1, &up, &zero, &yu);
            bias_act_ref_forward(acts[a], 1, 1, &down, &zero, &yd);
            bias_act_ref_backward(acts[a], 1, 1, &at, &one, &dz, &db);
            cr_expect_float_eq(dz, (yu - yd) / (2 * h), 1e-8, "act %zu at %g", a, z);
        }
    }
}

Test(bias_act_cpu, nan_is_not_hidden)
{
    for (size_t a = 0; a < 3; a++) {
        float z = NAN, bias = 0, y = 0;
        bias_act_forward(acts[a], 1, 1, &z, &bias, &y);
        cr_expect(isnan(y), "act %zu", a);
    }
}

Test(bias_act_cpu, gelu_far_out_is_nothing_or_the_input)
{
    float z[4] = {-1e4F, 1e4F, -30, 30}, bias[4] = {0}, y[4], dy[4] = {1, 1, 1, 1}, db[4];
    bias_act_forward(ACT_GELU, 1, 4, z, bias, y);
    bias_act_backward(ACT_GELU, 1, 4, z, dy, dy, db);
    cr_expect(fabsf(y[0]) < 1e-30F && y[1] == 1e4F && fabsf(y[2]) < 1e-30F && y[3] == 30);
    cr_expect(fabsf(dy[0]) < 1e-25F && dy[1] == 1 && fabsf(dy[2]) < 1e-25F && dy[3] == 1);
}
