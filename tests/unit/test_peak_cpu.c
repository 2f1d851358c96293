#include "kernels/op/peak.h"
#include <criterion/criterion.h>

Test(peak_cpu, float32_is_about_twice_float64_and_both_are_plausible)
{
    double f32 = 0, f64 = 0;
    cr_assert_eq(peak_f32(1, &f32, NULL), 0);
    cr_assert_eq(peak_f64(1, &f64, NULL), 0);
    cr_expect(f64 > 0.5 && f32 < 2000, "%g and %g GFLOP/s", f32, f64);
    cr_expect(f32 / f64 > 1.2 && f32 / f64 < 3.5, "%g and %g GFLOP/s", f32, f64);
}
