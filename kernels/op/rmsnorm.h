/* Normalisation by the root of the mean square, along the n columns of m rows, row-major
 * [m][n] (Zhang and Sennrich, arXiv 1910.07467):
 *
 *   rstd = 1 / sqrt(<x x> + eps)   of each row, kept for backward, [m];  <.> a row's mean
 *   y = x rstd gain                                                      gain: [n]
 *
 * With g = dy gain, h = x rstd:
 *
 *   dx = rstd (g - h <g h>) + dsum;   dgain = sum over rows of dy h
 *
 * As in layernorm.h: forward_add fuses the residual's addition, dsum its gradient (NULL:
 * none), and sums over rows are ascending in blocks of RMSNORM_BLOCK, then over blocks.
 * Truth: rmsnorm_ref.c, in double. */
#ifndef OP_RMSNORM_H
#define OP_RMSNORM_H

#include <stddef.h>

#define RMSNORM_BLOCK 32

/* y may be x. rstd may be NULL when nothing will be differentiated. */
void rmsnorm_forward(size_t m,
                     size_t n,
                     float eps,
                     const float *x,
                     const float *gain,
                     float *y,
                     float *rstd);
/* x = a + b (x may be a or b), then as above. */
void rmsnorm_forward_add(size_t m,
                         size_t n,
                         float eps,
                         const float *a,
                         const float *b,
                         float *x,
                         const float *gain,
                         float *y,
                         float *rstd);

/* dx may be dy or dsum. work: rmsnorm_work_floats(m, n). */
void rmsnorm_backward(size_t m,
                      size_t n,
                      const float *x,
                      const float *gain,
                      const float *rstd,
                      const float *dy,
                      const float *dsum,
                      float *dx,
                      float *dgain,
                      float *work);
size_t rmsnorm_work_floats(size_t m, size_t n);

void rmsnorm_ref_forward(
    size_t m, size_t n, double eps, const double *x, const double *gain, double *y);
void rmsnorm_ref_backward(size_t m,
                          size_t n,
                          double eps,
                          const double *x,
                          const double *gain,
                          const double *dy,
                          double *dx,
                          double *dgain);

#endif
