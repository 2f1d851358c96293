#include "kernels/op/lanes.h"
#include "kernels/op/xent.h"
#include "op_check.h"
#include <criterion/criterion.h>
#include <math.h>

static void labels_for(size_t m, size_t classes, int32_t *labels)
{
    for (size_t i = 0; i < m; i++)
        labels[i] = (int32_t)((i * 31 + 3) % classes);
}

Test(xent_cpu, agrees_with_the_reference_on_odd_shapes)
{
    static const size_t classes[] = {2, 7, 10, 64, 65};
    for (size_t s = 0; s < OP_SIZES * 5; s++) {
        size_t m = op_sizes[s / 5], n = classes[s % 5];
        float *z = op_numbers(m * n, s), *d = op_numbers(m * n, 1);
        int32_t labels[65];
        labels_for(m, n, labels);
        for (size_t i = 0; i < m * n; i++)
            z[i] *= 20;
        double *rz = op_widen(z, m * n), *rd = op_widen(d, m * n);
        struct xent_score got = xent_train(m, n, z, labels, 0.125F, d);
        struct xent_score want = xent_ref_train(m, n, rz, labels, 0.125, rd);
        cr_expect_eq(got.correct, want.correct);
        cr_expect_float_eq(got.loss, want.loss, 1e-5 * want.loss);
        cr_expect_lt(op_nmse(d, rd, m * n), 1e-12);
        free(z);
        free(d);
        free(rz);
        free(rd);
    }
}

Test(xent_cpu, the_reference_gradient_is_the_difference_quotient)
{
    enum { M = 3, N = 5 };
    const int32_t labels[M] = {4, 0, 2};
    float *start = op_numbers(M * N, 0);
    double *z = op_widen(start, M * N), d[M * N], other[M * N];
    (void)xent_ref_train(M, N, z, labels, 1, d);
    for (size_t i = 0; i < M * N; i++) {
        const double h = 1e-6, at = z[i];
        z[i] = at + h;
        double up = xent_ref_train(M, N, z, labels, 1, other).loss;
        z[i] = at - h;
        double down = xent_ref_train(M, N, z, labels, 1, other).loss;
        z[i] = at;
        cr_expect_float_eq(d[i], (up - down) / (2 * h), 1e-8);
    }
    free(start);
    free(z);
}

Test(xent_cpu, scores_of_any_size_give_probabilities_that_add_up_to_one)
{
    const float z[] = {1e30F, -1e30F, 0, 1000, 1001, 999, -1e-30F, 0, 0};
    float p[9];
    int32_t class[3];
    xent_infer(3, 3, z, p, class);
    for (int i = 0; i < 3; i++) {
        double sum = 0;
        for (int c = 0; c < 3; c++) {
            cr_expect(p[3 * i + c] >= 0 && p[3 * i + c] <= 1);
            sum += (double)p[3 * i + c];
        }
        cr_expect_float_eq(sum, 1, 1e-6);
    }
    cr_expect(class[0] == 0 && class[1] == 1);
    cr_expect_eq(class[2], 1, "the lowest index of a tie");
    cr_expect_eq(xent_class(3, z + 3), 1);
}

Test(xent_cpu, our_exponential_is_within_two_units_in_the_last_place)
{
    double worst = 0;
    for (float x = -87; x < 88; x += 0.0137F) {
        double want = exp((double)x), off = fabs((double)lanes_exp(x) - want) / want;
        worst = off > worst ? off : worst;
    }
    cr_expect_lt(worst, 2 * 0x1p-23, "%g", worst);
    cr_expect_eq(lanes_exp(0), 1);
    cr_expect(isnan(lanes_exp(NAN)));
    cr_expect_lt(lanes_exp(-1e30F), 2e-38F);
    cr_expect(isfinite(lanes_exp(1e30F)));
}
