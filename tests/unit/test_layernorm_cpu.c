#include "kernels/op/layernorm.h"
#include "op_bits.h"
#include <criterion/criterion.h>

#define EPS 1e-5

/* All arrays of one shape; outputs begin as NaN. */
struct data {
    size_t m, n;
    float *x, *gain, *bias, *dy, *y, *mean, *rstd, *dx, *dgain, *dbias, *work;
};

static struct data make(size_t m, size_t n)
{
    size_t count = m * n;
    struct data d = {.m = m,
                     .n = n,
                     .x = op_numbers(count, 0),
                     .gain = op_numbers(n, 1),
                     .bias = op_numbers(n, 2),
                     .dy = op_numbers(count, 3),
                     .y = op_poisoned(count),
                     .mean = op_poisoned(m),
                     .rstd = op_poisoned(m),
                     .dx = op_poisoned(count),
                     .dgain = op_poisoned(n),
                     .dbias = op_poisoned(n),
                     .work = op_poisoned(layernorm_work_floats(m, n))};
    for (size_t i = 0; i < count; i++)
        d.x[i] = d.x[i] * 3 + (float)(i / n % 4); /* rows off the middle, too */
    return d;
}

static void release(struct data *d)
{
    float *all[] = {d->x,
                    d->gain,
                    d->bias,
                    d->dy,
                    d->y,
                    d->mean,
                    d->rstd,
                    d->dx,
                    d->dgain,
                    d->dbias,
                    d->work};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        free(all[i]);
}

static void run(struct data *d, const float *dsum)
{
    layernorm_forward(
        d->m, d->n, (float)EPS, d->x, d->gain, d->bias, d->y, d->mean, d->rstd);
    layernorm_backward(d->m,
                       d->n,
                       d->x,
                       d->gain,
                       d->mean,
                       d->rstd,
                       d->dy,
                       dsum,
                       d->dx,
                       d->dgain,
                       d->dbias,
                       d->work);
}

static void check(size_t m, size_t n)
{
    size_t count = m * n;
    struct data d = make(m, n);
    OP_DOUBLES x = op_widen(d.x, count);
    OP_DOUBLES gain = op_widen(d.gain, n);
    OP_DOUBLES bias = op_widen(d.bias, n);
    OP_DOUBLES dy = op_widen(d.dy, count);
    OP_DOUBLES y = op_doubles(count);
    OP_DOUBLES dx = op_doubles(count);
    OP_DOUBLES dgain = op_doubles(n);
    OP_DOUBLES dbias = op_doubles(n);
    run(&d, NULL);
    layernorm_ref_forward(m, n, EPS, x, gain, bias, y);
    layernorm_ref_backward(m, n, EPS, x, gain, dy, dx, dgain, dbias);
    double size = 0;
    for (size_t i = 0; i < count; i++)
        size += dy[i] * dy[i];
    cr_expect_lt(op_nmse(d.y, y, count), 1e-12, "%zu x %zu", m, n);
    /* of one column dx and dgain are 0 but for rounding: measured against dy */
    cr_expect_lt(op_square(d.dx, dx, count), 1e-11 * size, "dx, %zu x %zu", m, n);
    cr_expect_lt(op_square(d.dgain, dgain, n), 1e-11 * size, "dgain, %zu x %zu", m, n);
    cr_expect_lt(op_square(d.dbias, dbias, n), 1e-11 * size, "dbias, %zu x %zu", m, n);
    release(&d);
}

Test(layernorm_cpu, agrees_with_the_reference_on_odd_shapes)
{
    for (size_t s = 0; s < OP_ODD * OP_ODD; s++)
        check(op_odd[s % OP_ODD], op_odd[s / OP_ODD]);
}

static double loss(size_t m,
                   size_t n,
                   const double *x,
                   const double *gain,
                   const double *bias,
                   const double *dy)
{
    double sum = 0;
    OP_DOUBLES y = op_doubles(m * n);
    layernorm_ref_forward(m, n, EPS, x, gain, bias, y);
    for (size_t i = 0; i < m * n; i++)
        sum += y[i] * dy[i];
    return sum;
}

Test(layernorm_cpu, the_reference_gradient_is_the_difference_quotient)
{
    enum { M = 3, N = 5 };
    struct data d = make(M, N);
    OP_DOUBLES x = op_widen(d.x, M * N);
    OP_DOUBLES gain = op_widen(d.gain, N);
    OP_DOUBLES bias = op_widen(d.bias, N);
    OP_DOUBLES dy = op_widen(d.dy, M * N);
    double grad[M * N + 2 * N];
    layernorm_ref_backward(M, N, EPS, x, gain, dy, grad, grad + M * N, grad + M * N + N);
    for (size_t i = 0; i < M * N + 2 * N; i++) {
        const double h = 1e-6;
        double *at = i < M * N       ? x + i
                     : i < M * N + N ? gain + i - M * N
                                     : bias + i - M * N - N;
        double was = *at;
        *at = was + h;
        double up = loss(M, N, x, gain, bias, dy);
        *at = was - h;
        double down = loss(M, N, x, gain, bias, dy);
        *at = was;
        cr_expect_float_eq(grad[i], (up - down) / (2 * h), 1e-7, "%zu", i);
    }
    release(&d);
}

/* The forms with the residual fused in, against the steps one by one. */
Test(layernorm_cpu, the_residual_is_added_before_and_its_gradient_after)
{
    enum { M = 65, N = 67, ALL = M * N };
    struct data d = make(M, N);
    OP_FLOATS b = op_numbers(ALL, 7);
    OP_FLOATS a = op_copy(d.x, ALL);
    OP_FLOATS sum = op_poisoned(ALL);
    OP_FLOATS y = op_poisoned(ALL);
    layernorm_forward_add(M, N, (float)EPS, a, b, sum, d.gain, d.bias, y, d.mean, d.rstd);
    for (size_t i = 0; i < ALL; i++)
        cr_expect_eq(sum[i], a[i] + b[i]);
    memcpy(d.x, sum, sizeof(float) * ALL);
    run(&d, NULL);
    cr_expect(op_same_bits(y, d.y, ALL));
    OP_FLOATS dx = op_copy(d.dx, ALL);
    run(&d, b);
    for (size_t i = 0; i < ALL; i++)
        cr_expect_eq(d.dx[i], dx[i] + b[i]);
    /* in place: dx over dsum, y over x, x over a */
    OP_FLOATS want = op_copy(d.dx, ALL);
    layernorm_backward(
        M, N, d.x, d.gain, d.mean, d.rstd, d.dy, b, b, d.dgain, d.dbias, d.work);
    cr_expect(op_same_bits(b, want, ALL));
    layernorm_backward(
        M, N, d.x, d.gain, d.mean, d.rstd, d.dy, NULL, d.dy, d.dgain, NULL, d.work);
    cr_expect(op_same_bits(d.dy, dx, ALL));
    layernorm_forward(M, N, (float)EPS, d.x, d.gain, d.bias, d.x, d.mean, d.rstd);
    cr_expect(op_same_bits(d.x, y, ALL));
    release(&d);
}

Test(layernorm_cpu, no_bias_is_a_bias_of_nothing)
{
    enum { M = 3, N = 65 };
    struct data d = make(M, N);
    memset(d.bias, 0, N * sizeof(float));
    run(&d, NULL);
    OP_FLOATS y = op_poisoned((size_t)M * N);
    layernorm_forward(M, N, (float)EPS, d.x, d.gain, NULL, y, d.mean, d.rstd);
    for (size_t i = 0; i < (size_t)M * N; i++)
        cr_expect_eq(y[i], d.y[i]);
    release(&d);
}

Test(layernorm_cpu, threads_and_the_cut_into_rows_change_no_bit)
{
    enum { M = 301, N = 257, ALL = M * N };
    threads_set(1);
    struct data one = make(M, N);
    run(&one, NULL);
    OP_FLOATS y = op_poisoned(N);
    float mean, rstd;
    for (size_t i = 0; i < M; i++) {
        layernorm_forward(
            1, N, (float)EPS, one.x + i * N, one.gain, one.bias, y, &mean, &rstd);
        cr_expect(op_same_bits(y, one.y + i * N, N), "row %zu", i);
        cr_expect(mean == one.mean[i] && rstd == one.rstd[i]);
    }
    for (unsigned t = 2; t <= 3; t++) {
        struct data d = make(M, N);
        threads_set(t);
        run(&d, NULL);
        cr_expect(op_same_bits(d.y, one.y, ALL) && op_same_bits(d.dx, one.dx, ALL));
        cr_expect(op_same_bits(d.dgain, one.dgain, N), "%u threads", t);
        cr_expect(op_same_bits(d.dbias, one.dbias, N), "%u threads", t);
        release(&d);
    }
    release(&one);
}

Test(layernorm_cpu, extremes)
{
    float x[12] = {5, 5, 5, 5, 1e15F, -1e15F, 1e15F, -1e15F, 1, NAN, 1, 1};
    const float gain[4] = {1, 1, 1, 1};
    float y[12], mean[3], rstd[3];
    layernorm_forward(3, 4, (float)EPS, x, gain, NULL, y, mean, rstd);
    cr_expect(y[0] == 0 && y[3] == 0, "a row of one number");
    cr_expect(y[4] == 1 && y[5] == -1, "large ones");
    cr_expect(isnan(y[8]) && isnan(y[11]), "NaN is not hidden");
}
