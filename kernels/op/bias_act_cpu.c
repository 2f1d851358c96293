/* Bias and activation on the CPU: plain loops that become vectors. The sum over rows
 * keeps its order: one row at a time is added to dbias. */
#include "bias_act.h"

#include "lanes.h"
#include <string.h>

#define GELU_C 0.7978845608F /* sqrt(2 / pi) */
#define GELU_D 0.044715F

/* tanh(x) = 1 - 2 / (e^2x + 1): absolute error of an ulp of 1, which is what GELU adds
 * to. */
LANES_INLINE float tanh_lane(float x)
{
    float c = x > 10.0F ? 10.0F : x;
    c = c < -10.0F ? -10.0F : c;
    return 1.0F - 2.0F / (lanes_exp(2.0F * c) + 1.0F);
}

LANES_CLONES
static void gelu_forward(size_t n, float *z, const float *bias, float *y)
{
    for (size_t j = 0; j < n; j++) {
        float x = z[j] + bias[j];
        z[j] = x;
        y[j] = 0.5F * x * (1.0F + tanh_lane(GELU_C * (x + GELU_D * x * x * x)));
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
        float t = tanh_lane(GELU_C * (x + GELU_D * x * x * x));
        float dt = (1.0F - t * t) * GELU_C * (1.0F + 3.0F * GELU_D * x * x);
        float d = dy[j] * (0.5F * (1.0F + t) + 0.5F * x * dt);
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
