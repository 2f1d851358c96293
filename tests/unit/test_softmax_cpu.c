#include "kernels/op/softmax.h"
#include "op_bits.h"
#include <criterion/criterion.h>

typedef void forward(size_t, size_t, const float *, float *);
typedef void backward(size_t, size_t, const float *, const float *, float *);
typedef void ref_forward(size_t, size_t, const double *, double *);
typedef void ref_backward(size_t, size_t, const double *, const double *, double *);

static const struct form {
    const char *name;
    forward *forward;
    backward *backward;
    ref_forward *ref_forward;
    ref_backward *ref_backward;
} forms[] = {
    {"softmax",
     softmax_forward,
     softmax_backward,
     softmax_ref_forward,
     softmax_ref_backward},
    {"log-softmax",
     softmax_log_forward,
     softmax_log_backward,
     softmax_ref_log_forward,
     softmax_ref_log_backward},
};

static void check(const struct form *f, size_t m, size_t n, float width)
{
    size_t count = m * n;
    OP_FLOATS x = op_numbers(count, 0);
    OP_FLOATS dy = op_numbers(count, 1);
    for (size_t i = 0; i < count; i++)
        x[i] *= width;
    OP_FLOATS y = op_poisoned(count);
    OP_FLOATS dx = op_poisoned(count);
    OP_DOUBLES rx = op_widen(x, count);
    OP_DOUBLES rdy = op_widen(dy, count);
    OP_DOUBLES ry = op_doubles(count);
    OP_DOUBLES rdx = op_doubles(count);
    f->forward(m, n, x, y);
    f->ref_forward(m, n, rx, ry);
    cr_expect_lt(op_nmse(y, ry, count), 1e-12, "%s %zu x %zu", f->name, m, n);
    f->backward(m, n, y, dy, dx);
    f->ref_backward(m, n, ry, rdy, rdx);
    double size = 0; /* of one column the gradient is 0: measured against dy */
    for (size_t i = 0; i < count; i++)
        size += rdy[i] * rdy[i];
    cr_expect_lt(op_square(dx, rdx, count), 1e-12 * size, "%s %zu x %zu", f->name, m, n);
    f->backward(m, n, y, dy, dy);
    cr_expect(op_same_bits(dx, dy, count), "%s backward in place", f->name);
    f->forward(m, n, x, x);
    cr_expect(op_same_bits(y, x, count), "%s in place", f->name);
}

Test(softmax_cpu, agrees_with_the_reference_on_odd_shapes)
{
    for (size_t s = 0; s < 2 * OP_ODD * OP_ODD; s++)
        check(&forms[s % 2], op_odd[s / 2 % OP_ODD], op_odd[s / 2 / OP_ODD], 8);
    check(&forms[0], 3, 50257, 3);
    check(&forms[1], 3, 50257, 3);
}

Test(softmax_cpu, the_reference_gradient_is_the_difference_quotient)
{
    enum { M = 2, N = 5 };
    OP_FLOATS start = op_numbers(M * N, 0);
    OP_FLOATS weights = op_numbers(M * N, 1);
    OP_DOUBLES x = op_widen(start, M * N);
    OP_DOUBLES dy = op_widen(weights, M * N);
    for (size_t s = 0; s < 2; s++) {
        double y[M * N], dx[M * N], up[M * N], down[M * N];
        forms[s].ref_forward(M, N, x, y);
        forms[s].ref_backward(M, N, y, dy, dx);
        for (size_t i = 0; i < M * N; i++) {
            const double h = 1e-6, at = x[i];
            double slope = 0;
            x[i] = at + h;
            forms[s].ref_forward(M, N, x, up);
            x[i] = at - h;
            forms[s].ref_forward(M, N, x, down);
            x[i] = at;
            for (size_t j = 0; j < M * N; j++)
                slope += dy[j] * (up[j] - down[j]) / (2 * h);
            cr_expect_float_eq(dx[i], slope, 1e-8);
        }
    }
}

Test(softmax_cpu, threads_and_the_cut_into_rows_change_no_bit)
{
    enum { M = 301, N = 257 };
    OP_FLOATS x = op_numbers((size_t)M * N, 0);
    OP_FLOATS dy = op_numbers((size_t)M * N, 1);
    for (size_t s = 0; s < 2; s++) {
        OP_FLOATS y = op_poisoned((size_t)M * N);
        OP_FLOATS dx = op_poisoned((size_t)M * N);
        for (size_t i = 0; i < M; i++) {
            forms[s].forward(1, N, x + i * N, y + i * N);
            forms[s].backward(1, N, y + i * N, dy + i * N, dx + i * N);
        }
        for (unsigned t = 1; t <= 3; t++) {
            OP_FLOATS ty = op_poisoned((size_t)M * N);
            OP_FLOATS tdx = op_poisoned((size_t)M * N);
            threads_set(t);
            forms[s].forward(M, N, x, ty);
            forms[s].backward(M, N, ty, dy, tdx);
            cr_expect(op_same_bits(y, ty, (size_t)M * N), "%u threads", t);
            cr_expect(op_same_bits(dx, tdx, (size_t)M * N), "%u threads", t);
        }
    }
}

Test(softmax_cpu, extremes)
{
    const float x[] = {3e38F, -3e38F, 0, 1000, 1001, 999, -INFINITY, 0, 0, NAN, 0, 0};
    float y[12];
    softmax_forward(4, 3, x, y);
    cr_expect(y[0] == 1 && y[1] < 1e-37F && y[2] < 1e-37F);
    cr_expect_float_eq(y[3] + y[4] + y[5], 1, 1e-6);
    cr_expect(y[6] < 1e-37F && y[7] == 0.5F && y[8] == 0.5F);
    cr_expect(isnan(y[9]) && isnan(y[10]) && isnan(y[11]));
    softmax_log_forward(4, 3, x, y);
    cr_expect(y[0] == 0 && y[2] == -3e38F && y[6] == -INFINITY && isnan(y[10]));
}
