/* Layer normalisation along the n columns of m rows, row-major [m][n] (Ba, Kiros and
 * Hinton, arXiv 1607.06450):
 *
 *   mean, rstd = 1 / sqrt(variance + eps)   of each row, kept for backward, [m] each
 *   y = (x - mean) rstd gain + bias          gain, bias: [n]
 *
 * With g = dy gain, h = (x - mean) rstd and <.> the mean of a row:
 *
 *   dx = rstd (g - <g> - h <g h>) + dsum
 *   dgain = sum over rows of dy h;  dbias = sum over rows of dy
 *
 * The residual's additions are fused in, as they would be passes over memory of their
 * own: forward_add takes x = a + b and keeps it; dsum is the gradient that reaches x past
 * the norm, NULL for none. Sums over rows: ascending in blocks of LAYERNORM_BLOCK, then
 * the blocks ascending. Truth: layernorm_ref.c, in double. */
#ifndef OP_LAYERNORM_H
#define OP_LAYERNORM_H

#include <stddef.h>

#define LAYERNORM_BLOCK 32

/* bias may be NULL: none. y may be x. */
void layernorm_forward(size_t m,
                       size_t n,
                       float eps,
                       const float *x,
                       const float *gain,
                       const float *bias,
                       float *y,
                       float *mean,
                       float *rstd);
/* x = a + b (x may be a or b, and is what backward wants), then as above. */
void layernorm_forward_add(size_t m,
                           size_t n,
                           float eps,
                           const float *a,
                           const float *b,
                           float *x,
                           const float *gain,
                           const float *bias,
                           float *y,
                           float *mean,
                           float *rstd);

/* dx may be dy or dsum. dbias may be NULL: none. work: layernorm_work_floats(m, n). */
void layernorm_backward(size_t m,
                        size_t n,
                        const float *x,
                        const float *gain,
                        const float *mean,
                        const float *rstd,
                        const float *dy,
                        const float *dsum,
                        float *dx,
                        float *dgain,
                        float *dbias,
                        float *work);
size_t layernorm_work_floats(size_t m, size_t n);

void layernorm_ref_forward(size_t m,
                           size_t n,
                           double eps,
                           const double *x,
                           const double *gain,
                           const double *bias,
                           double *y);
void layernorm_ref_backward(size_t m,
                            size_t n,
                            double eps,
                            const double *x,
                            const double *gain,
                            const double *dy,
                            double *dx,
                            double *dgain,
                            double *dbias);

#endif
