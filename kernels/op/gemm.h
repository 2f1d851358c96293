/* Matrix product, dense and row-major: C[m][n] = op(A) op(B), C is overwritten.
 *
 *   GEMM_NN   A[m][k]  B[k][n]     y = x W          (weights are kept as [in][out])
 *   GEMM_NT   A[m][k]  B[n][k]     dx = dy W^T
 *   GEMM_TN   A[k][m]  B[k][n]     dW = x^T dy
 *
 * Truth: gemm_ref.c (accumulates one precision higher). Fast: gemm_cpu.c, which has a
 * path of its own for small float products (fixed order, see lanes.h) and calls OpenBLAS
 * for the others. Which path is taken depends on the form and the shape alone. */
#ifndef OP_GEMM_H
#define OP_GEMM_H

#include "gridmill/error.h"
#include <stddef.h>

enum gemm_form { GEMM_NN, GEMM_NT, GEMM_TN };

/* m, n, k from 0 to INT_MAX; k 0 gives zeros. */
void gemm_f32(enum gemm_form form,
              size_t m,
              size_t n,
              size_t k,
              const float *a,
              const float *b,
              float *c);
void gemm_f64(enum gemm_form form,
              size_t m,
              size_t n,
              size_t k,
              const double *a,
              const double *b,
              double *c);

void gemm_ref_f32(enum gemm_form form,
                  size_t m,
                  size_t n,
                  size_t k,
                  const float *a,
                  const float *b,
                  float *c);
void gemm_ref_f64(enum gemm_form form,
                  size_t m,
                  size_t n,
                  size_t k,
                  const double *a,
                  const double *b,
                  double *c);

/* Threads of OpenBLAS in this process, from here on: a product with fixed bits wants 1.
 */
void gemm_set_threads(unsigned n);
/* 0, or -ENODEV: OpenBLAS cannot be opened (the products would be the reference's, and
 * slow). A kernel that multiplies asks in its probe. */
int gemm_probe(struct gm_error *err);
/* What OpenBLAS says it is: version, target, threading; NULL where it cannot be opened.
 */
const char *gemm_backend(struct gm_error *err);

#endif
