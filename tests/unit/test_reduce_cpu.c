#include "kernels/op/reduce.h"
#include "op_bits.h"
#include <criterion/criterion.h>

static const size_t sizes[] = {1, 7, 16, 4095, 4096, 4097, 262144, 262145, 1000003};

/* Of sizes so different that their sums are not exact in double, in any order. */
static float *wide(size_t n, uint64_t stream)
{
    float *x = op_numbers(n, stream);
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] * x[i] * x[i] * x[i] * x[i] * 1e6F;
    return x;
}

Test(reduce_cpu, agrees_with_plain_loops)
{
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        size_t n = sizes[s];
        OP_FLOATS x = wide(n, s);
        long double sum = 0, squares = 0, size = 0;
        float max = -INFINITY;
        for (size_t i = 0; i < n; i++) {
            sum += x[i];
            size += fabsf(x[i]);
            squares += (long double)x[i] * x[i];
            max = x[i] > max ? x[i] : max;
        }
        cr_expect_float_eq(reduce_sum(n, x), (double)sum, 1e-13 * (double)size);
        cr_expect_float_eq(
            reduce_squares(n, x), (double)squares, 1e-13 * (double)squares);
        cr_expect_eq(reduce_max(n, x), max);
    }
}

Test(reduce_cpu, threads_change_no_bit)
{
    const size_t n = 1000003;
    OP_FLOATS x = wide(n, 0);
    threads_set(1);
    double sum = reduce_sum(n, x), squares = reduce_squares(n, x);
    float max = reduce_max(n, x);
    for (unsigned t = 2; t <= 3; t++) {
        threads_set(t);
        cr_expect(reduce_sum(n, x) == sum && reduce_squares(n, x) == squares);
        cr_expect_eq(reduce_max(n, x), max);
    }
}

/* The tree as reduce.h says it, written down once more. */
Test(reduce_cpu, the_tree_is_the_documented_one)
{
    const size_t n = 10000, length = 4096;
    OP_FLOATS x = wide(n, 3);
    double part[64] = {0};
    for (size_t p = 0; p * length < n; p++) {
        double lane[16] = {0};
        for (size_t i = p * length; i < n && i < (p + 1) * length; i++)
            lane[(i - p * length) % 16] += (double)x[i];
        for (size_t half = 8; half > 0; half /= 2)
            for (size_t l = 0; l < half; l++)
                lane[l] += lane[l + half];
        part[p] = lane[0];
    }
    for (size_t half = 32; half > 0; half /= 2)
        for (size_t p = 0; p < half; p++)
            part[p] += part[p + half];
    cr_expect_eq(reduce_sum(n, x), part[0]);
}

Test(reduce_cpu, nothing_and_extremes)
{
    const float x[] = {1e38F, 3e38F, -1, NAN}, low[] = {NAN, -INFINITY};
    cr_expect_eq(reduce_sum(0, x), 0);
    cr_expect_eq(reduce_squares(2, x),
                 (double)1e38F * (double)1e38F + (double)3e38F * (double)3e38F);
    cr_expect(isnan(reduce_sum(4, x)));
    cr_expect_eq(reduce_max(4, x), 3e38F);
    cr_expect_eq(reduce_max(2, low), -INFINITY);
    cr_expect_eq(reduce_max(0, x), -INFINITY);
}
