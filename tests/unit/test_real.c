#include "kernels/op/real.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

/* The worst error over a range, in ulp of the result. */
static double
worst(double (*ours)(double), long double (*libm)(long double), double low, double high)
{
    double worst = 0;
    srand48(1);
    for (int i = 0; i < 20000; i++) {
        double x = low + (high - low) * drand48();
        long double want = libm(x);
        double off = fabs((double)((ours(x) - want) / want)) * 0x1p52;
        worst = off > worst ? off : worst;
    }
    return worst;
}

Test(real, is_within_two_ulp_of_libm)
{
    cr_expect_lt(worst(real_exp, expl, -1, 1), 2);
    cr_expect_lt(worst(real_exp, expl, -700, 700), 2);
    cr_expect_lt(worst(real_log, logl, 0.5, 2), 2);
    cr_expect_lt(worst(real_log, logl, 0, 1e300), 2);
    cr_expect_lt(worst(real_sin, sinl, -3, 3), 2);
    cr_expect_lt(worst(real_cos, cosl, -3, 3), 2);
    cr_expect_lt(worst(real_sin, sinl, -1e6, 1e6), 2);
    cr_expect_lt(worst(real_cos, cosl, -1e6, 1e6), 2);
}

Test(real, knows_the_ends)
{
    cr_expect(real_exp(-HUGE_VAL) == 0 && real_exp(HUGE_VAL) == HUGE_VAL);
    cr_expect(real_exp(0) == 1 && isnan(real_exp(nan(""))));
    cr_expect_eq(real_exp(-744), exp(-744), "a number that is not normal");
    cr_expect_eq(real_exp(710), HUGE_VAL);
    cr_expect(real_log(1) == 0 && real_log(0) == -HUGE_VAL && isnan(real_log(-1)));
    cr_expect(real_log(HUGE_VAL) == HUGE_VAL && isnan(real_log(nan(""))));
    cr_expect_float_eq(real_log(5e-324), log(5e-324), 1e-12);
    cr_expect(real_sin(0) == 0 && real_cos(0) == 1);
    cr_expect(isnan(real_sin(HUGE_VAL)) && isnan(real_cos(nan(""))));
    cr_expect_float_eq(real_power(10000, -0.5), 0.01, 1e-16);
    cr_expect_float_eq(real_power(500000, -62.0 / 64), pow(500000, -62.0 / 64), 1e-19);
}
