#include "kernels/op/gemm.h"
#include "kernels/op/threads.h"
#include "op_check.h"
#include <criterion/criterion.h>
#include <math.h>
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

struct shape {
    size_t m, n, k;
};

/* Thin, panels and blocks, each with edges; more than one block of 512 p's. */
static const struct shape shapes[] = {{1, 600, 1100},
                                      {4, 540, 515},
                                      {2, 97, 7},
                                      {3, 79, 3},
                                      {7, 64, 65},
                                      {5, 200, 600},
                                      {64, 65, 64},
                                      {1, 1, 1030},
                                      {13, 10, 257},
                                      {150, 97, 100},
                                      {80, 33, 514},
                                      {61, 1060, 40},
                                      {2070, 17, 10}};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

/* What gemm.h says of an element, word by word. */
static void
by_the_word(const struct gemm_shape *g, const float *a, const float *b, float *c)
{
    for (size_t i = 0; i < g->m; i++) {
        for (size_t j = 0; j < g->n; j++) {
            float *at = c + i * g->ldc + j;
            for (size_t p = 0; p < g->k; p += 512) {
                float sum = 0;
                for (size_t q = p; q < g->k && q < p + 512; q++)
                    sum = fmaf(g->form == GEMM_TN ? a[q * g->lda + i] : a[i * g->lda + q],
                               g->form == GEMM_NT ? b[j * g->ldb + q] : b[q * g->ldb + j],
                               sum);
                *at = g->add || p > 0 ? *at + sum : sum;
            }
        }
    }
}

/* Operands within larger arrays, all around them NaN; returns C's floats. */
static size_t within(struct gemm_shape *g, float **ret_a, float **ret_b, float **ret_c)
{
    size_t a_rows = g->form == GEMM_TN ? g->k : g->m, a_cols = g->m + g->k - a_rows;
    size_t b_rows = g->form == GEMM_NT ? g->n : g->k, b_cols = g->n + g->k - b_rows;
    g->lda = a_cols + 3;
    g->ldb = b_cols + 5;
    g->ldc = g->n + 1;
    *ret_a = op_numbers(a_rows * g->lda, 0);
    *ret_b = op_numbers(b_rows * g->ldb, 1);
    *ret_c = op_numbers(g->m * g->ldc, 2);
    for (size_t i = 0; i < a_rows; i++)
        (*ret_a)[i * g->lda + a_cols] = NAN;
    for (size_t i = 0; i < b_rows; i++)
        (*ret_b)[i * g->ldb + b_cols] = NAN;
    for (size_t i = 0; i < g->m; i++) {
        for (size_t j = g->add ? g->n : 0; j < g->ldc; j++)
            (*ret_c)[i * g->ldc + j] = NAN;
    }
    return g->m * g->ldc;
}

Test(gemm_cpu, every_path_and_any_threads_give_the_bits_of_the_contract)
{
    for (size_t s = 0; s < 6 * SHAPES; s++) {
        const struct shape *shape = &shapes[s / 6];
        struct gemm_shape g = {.form = forms[s % 3],
                               .m = shape->m,
                               .n = shape->n,
                               .k = shape->k,
                               .add = s % 6 > 2};
        float *a, *b, *c;
        size_t n = within(&g, &a, &b, &c);
        float *want = malloc(n * sizeof(float)), *got = malloc(n * sizeof(float));
        memcpy(want, c, n * sizeof(float));
        by_the_word(&g, a, b, want);
        for (unsigned threads = 1; threads <= 3; threads += 2) {
            threads_set(threads);
            memcpy(got, c, n * sizeof(float));
            gemm_run(&g, a, b, got);
            cr_expect_arr_eq(got,
                             want,
                             n * sizeof(float),
                             "form %d add %d %zu x %zu x %zu",
                             g.form,
                             g.add,
                             g.m,
                             g.n,
                             g.k);
        }
        free(a);
        free(b);
        free(c);
        free(want);
        free(got);
    }
}

Test(gemm_cpu, bf16_weights_give_the_bits_of_the_floats_they_stand_for)
{
    for (size_t s = 0; s < 3 * SHAPES; s++) {
        struct gemm_shape g = {.form = forms[s % 3],
                               .m = shapes[s / 3].m,
                               .n = shapes[s / 3].n,
                               .k = shapes[s / 3].k};
        float *a = op_numbers(g.m * g.k, 0), *b = op_numbers(g.n * g.k, 1);
        float *c = op_numbers(g.m * g.n, 2), *want = op_numbers(g.m * g.n, 3);
        uint16_t *half = malloc(g.n * g.k * sizeof(*half));
        gemm_to_bf16(g.n * g.k, b, half);
        gemm_from_bf16(g.n * g.k, half, b);
        threads_set(2);
        gemm_run_bf16(&g, a, half, c);
        gemm_run(&g, a, b, want);
        cr_expect_arr_eq(c, want, g.m * g.n * sizeof(float));
        free(a);
        free(b);
        free(c);
        free(want);
        free(half);
    }
}

Test(gemm_cpu, bf16_rounds_to_the_nearest_and_ties_to_even)
{
    static const struct {
        uint32_t from;
        uint16_t to;
    } cases[] = {{0x3f800000, 0x3f80},
                 {0x3f808000, 0x3f80},
                 {0x3f808001, 0x3f81},
                 {0x3f818000, 0x3f82},
                 {0xbf817fff, 0xbf81},
                 {0x7f7fffff, 0x7f80},
                 {0x7f800000, 0x7f80},
                 {0xff800000, 0xff80},
                 {0x7f800001, 0x7fc0},
                 {0x00000001, 0x0000},
                 {0x80000000, 0x8000},
                 {0x00018000, 0x0002}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        float v;
        uint16_t got;
        memcpy(&v, &cases[i].from, sizeof(v));
        gemm_to_bf16(1, &v, &got);
        cr_expect_eq(got, cases[i].to, "%08x: %04x", cases[i].from, got);
    }
}

Test(gemm_cpu, a_batch_is_its_products_one_by_one)
{
    const struct gemm_shape g = {.form = GEMM_NT, .m = 33, .n = 70, .k = 48, .add = true};
    const struct gemm_batch batch = {
        .count = 7, .a_step = 33 * 48, .b_step = 0, .c_step = 33 * 70 + 5};
    float *a = op_numbers(7 * 33 * 48, 0), *b = op_numbers(70 * 48, 1);
    float *c = op_numbers(7 * batch.c_step, 2), *want = op_numbers(7 * batch.c_step, 2);
    for (size_t i = 0; i < batch.count; i++)
        gemm_run(&g, a + i * batch.a_step, b, want + i * batch.c_step);
    threads_set(3);
    gemm_batch_run(&g, &batch, a, b, c);
    cr_expect_arr_eq(c, want, 7 * batch.c_step * sizeof(float));
    free(a);
    free(b);
    free(c);
    free(want);
}

Test(gemm_cpu, the_reference_with_strides_is_the_reference)
{
    struct gemm_shape g = {.form = GEMM_TN, .m = 9, .n = 8, .k = 7};
    float *a = op_numbers(63, 0), *b = op_numbers(56, 1), c[72], want[72];
    gemm_ref_run(&g, a, b, c);
    gemm_ref_f32(GEMM_TN, 9, 8, 7, a, b, want);
    cr_expect_arr_eq(c, want, sizeof(c));
    free(a);
    free(b);
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
