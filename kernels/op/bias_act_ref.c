/* The truth of bias and activation, in double with libm's tanh. */
#include "bias_act.h"

#include <math.h>

static double value(enum act act, double z)
{
    switch (act) {
    case ACT_RELU:
        return z > 0 ? z : 0;
    case ACT_GELU:
        return 0.5 * z * (1 + tanh(sqrt(M_2_PI) * (z + 0.044715 * z * z * z)));
    case ACT_GELU_ERF:
        return 0.5 * z * erfc(-z * M_SQRT1_2);
    case ACT_SILU:
        return z / (1 + exp(-z));
    case ACT_NONE:
        break;
    }
    return z;
}

static double slope(enum act act, double z)
{
    switch (act) {
    case ACT_RELU:
        return z > 0 ? 1 : 0;
    case ACT_GELU: {
        double t = tanh(sqrt(M_2_PI) * (z + 0.044715 * z * z * z));
        double dt = (1 - t * t) * sqrt(M_2_PI) * (1 + 3 * 0.044715 * z * z);
        return 0.5 * (1 + t) + 0.5 * z * dt;
    }
    case ACT_GELU_ERF:
        return 0.5 * erfc(-z * M_SQRT1_2) +
               z * exp(-0.5 * z * z) * M_2_SQRTPI * M_SQRT1_2 / 2;
    case ACT_SILU: {
        double s = 1 / (1 + exp(-z));
        return s * (1 + z * (1 - s));
    }
    case ACT_NONE:
        break;
    }
    return 1;
}

void bias_act_ref_forward(
    enum act act, size_t m, size_t n, double *z, const double *bias, double *y)
{
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            z[i * n + j] += bias[j];
            y[i * n + j] = value(act, z[i * n + j]);
        }
    }
}

void bias_act_ref_backward(enum act act,
                           size_t m,
                           size_t n,
                           const double *z,
                           const double *dy,
                           double *dz,
                           double *dbias)
{
    for (size_t j = 0; j < n; j++)
        dbias[j] = 0;
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            dz[i * n + j] = dy[i * n + j] * slope(act, z[i * n + j]);
            dbias[j] += dz[i * n + j];
        }
    }
}
