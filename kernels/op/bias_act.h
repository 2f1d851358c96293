/* Bias and activation of a layer, fused, row-major [m][n].
 *
 *   forward    z[i][j] += bias[j];  y = act(z)
 *   backward   dz = dy * act'(z);  dbias[j] = sum over i, ascending, of dz[i][j]
 *
 * GELU (Hendrycks and Gimpel, arXiv 1606.08415) in its tanh form, 0.5 z (1 +
 * tanh(sqrt(2/pi) (z + 0.044715 z^3))), and as it is defined, 0.5 z (1 + erf(z / sqrt
 * 2)); SiLU is z / (1 + exp(-z)). ReLU's derivative at 0 is 0. Truth: bias_act_ref.c, in
 * double. */
#ifndef OP_BIAS_ACT_H
#define OP_BIAS_ACT_H

#include <stddef.h>

enum act { ACT_NONE, ACT_RELU, ACT_GELU, ACT_GELU_ERF, ACT_SILU };

/* z is changed in place (backward needs it); y may be z for ACT_NONE and ACT_RELU. */
void bias_act_forward(
    enum act act, size_t m, size_t n, float *z, const float *bias, float *y);
/* dz may be dy. For ACT_RELU z may be y. */
void bias_act_backward(enum act act,
                       size_t m,
                       size_t n,
                       const float *z,
                       const float *dy,
                       float *dz,
                       float *dbias);

void bias_act_ref_forward(
    enum act act, size_t m, size_t n, double *z, const double *bias, double *y);
void bias_act_ref_backward(enum act act,
                           size_t m,
                           size_t n,
                           const double *z,
                           const double *dy,
                           double *dz,
                           double *dbias);

#endif
