/* Matrix product, row-major: C[m][n] = op(A) op(B), or C += op(A) op(B).
 *
 *   GEMM_NN   A[m][k]  B[k][n]     y = x W          (weights are kept as [in][out])
 *   GEMM_NT   A[m][k]  B[n][k]     dx = dy W^T
 *   GEMM_TN   A[k][m]  B[k][n]     dW = x^T dy
 *
 * Floats: each element is the sum, ascending, of the blocks of 512 p's; a block is one
 * chain of fused multiply-adds, p ascending, from 0; with `add` the blocks are added to
 * what C held. So the bits of an element depend on its row of A and its column of B
 * alone: not on m, n, the strides, the path taken, the number of threads or the machine
 * (without an instruction for it, a fused multiply-add is slow and no different).
 * Threads: threads.h. A product of floats takes some MB from malloc while it runs;
 * without them it is slower. Doubles: OpenBLAS, whose order is its own.
 *
 * Truth: gemm_ref.c (accumulates one precision higher). Fast: gemm_cpu.c, gemm_blas.c.
 * C overlaps neither A nor B. */
#ifndef OP_GEMM_H
#define OP_GEMM_H

#include "gridmill/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gemm_form { GEMM_NN, GEMM_NT, GEMM_TN };

/* m, n, k from 0 to INT_MAX; k 0 gives zeros. Dense. */
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

/* A product within larger arrays: elements from row to row, 0 for a dense operand. */
struct gemm_shape {
    enum gemm_form form;
    size_t m, n, k;
    size_t lda, ldb, ldc;
    bool add; /* to C */
};

void gemm_run(const struct gemm_shape *g, const float *a, const float *b, float *c);
/* B is bfloat16: the upper half of a float, which it becomes as it is packed. The bits
 * are those of gemm_run with these floats. */
void gemm_run_bf16(const struct gemm_shape *g,
                   const float *a,
                   const uint16_t *b,
                   float *c);

/* `count` products of one shape; operand i begins i * step elements after operand 0. A
 * step of A or B may be 0; those of C do not overlap. The bits are those of gemm_run. */
struct gemm_batch {
    size_t count, a_step, b_step, c_step;
};

void gemm_batch_run(const struct gemm_shape *g,
                    const struct gemm_batch *batch,
                    const float *a,
                    const float *b,
                    float *c);

/* Rounds to the nearest, ties to even; a NaN stays one, and what is too large is
 * infinite. */
void gemm_to_bf16(size_t n, const float *v, uint16_t *ret);
void gemm_from_bf16(size_t n, const uint16_t *v, float *ret);

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
void gemm_ref_run(const struct gemm_shape *g, const float *a, const float *b, float *c);

/* Threads from here on: OpenBLAS's, in this process, and the operators' (threads.h). */
void gemm_set_threads(unsigned n);
/* 0, or -ENODEV: OpenBLAS cannot be opened (products of doubles would be the reference's,
 * and slow). */
int gemm_probe(struct gm_error *err);
/* What OpenBLAS says it is: version, target, threading; NULL where it cannot be opened.
 */
const char *gemm_backend(struct gm_error *err);

#endif
