/* Bias and activation on the CPU: plain loops that become vectors. The sum over rows
 * keeps its order: one row at a time is added to dbias. */
#include "bias_act.h"

#include "lanes.h"
#include <string.h>

#define GELU_C 0.7978845608F /* sqrt(2 / pi) */
#define GELU_D 0.044715F

/* e^2u for u = sqrt(2/pi) (x + 0.044715 x^3), u held within +-43 so that it
 * stays a number: (1 + tanh u) / 2 = e / (e + 1) and 1 - tanh^2 u = 4 e / (e + 1)^2
 * without cancellation. */
LANES_INLINE float gelu_exp(float x)
{
    float u = GELU_C * (x + GELU_D * x * x * x);
    u = u > 43.0F ? 43.0F : u;
    u = u < -43.0F ? -43.0F : u;
    return lanes_exp(2.0F * u);
}

LANES_CLONES
static void gelu_forward(size_t n, float *z, const float *bias, float *y)
{
    for (size_t j = 0; j < n; j++) {
        float x = z[j] + bias[j];
        z[j] = x;
        float e = gelu_exp(x);
        y[j] = x * (e / (e + 1.0F));
    }
}

LANES_CLONES
static void relu_forward(size_t n, float *z, const float *bias, float *y)
{
    for (size_t j = 0; j < n; j++) {
        float x = z[j] + bias[j];
        z[j] = x;
        y[j] = x < 0.0F ? 0.0F : x; /* NaN stays NaN */
    }
}

LANES_CLONES
static void none_forward(size_t n, float *z, const float *bias, float *y)
{
    for (size_t j = 0; j < n; j++) {
        z[j] += bias[j];
        y[j] = z[j];
    }
}

void bias_act_forward(
    enum act act, size_t m, size_t n, float *z, const float *bias, float *y)
{
    static void (*const rows[])(size_t, float *, const float *, float *) = {
        [ACT_NONE] = none_forward, [ACT_RELU] = relu_forward, [ACT_GELU] = gelu_forward};
    for (size_t i = 0; i < m; i++)
        rows[act](n, z + i * n, bias, y + i * n);
}

LANES_CLONES
static void
gelu_backward(size_t n, const float *z, const float *dy, float *dz, float *dbias)
{
    for (size_t j = 0; j < n; j++) {
        float x = z[j];
        float e = gelu_exp(x), q = 1.0F / (e + 1.0F), s = e * q;
        float du = GELU_C * (1.0F + 3.0F * GELU_D * x * x);
        float d = dy[j] * (s + 2.0F * x * (s * q) * du);
        dz[j] = d;
        dbias[j] += d;
    }
}

LANES_CLONES
static void
relu_backward(size_t n, const float *z, const float *dy, float *dz, float *dbias)
{
    for (size_t j = 0; j < n; j++) {
        float d = z[j] > 0.0F ? dy[j] : 0.0F;
        dz[j] = d;
        dbias[j] += d;
    }
}

LANES_CLONES
static void
none_backward(size_t n, const float *z, const float *dy, float *dz, float *dbias)
{
    (void)z;
    for (size_t j = 0; j < n; j++) {
        float d = dy[j];
        dz[j] = d;
        dbias[j] += d;
    }
}

void bias_act_backward(enum act act,
                       size_t m,
                       size_t n,
                       const float *z,
                       const float *dy,
                       float *dz,
                       float *dbias)
{
    static void (*const rows[])(
        size_t, const float *, const float *, float *, float *) = {
        [ACT_NONE] = none_backward,
        [ACT_RELU] = relu_backward,
        [ACT_GELU] = gelu_backward};
    memset(dbias, 0, n * sizeof(*dbias));
    for (size_t i = 0; i < m; i++)
        rows[act](n, z + i * n, dy + i * n, dz + i * n, dbias);
}
