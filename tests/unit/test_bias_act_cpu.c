#include "kernels/op/bias_act.h"
#include "op_bits.h"
#include <criterion/criterion.h>

static const enum act acts[] = {ACT_NONE, ACT_RELU, ACT_GELU, ACT_GELU_ERF, ACT_SILU};
#define N_ACTS (sizeof(acts) / sizeof(acts[0]))

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
    for (size_t i = 0; i < N_ACTS * OP_ODD * OP_ODD; i++)
        check(acts[i % N_ACTS], op_odd[i / N_ACTS % OP_ODD], op_odd[i / N_ACTS / OP_ODD]);
}

Test(bias_act_cpu, the_reference_gradient_is_the_difference_quotient)
{
    for (size_t a = 0; a < N_ACTS; a++) {
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
    for (size_t a = 0; a < N_ACTS; a++) {
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

Test(bias_act_cpu, gelu_by_erf_and_silu_far_out_are_nothing_or_the_input)
{
    static const enum act smooth[] = {ACT_GELU_ERF, ACT_SILU};
    for (size_t a = 0; a < 2; a++) {
        float z[5] = {-1e4F, 1e4F, -90, 90, 1e30F}, bias[5] = {0}, y[5];
        float dy[5] = {1, 1, 1, 1, 1}, db[5];
        bias_act_forward(smooth[a], 1, 5, z, bias, y);
        bias_act_backward(smooth[a], 1, 5, z, dy, dy, db);
        cr_expect(fabsf(y[0]) < 1e-30F && y[1] == 1e4F);
        cr_expect(fabsf(y[2]) < 1e-30F && y[3] == 90 && y[4] == 1e30F);
        cr_expect(fabsf(dy[0]) < 1e-30F && dy[1] == 1);
        cr_expect(fabsf(dy[2]) < 1e-30F && dy[3] == 1 && dy[4] == 1);
    }
}

/* Also where the tail has to be right, and not only small. */
Test(bias_act_cpu, gelu_by_erf_has_a_small_relative_error_down_to_minus_five)
{
    for (float x = -5; x < 5; x += 0.003F) {
        float z = x, bias = 0, y;
        double rz = (double)x, zero = 0, ry;
        bias_act_forward(ACT_GELU_ERF, 1, 1, &z, &bias, &y);
        bias_act_ref_forward(ACT_GELU_ERF, 1, 1, &rz, &zero, &ry);
        cr_expect_float_eq(y, ry, 2e-6 * fabs(ry), "at %g", (double)x);
    }
}

Test(bias_act_cpu, threads_and_the_cut_into_rows_change_no_bit)
{
    enum { M = 131, N = 517, ALL = M * N };
    for (size_t a = 0; a < N_ACTS; a++) {
        OP_FLOATS start = op_numbers(ALL, 0);
        OP_FLOATS bias = op_numbers(N, 1);
        OP_FLOATS dy = op_numbers(ALL, 2);
        OP_FLOATS z = op_copy(start, ALL);
        OP_FLOATS y = op_poisoned(ALL);
        OP_FLOATS dz = op_poisoned(ALL);
        OP_FLOATS sum = calloc(N, sizeof(float));
        float db[N];
        for (size_t i = 0; i < M; i++) {
            bias_act_forward(acts[a], 1, N, z + i * N, bias, y + i * N);
            bias_act_backward(acts[a], 1, N, z + i * N, dy + i * N, dz + i * N, db);
            for (size_t j = 0; j < N; j++)
                sum[j] += dz[i * N + j];
        }
        for (unsigned t = 1; t <= 3; t++) {
            OP_FLOATS tz = op_copy(start, ALL);
            OP_FLOATS ty = op_poisoned(ALL);
            OP_FLOATS tdz = op_poisoned(ALL);
            threads_set(t);
            bias_act_forward(acts[a], M, N, tz, bias, ty);
            bias_act_backward(acts[a], M, N, tz, dy, tdz, db);
            cr_expect(op_same_bits(z, tz, ALL) && op_same_bits(y, ty, ALL));
            cr_expect(op_same_bits(dz, tdz, ALL) && op_same_bits(sum, db, N));
        }
    }
}
