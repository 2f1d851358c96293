#include "kernels/op/swiglu.h"
#include "op_bits.h"
#include <criterion/criterion.h>

static void check(size_t m, size_t n)
{
    size_t count = m * n;
    OP_FLOATS a = op_numbers(count, 0);
    OP_FLOATS b = op_numbers(count, 1);
    OP_FLOATS dy = op_numbers(count, 2);
    for (size_t i = 0; i < count; i++)
        a[i] *= 8;
    OP_DOUBLES ra = op_widen(a, count);
    OP_DOUBLES rb = op_widen(b, count);
    OP_DOUBLES rdy = op_widen(dy, count);
    OP_DOUBLES ry = op_doubles(count);
    OP_DOUBLES rda = op_doubles(count);
    OP_DOUBLES rdb = op_doubles(count);
    swiglu_ref_forward(count, ra, rb, ry);
    swiglu_ref_backward(count, ra, rb, rdy, rda, rdb);
    OP_FLOATS y = op_poisoned(count);
    OP_FLOATS da = op_poisoned(count);
    OP_FLOATS db = op_poisoned(count);
    swiglu_forward(m, n, n, a, b, y);
    swiglu_backward(m, n, n, a, b, dy, da, db);
    cr_expect_lt(op_nmse(y, ry, count), 1e-12, "%zu x %zu", m, n);
    cr_expect_lt(op_nmse(da, rda, count), 1e-12, "%zu x %zu", m, n);
    cr_expect_lt(op_nmse(db, rdb, count), 1e-12, "%zu x %zu", m, n);
    /* both halves side by side, as one product gives them; the gradient in place */
    OP_FLOATS both = op_poisoned(2 * count);
    for (size_t i = 0; i < m; i++) {
        memcpy(both + 2 * i * n, a + i * n, n * sizeof(float));
        memcpy(both + 2 * i * n + n, b + i * n, n * sizeof(float));
    }
    OP_FLOATS again = op_poisoned(count);
    swiglu_forward(m, n, 2 * n, both, both + n, again);
    cr_expect(op_same_bits(y, again, count), "rows of both");
    swiglu_backward(m, n, 2 * n, both, both + n, dy, both, both + n);
    for (size_t i = 0; i < m; i++) {
        cr_expect(op_same_bits(both + 2 * i * n, da + i * n, n));
        cr_expect(op_same_bits(both + 2 * i * n + n, db + i * n, n));
    }
    swiglu_forward(m, n, n, a, b, b);
    cr_expect(op_same_bits(y, b, count), "in place");
}

Test(swiglu_cpu, agrees_with_the_reference_on_odd_shapes)
{
    for (size_t s = 0; s < OP_ODD * OP_ODD; s++)
        check(op_odd[s % OP_ODD], op_odd[s / OP_ODD]);
}

Test(swiglu_cpu, the_reference_gradient_is_the_difference_quotient)
{
    for (double x = -6; x < 6; x += 0.37) {
        const double h = 1e-6, b = 0.7, dy = 1.3;
        double up = x + h, down = x - h, yu, yd, da, db, bu = b + h, bd = b - h;
        swiglu_ref_backward(1, &x, &b, &dy, &da, &db);
        swiglu_ref_forward(1, &up, &b, &yu);
        swiglu_ref_forward(1, &down, &b, &yd);
        cr_expect_float_eq(da, dy * (yu - yd) / (2 * h), 1e-8);
        swiglu_ref_forward(1, &x, &bu, &yu);
        swiglu_ref_forward(1, &x, &bd, &yd);
        cr_expect_float_eq(db, dy * (yu - yd) / (2 * h), 1e-8);
    }
}

Test(swiglu_cpu, threads_change_no_bit_and_extremes_stay_numbers)
{
    enum { M = 301, N = 257 };
    OP_FLOATS a = op_numbers((size_t)M * N, 0);
    OP_FLOATS b = op_numbers((size_t)M * N, 1);
    a[0] = 1e30F;
    a[1] = -1e4F;
    a[2] = NAN;
    OP_FLOATS y = op_poisoned((size_t)M * N);
    threads_set(1);
    swiglu_forward(M, N, N, a, b, y);
    cr_expect(y[0] == 1e30F * b[0] && fabsf(y[1]) < 1e-30F && isnan(y[2]));
    for (unsigned t = 2; t <= 3; t++) {
        OP_FLOATS ty = op_poisoned((size_t)M * N);
        threads_set(t);
        swiglu_forward(M, N, N, a, b, ty);
        cr_expect(op_same_bits(y, ty, (size_t)M * N), "%u threads", t);
    }
}
