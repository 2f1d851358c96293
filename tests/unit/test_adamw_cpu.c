#include "kernels/op/adamw.h"
#include "op_bits.h"
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

/* Groups with a decay each, on scaled gradients, against the reference of each alone. */
Test(adamw_cpu, groups_have_their_own_decay_and_the_rest_stays)
{
    /* eps not small, or the gradients' factor would cancel */
    const struct adamw o = {
        .lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 0.1, .decay = 99};
    const struct adamw_group groups[] = {{.first = 3, .n = 65, .decay = 0.1},
                                         {.first = 70, .n = 1000, .decay = 0}};
    enum { N = 1100 };
    OP_FLOATS w = op_numbers(N, 0);
    OP_FLOATS m = calloc(N, sizeof(float));
    OP_FLOATS v = calloc(N, sizeof(float));
    OP_FLOATS was = op_copy(w, N);
    OP_DOUBLES rw = op_widen(w, N);
    OP_DOUBLES rm = op_doubles(N);
    OP_DOUBLES rv = op_doubles(N);
    for (uint64_t t = 1; t <= 20; t++) {
        OP_FLOATS g = op_numbers(N, t);
        OP_DOUBLES rg = op_widen(g, N);
        for (size_t i = 0; i < N; i++)
            rg[i] *= 0.25;
        adamw_groups(&o, t, 0.25F, 2, groups, w, m, v, g);
        for (size_t i = 0; i < 2; i++) {
            struct adamw one = o;
            one.decay = groups[i].decay;
            size_t at = groups[i].first;
            adamw_ref_step(&one, t, groups[i].n, rw + at, rm + at, rv + at, rg + at);
        }
    }
    cr_expect_lt(op_nmse(w, rw, N), 1e-10);
    cr_expect(op_same_bits(w, was, 3) && op_same_bits(w + 68, was + 68, 2));
    cr_expect(op_same_bits(w + 1070, was + 1070, 30) && w[1069] != was[1069]);
}

Test(adamw_cpu, threads_and_the_cut_into_groups_change_no_bit)
{
    const struct adamw o = {
        .lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .decay = 0.1};
    enum { N = 100003 };
    const struct adamw_group groups[] = {{.n = 7, .decay = 0.1},
                                         {.first = 7, .n = 70000, .decay = 0.1},
                                         {.first = 70007, .n = N - 70007, .decay = 0.1}};
    OP_FLOATS g = op_numbers(N, 1);
    OP_FLOATS want = NULL;
    for (unsigned t = 1; t <= 3; t++) {
        OP_FLOATS w = op_numbers(N, 0);
        OP_FLOATS m = calloc(N, sizeof(float));
        OP_FLOATS v = calloc(N, sizeof(float));
        threads_set(t);
        if (t == 1)
            adamw_step(&o, 1, N, w, m, v, g);
        else
            adamw_groups(&o, 1, 1, 3, groups, w, m, v, g);
        if (t == 1)
            want = op_copy(w, N);
        cr_expect(op_same_bits(w, want, N), "%u threads", t);
    }
}
