#include "kernels/op/clip.h"
#include "op_bits.h"
#include <criterion/criterion.h>

Test(clip_cpu, a_norm_above_the_limit_comes_down_to_it)
{
    for (size_t s = 0; s < OP_ODD; s++) {
        size_t n = op_odd[s];
        OP_FLOATS g = op_numbers(n, s);
        OP_FLOATS was = op_copy(g, n);
        long double squares = 0;
        for (size_t i = 0; i < n; i++)
            squares += (long double)g[i] * g[i];
        double norm = (double)sqrtl(squares);
        cr_expect_float_eq(clip(n, g, 2 * norm), norm, 1e-14 * norm);
        cr_expect(op_same_bits(g, was, n), "below the limit nothing changes");
        cr_expect_float_eq(clip(n, g, 0.25 * norm), norm, 1e-14 * norm);
        cr_expect_float_eq(clip_norm(n, g), 0.25 * norm, 1e-6 * norm);
        for (size_t i = 0; i < n; i++)
            cr_expect_eq(g[i], was[i] * clip_factor(norm, 0.25 * norm));
    }
}

Test(clip_cpu, the_factor_at_the_ends)
{
    cr_expect_eq(clip_factor(3, 0), 1, "0 is no limit");
    cr_expect_eq(clip_factor(0, 1), 1);
    cr_expect_eq(clip_factor(1, 1), 1);
    cr_expect_eq(clip_factor(4, 1), 0.25F);
    cr_expect_eq(clip_factor(NAN, 1), 1, "the caller sees the norm");
}

Test(clip_cpu, threads_change_no_bit)
{
    const size_t n = 1000003;
    OP_FLOATS g = op_numbers(n, 0);
    OP_FLOATS one = op_copy(g, n);
    threads_set(1);
    double norm = clip(n, one, 1);
    for (unsigned t = 2; t <= 3; t++) {
        OP_FLOATS all = op_copy(g, n);
        threads_set(t);
        cr_expect_eq(clip(n, all, 1), norm);
        cr_expect(op_same_bits(one, all, n), "%u threads", t);
    }
}
