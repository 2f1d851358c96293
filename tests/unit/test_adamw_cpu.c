#include "kernels/op/adamw.h"
#include "op_check.h"
#include <criterion/criterion.h>

Test(adamw_cpu, follows_the_reference_over_many_steps)
{
    const struct adamw o = {
        .lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .decay = 0.01};
    for (size_t s = 0; s < OP_SIZES; s++) {
        size_t n = op_sizes[s];
        float *w = op_numbers(n, 0), *m = calloc(n, sizeof(*m)),
              *v = calloc(n, sizeof(*v));
        double *rw = op_widen(w, n), *rm = calloc(n, sizeof(*rm)),
               *rv = calloc(n, sizeof(*rv));
        for (uint64_t t = 1; t <= 20; t++) {
            float *g = op_numbers(n, t);
            double *rg = op_widen(g, n);
            adamw_step(&o, t, n, w, m, v, g);
            adamw_ref_step(&o, t, n, rw, rm, rv, rg);
            free(g);
            free(rg);
        }
        cr_expect_lt(op_nmse(w, rw, n), 1e-10);
        free(w);
        free(m);
        free(v);
        free(rw);
        free(rm);
        free(rv);
    }
}

/* The first step moves by lr against the gradient's sign, whatever its size, and decays.
 */
Test(adamw_cpu, the_first_step_has_the_size_of_lr)
{
    const struct adamw o = {
        .lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-12, .decay = 0.1};
    double w = 2, m = 0, v = 0, g = -1e-4;
    adamw_ref_step(&o, 1, 1, &w, &m, &v, &g);
    cr_expect_float_eq(w, 2 + 0.01 - 0.01 * 0.1 * 2, 1e-9);
}
