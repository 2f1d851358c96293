#include "kernels/op/rmsnorm.h"
#include "op_bits.h"
#include <criterion/criterion.h>

#define EPS 1e-5

static void check(size_t m, size_t n)
{
    size_t count = m * n;
    OP_FLOATS x = op_numbers(count, 0);
    OP_FLOATS gain = op_numbers(n, 1);
    OP_FLOATS dy = op_numbers(count, 2);
    OP_FLOATS y = op_poisoned(count);
    OP_FLOATS rstd = op_poisoned(m);
    OP_FLOATS dx = op_poisoned(count);
    OP_FLOATS dgain = op_poisoned(n);
    OP_FLOATS work = op_poisoned(rmsnorm_work_floats(m, n));
    OP_DOUBLES rx = op_widen(x, count);
    OP_DOUBLES rgain = op_widen(gain, n);
    OP_DOUBLES rdy = op_widen(dy, count);
    OP_DOUBLES ry = op_doubles(count);
    OP_DOUBLES rdx = op_doubles(count);
    OP_DOUBLES rdgain = op_doubles(n);
    rmsnorm_forward(m, n, (float)EPS, x, gain, y, rstd);
    rmsnorm_backward(m, n, x, gain, rstd, dy, NULL, dx, dgain, work);
    rmsnorm_ref_forward(m, n, EPS, rx, rgain, ry);
    rmsnorm_ref_backward(m, n, EPS, rx, rgain, rdy, rdx, rdgain);
    double size = 0;
    for (size_t i = 0; i < count; i++)
        size += rdy[i] * rdy[i];
    cr_expect_lt(op_nmse(y, ry, count), 1e-12, "%zu x %zu", m, n);
    /* of one column dx is 0 but for rounding, at rows of any size: left out */
    if (n > 1)
        cr_expect_lt(op_nmse(dx, rdx, count), 1e-11, "dx, %zu x %zu", m, n);
    cr_expect_lt(op_square(dgain, rdgain, n), 1e-11 * size, "dgain, %zu x %zu", m, n);
}

Test(rmsnorm_cpu, agrees_with_the_reference_on_odd_shapes)
{
    for (size_t s = 0; s < OP_ODD * OP_ODD; s++)
        check(op_odd[s % OP_ODD], op_odd[s / OP_ODD]);
}

static double
loss(size_t m, size_t n, const double *x, const double *gain, const double *dy)
{
    double sum = 0;
    OP_DOUBLES y = op_doubles(m * n);
    rmsnorm_ref_forward(m, n, EPS, x, gain, y);
    for (size_t i = 0; i < m * n; i++)
        sum += y[i] * dy[i];
    return sum;
}

Test(rmsnorm_cpu, the_reference_gradient_is_the_difference_quotient)
{
    enum { M = 3, N = 5 };
    OP_FLOATS numbers = op_numbers(2 * M * N + N, 0);
    OP_DOUBLES x = op_widen(numbers, M * N);
    OP_DOUBLES dy = op_widen(numbers + M * N, M * N);
    OP_DOUBLES gain = op_widen(numbers + 2 * M * N, N);
    double grad[M * N + N];
    rmsnorm_ref_backward(M, N, EPS, x, gain, dy, grad, grad + M * N);
    for (size_t i = 0; i < M * N + N; i++) {
        const double h = 1e-6;
        double *at = i < M * N ? x + i : gain + i - M * N, was = *at;
        *at = was + h;
        double up = loss(M, N, x, gain, dy);
        *at = was - h;
        double down = loss(M, N, x, gain, dy);
        *at = was;
        cr_expect_float_eq(grad[i], (up - down) / (2 * h), 1e-7, "%zu", i);
    }
}

/* The forms with the residual fused in, and those in place, against the plain ones. */
Test(rmsnorm_cpu, the_residual_is_added_before_and_its_gradient_after)
{
    enum { M = 65, N = 67, ALL = M * N };
    OP_FLOATS a = op_numbers(ALL, 0);
    OP_FLOATS b = op_numbers(ALL, 1);
    OP_FLOATS gain = op_numbers(N, 2);
    OP_FLOATS dy = op_numbers(ALL, 3);
    OP_FLOATS x = op_poisoned(ALL);
    OP_FLOATS y = op_poisoned(ALL);
    OP_FLOATS dx = op_poisoned(ALL);
    OP_FLOATS both = op_poisoned(ALL);
    OP_FLOATS work = op_poisoned(rmsnorm_work_floats(M, N));
    float rstd[M], again[M], dgain[N], plain[N];
    rmsnorm_forward_add(M, N, (float)EPS, a, b, x, gain, y, rstd);
    for (size_t i = 0; i < ALL; i++)
        cr_expect_eq(x[i], a[i] + b[i]);
    OP_FLOATS z = op_copy(x, ALL);
    rmsnorm_forward(M, N, (float)EPS, z, gain, z, again);
    cr_expect(op_same_bits(y, z, ALL) && op_same_bits(rstd, again, M));
    rmsnorm_backward(M, N, x, gain, rstd, dy, NULL, dx, plain, work);
    rmsnorm_backward(M, N, x, gain, rstd, dy, b, both, dgain, work);
    for (size_t i = 0; i < ALL; i++)
        cr_expect_eq(both[i], dx[i] + b[i]);
    rmsnorm_backward(M, N, x, gain, rstd, dy, b, b, dgain, work);
    cr_expect(op_same_bits(b, both, ALL) && op_same_bits(dgain, plain, N));
    rmsnorm_backward(M, N, x, gain, rstd, dy, NULL, dy, dgain, work);
    cr_expect(op_same_bits(dy, dx, ALL) && op_same_bits(dgain, plain, N));
    rmsnorm_forward(M, N, (float)EPS, x, gain, z, NULL);
    cr_expect(op_same_bits(y, z, ALL), "rstd not asked for");
}

Test(rmsnorm_cpu, threads_and_the_cut_into_rows_change_no_bit)
{
    enum { M = 301, N = 257, ALL = M * N };
    OP_FLOATS x = op_numbers(ALL, 0);
    OP_FLOATS gain = op_numbers(N, 1);
    OP_FLOATS dy = op_numbers(ALL, 2);
    OP_FLOATS work = op_poisoned(rmsnorm_work_floats(M, N));
    OP_FLOATS y = op_poisoned(ALL);
    OP_FLOATS dx = op_poisoned(ALL);
    float rstd[M], dgain[N];
    for (size_t i = 0; i < M; i++) {
        rmsnorm_forward(1, N, (float)EPS, x + i * N, gain, y + i * N, rstd + i);
        rmsnorm_backward(
            1, N, x + i * N, gain, rstd + i, dy + i * N, NULL, dx + i * N, dgain, work);
    }
    OP_FLOATS first = op_poisoned(N);
    for (unsigned t = 1; t <= 3; t++) {
        OP_FLOATS ty = op_poisoned(ALL);
        OP_FLOATS tdx = op_poisoned(ALL);
        threads_set(t);
        rmsnorm_forward(M, N, (float)EPS, x, gain, ty, rstd);
        rmsnorm_backward(M, N, x, gain, rstd, dy, NULL, tdx, dgain, work);
        if (t == 1)
            memcpy(first, dgain, sizeof(dgain));
        cr_expect(op_same_bits(y, ty, ALL) && op_same_bits(dx, tdx, ALL));
        cr_expect(op_same_bits(first, dgain, N), "%u threads", t);
    }
}

Test(rmsnorm_cpu, extremes)
{
    const float x[12] = {0, 0, 0, 0, 1e15F, -1e15F, 1e15F, -1e15F, 1, NAN, 1, 1};
    const float gain[4] = {1, 1, 1, 1};
    float y[12], rstd[3];
    rmsnorm_forward(3, 4, (float)EPS, x, gain, y, rstd);
    cr_expect(y[0] == 0 && y[3] == 0);
    cr_expect_float_eq(y[4], 1, 1e-6);
    cr_expect(isnan(y[8]) && isnan(y[11]), "NaN is not hidden");
}
