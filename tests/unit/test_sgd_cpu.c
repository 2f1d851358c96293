#include "kernels/op/sgd.h"
#include "op_check.h"
#include <criterion/criterion.h>

Test(sgd_cpu, follows_the_reference_over_many_steps)
{
    const struct sgd o = {.lr = 0.05, .momentum = 0.9, .decay = 1e-3};
    for (size_t s = 0; s < OP_SIZES; s++) {
        size_t n = op_sizes[s];
        float *w = op_numbers(n, 0), *v = calloc(n, sizeof(*v));
        double *rw = op_widen(w, n), *rv = calloc(n, sizeof(*rv));
        for (uint64_t t = 1; t <= 20; t++) {
            float *g = op_numbers(n, t);
            double *rg = op_widen(g, n);
            sgd_step(&o, n, w, v, g);
            sgd_ref_step(&o, n, rw, rv, rg);
            free(g);
            free(rg);
        }
        cr_expect_lt(op_nmse(w, rw, n), 1e-11);
        cr_expect_lt(op_nmse(v, rv, n), 1e-11);
        free(w);
        free(v);
        free(rw);
        free(rv);
    }
}

/* By hand: v = 0.5 * 2 + (1 + 0.1 * 10) = 3, w = 10 - 0.1 * 3. */
Test(sgd_cpu, the_reference_does_the_sum_of_the_header)
{
    const struct sgd o = {.lr = 0.1, .momentum = 0.5, .decay = 0.1};
    double w = 10, v = 2, g = 1;
    sgd_ref_step(&o, 1, &w, &v, &g);
    cr_expect_float_eq(v, 3, 1e-15);
    cr_expect_float_eq(w, 9.7, 1e-15);
}
