#include "kernels/op/schedule.h"
#include <criterion/criterion.h>
#include <math.h>

static double at(enum schedule_form form, uint64_t t)
{
    const struct schedule s = {
        .form = form, .peak = 1, .last = 0.1, .warmup = 10, .steps = 110};
    return schedule_lr(&s, t);
}

Test(schedule, warms_up_to_the_peak_in_a_line)
{
    static const enum schedule_form all[] = {
        SCHEDULE_CONSTANT, SCHEDULE_LINEAR, SCHEDULE_COSINE};
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(at(all[i], 0), 0.1);
        cr_expect_eq(at(all[i], 4), 0.5);
        cr_expect_eq(at(all[i], 9), 1);
        cr_expect_eq(at(all[i], 10), 1, "the first step after it");
    }
}

Test(schedule, comes_down_as_its_form_says)
{
    cr_expect_eq(at(SCHEDULE_CONSTANT, 1000000), 1);
    cr_expect_float_eq(at(SCHEDULE_LINEAR, 60), 0.55, 1e-15);
    cr_expect_float_eq(at(SCHEDULE_LINEAR, 85), 0.325, 1e-15);
    cr_expect_float_eq(at(SCHEDULE_COSINE, 60), 0.55, 1e-15);
    cr_expect_float_eq(at(SCHEDULE_COSINE, 35), 0.1 + 0.45 * (1 + sqrt(0.5)), 1e-15);
    for (uint64_t t = 110; t < 1000; t += 100) {
        cr_expect_eq(at(SCHEDULE_LINEAR, t), 0.1);
        cr_expect_eq(at(SCHEDULE_COSINE, t), 0.1);
    }
    for (uint64_t t = 10; t < 110; t++) {
        double x = (double)(t - 10) / 100, want = 0.1 + 0.9 * (1 + cos(M_PI * x)) / 2;
        cr_expect_float_eq(at(SCHEDULE_COSINE, t), want, 1e-15);
        cr_expect(at(SCHEDULE_COSINE, t + 1) < at(SCHEDULE_COSINE, t));
    }
}

Test(schedule, no_warm_up_and_a_warm_up_that_is_all)
{
    const struct schedule none = {.form = SCHEDULE_COSINE, .peak = 2, .steps = 4},
                          all = {.form = SCHEDULE_LINEAR,
                                 .peak = 2,
                                 .last = 1,
                                 .warmup = 4,
                                 .steps = 4};
    cr_expect_eq(schedule_lr(&none, 0), 2);
    cr_expect_eq(schedule_lr(&none, 4), 0);
    cr_expect_eq(schedule_lr(&all, 3), 2);
    cr_expect_eq(schedule_lr(&all, 4), 1);
}
