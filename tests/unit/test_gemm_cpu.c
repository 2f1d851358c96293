#include "kernels/op/gemm.h"
#include "op_check.h"
#include <criterion/criterion.h>
#include <string.h>

static const enum gemm_form forms[] = {GEMM_NN, GEMM_NT, GEMM_TN};

/* Small shapes take our own path, n = 257 takes OpenBLAS. */
Test(gemm_cpu, float32_agrees_with_the_reference_on_odd_shapes)
{
    static const size_t sizes[] = {1, 2, 3, 7, 10, 16, 64, 65, 257};
    const size_t count = sizeof(sizes) / sizeof(sizes[0]);
    for (size_t s = 0; s < 3 * count * count * count; s++) {
        enum gemm_form form = forms[s % 3];
        size_t m = sizes[s / 3 % count], n = sizes[s / 3 / count % count],
               k = sizes[s / 3 / count / count];
        if (m + n + k > 400)
            continue;
        float *a = op_numbers(m * k, 0), *b = op_numbers(k * n, 1);
        float *c = op_numbers(m * n + 1, 2), *ref = op_numbers(m * n, 3);
        float guard = c[m * n];
        gemm_f32(form, m, n, k, a, b, c);
        gemm_ref_f32(form, m, n, k, a, b, ref);
        double *want = op_widen(ref, m * n);
        /* against what such sums measure by themselves: a single one may cancel */
        double nmse = op_square(c, want, m * n) / ((double)(m * n * k) / 9);
        cr_expect_lt(nmse, 1e-12, "form %d, %zu x %zu x %zu: %g", form, m, n, k, nmse);
        cr_expect_eq(c[m * n], guard, "wrote past the end of C");
        free(a);
        free(b);
        free(c);
        free(ref);
        free(want);
    }
}

Test(gemm_cpu, float64_agrees_with_the_reference_on_odd_shapes)
{
    for (size_t s = 0; s < 3 * OP_SIZES * OP_SIZES * OP_SIZES; s++) {
        size_t m = op_sizes[s / 3 % OP_SIZES], n = op_sizes[s / 3 / OP_SIZES % OP_SIZES],
               k = op_sizes[s / 3 / OP_SIZES / OP_SIZES];
        float *fa = op_numbers(m * k, 0), *fb = op_numbers(k * n, 1);
        double *a = op_widen(fa, m * k), *b = op_widen(fb, k * n);
        double *c = malloc(m * n * sizeof(double)),
               *want = malloc(m * n * sizeof(double));
        gemm_f64(forms[s % 3], m, n, k, a, b, c);
        gemm_ref_f64(forms[s % 3], m, n, k, a, b, want);
        double off = 0, size = 0;
        for (size_t i = 0; i < m * n; i++) {
            off += (c[i] - want[i]) * (c[i] - want[i]);
            size += want[i] * want[i];
        }
        cr_expect_leq(off, 1e-28 * size);
        free(fa);
        free(fb);
        free(a);
        free(b);
        free(c);
        free(want);
    }
}

Test(gemm_cpu, an_empty_inner_size_gives_zeros)
{
    float c[6] = {1, 2, 3, 4, 5, 6};
    double d[6] = {1, 2, 3, 4, 5, 6};
    gemm_f32(GEMM_NN, 2, 3, 0, c, c, c);
    gemm_f64(GEMM_TN, 2, 3, 0, d, d, d);
    for (int i = 0; i < 6; i++)
        cr_expect(c[i] == 0 && d[i] == 0);
}

/* What inference relies on for small networks: a row's bits are its own. */
Test(gemm_cpu, a_row_of_a_small_product_has_the_same_bits_whatever_stands_around_it)
{
    enum { M = 13, N = 10, K = 65 };
    float *a = op_numbers(M * K, 0), *b = op_numbers(K * N, 1), c[M * N], one[N];
    gemm_f32(GEMM_NN, M, N, K, a, b, c);
    for (size_t i = 0; i < M; i++) {
        gemm_f32(GEMM_NN, 1, N, K, a + i * K, b, one);
        cr_expect_arr_eq(one, c + i * N, sizeof(one));
    }
    free(a);
    free(b);
}

/* What training relies on: one thread, one shape, one answer. */
Test(gemm_cpu, a_large_product_repeats_its_bits)
{
    enum { N = 200 };
    float *a = op_numbers(N * N, 0), *b = op_numbers(N * N, 1);
    float *c = op_numbers(N * N, 2), *again = op_numbers(N * N, 3);
    gemm_set_threads(1);
    gemm_f32(GEMM_TN, N, N, N, a, b, c);
    gemm_f32(GEMM_TN, N, N, N, a, b, again);
    cr_expect_arr_eq(c, again, N * N * sizeof(float));
    free(a);
    free(b);
    free(c);
    free(again);
}
