/* The truth of the matrix product: three loops, one precision higher than the operands,
 * one rounding an element. */
#include "gemm.h"

static size_t at_a(enum gemm_form form, size_t m, size_t k, size_t i, size_t p)
{
    return form == GEMM_TN ? p * m + i : i * k + p;
}

static size_t at_b(enum gemm_form form, size_t n, size_t k, size_t p, size_t j)
{
    return form == GEMM_NT ? j * k + p : p * n + j;
}

void gemm_ref_f32(enum gemm_form form,
                  size_t m,
                  size_t n,
                  size_t k,
                  const float *a,
                  const float *b,
                  float *c)
{
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t p = 0; p < k; p++)
                sum +=
                    (double)a[at_a(form, m, k, i, p)] * (double)b[at_b(form, n, k, p, j)];
            c[i * n + j] = (float)sum;
        }
    }
}

void gemm_ref_f64(enum gemm_form form,
                  size_t m,
                  size_t n,
                  size_t k,
                  const double *a,
                  const double *b,
                  double *c)
{
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            long double sum = 0;
            for (size_t p = 0; p < k; p++)
                sum += (long double)a[at_a(form, m, k, i, p)] *
                       (long double)b[at_b(form, n, k, p, j)];
            c[i * n + j] = (double)sum;
        }
    }
}

void gemm_ref_run(const struct gemm_shape *g, const float *a, const float *b, float *c)
{
    size_t lda = g->lda > 0 ? g->lda : g->form == GEMM_TN ? g->m : g->k;
    size_t ldb = g->ldb > 0 ? g->ldb : g->form == GEMM_NT ? g->k : g->n;
    size_t ldc = g->ldc > 0 ? g->ldc : g->n;
    for (size_t i = 0; i < g->m; i++) {
        for (size_t j = 0; j < g->n; j++) {
            double sum = g->add ? (double)c[i * ldc + j] : 0;
            for (size_t p = 0; p < g->k; p++) {
                float x = g->form == GEMM_TN ? a[p * lda + i] : a[i * lda + p];
                float y = g->form == GEMM_NT ? b[j * ldb + p] : b[p * ldb + j];
                sum += (double)x * (double)y;
            }
            c[i * ldc + j] = (float)sum;
        }
    }
}
