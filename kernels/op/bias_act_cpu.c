/* Bias and activation on the CPU: plain loops that become vectors. The sum over rows
 * keeps its order: one row at a time is added to dbias, and threads take columns. */
#include "bias_act.h"

#include "lanes.h"
#include "threads.h"
#include <string.h>

#define SERIAL  ((size_t)1 << 15) /* elements: some 20 us */
#define COLUMNS ((size_t)64)      /* that a thread has at least in backward */

#define GELU_C 0.7978845608F /* sqrt(2 / pi) */
#define GELU_D 0.044715F

/* e^2u for u = sqrt(2/pi) (x + 0.044715 x^3), u held within +-43 so that it
 * stays a number (x has the NaN): (1 + tanh u) / 2 = e / (e + 1) and 1 - tanh^2 u = 4 e /
 * (e + 1)^2 without cancellation. */
LANES_INLINE float gelu_exp(float x)
{
    float u = GELU_C * (x + GELU_D * x * x * x);
    return lanes_exp_inside(2.0F * lanes_clamp(u, -43.0F, 43.0F));
}

LANES_CLONES
static void gelu_forward(size_t n, float *z, const float *bias, float *y)
{
#pragma GCC ivdep
    for (size_t j = 0; j < n; j++) {
        float x = z[j] + bias[j];
        z[j] = x;
        float e = gelu_exp(x);
        y[j] = x * (e / (e + 1.0F));
    }
}

/* The normal distribution's function at x, and its density without 1 / sqrt(2 pi): with
 * t = 1 / (1 + |x| / sqrt 8) the function at -|x| is exp(-x^2 / 2) t P(t), P the best
 * polynomial of degree 8 for |x| up to 14 (Remez): 6e-8 of relative error. */
LANES_INLINE float normal(float x, float *ret_density)
{
    float size = x < 0.0F ? -x : x, t = 1.0F / (1.0F + 0.353553391F * size);
    float e = size > 13.2F ? 0.0F : lanes_exp(-0.5F * (size * size));
    float p = -0.0298230067F;
    p = p * t + 0.143721397F;
    p = p * t - 0.246607213F;
    p = p * t + 0.142493336F;
    p = p * t - 0.0156880854F;
    p = p * t + 0.102333954F;
    p = p * t + 0.121308388F;
    p = p * t + 0.141219726F;
    p = p * t + 0.141041483F;
    float below = e * (t * p);
    *ret_density = e;
    return x > 0.0F ? 1.0F - below : below;
}

LANES_CLONES
static void gelu_erf_forward(size_t n, float *z, const float *bias, float *y)
{
#pragma GCC ivdep
    for (size_t j = 0; j < n; j++) {
        float x = z[j] + bias[j], e;
        z[j] = x;
        y[j] = x * normal(x, &e);
    }
}

LANES_CLONES
static void silu_forward(size_t n, float *z, const float *bias, float *y)
{
#pragma GCC ivdep
    for (size_t j = 0; j < n; j++) {
        float x = z[j] + bias[j];
        z[j] = x;
        y[j] = x / (1.0F + lanes_exp(-x));
    }
}

LANES_CLONES
static void relu_forward(size_t n, float *z, const float *bias, float *y)
{
#pragma GCC ivdep
    for (size_t j = 0; j < n; j++) {
        float x = z[j] + bias[j];
        z[j] = x;
        y[j] = x < 0.0F ? 0.0F : x; /* NaN stays NaN */
    }
}

LANES_CLONES
static void none_forward(size_t n, float *z, const float *bias, float *y)
{
#pragma GCC ivdep
    for (size_t j = 0; j < n; j++) {
        z[j] += bias[j];
        y[j] = z[j];
    }
}

void bias_act_forward(
    enum act act, size_t m, size_t n, float *z, const float *bias, float *y)
{
    static void (*const rows[])(size_t, float *, const float *, float *) = {
        [ACT_NONE] = none_forward,
        [ACT_RELU] = relu_forward,
        [ACT_GELU] = gelu_forward,
        [ACT_GELU_ERF] = gelu_erf_forward,
        [ACT_SILU] = silu_forward};
#pragma omp parallel for schedule(static) if (m * n > SERIAL)
    for (size_t i = 0; i < m; i++)
        rows[act](n, z + i * n, bias, y + i * n);
}

LANES_CLONES
static void
gelu_backward(size_t n, const float *z, const float *dy, float *dz, float *dbias)
{
#pragma GCC ivdep
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
gelu_erf_backward(size_t n, const float *z, const float *dy, float *dz, float *dbias)
{
#pragma GCC ivdep
    for (size_t j = 0; j < n; j++) {
        float x = z[j], e;
        float below = normal(x, &e);
        float d = dy[j] * (below + x * (e * 0.398942280F));
        dz[j] = d;
        dbias[j] += d;
    }
}

LANES_CLONES
static void
silu_backward(size_t n, const float *z, const float *dy, float *dz, float *dbias)
{
#pragma GCC ivdep
    for (size_t j = 0; j < n; j++) {
        float x = z[j];
        float e = lanes_exp(-x), s = 1.0F / (1.0F + e);
        float d = dy[j] * (s + x * s * (e * s)); /* e s = 1 - s, without cancellation */
        dz[j] = d;
        dbias[j] += d;
    }
}

LANES_CLONES
static void
relu_backward(size_t n, const float *z, const float *dy, float *dz, float *dbias)
{
#pragma GCC ivdep
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
    if (dz == dy) { /* nothing to write */
        for (size_t j = 0; j < n; j++)
            dbias[j] += dy[j];
        return;
    }
#pragma GCC ivdep
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
        [ACT_GELU] = gelu_backward,
        [ACT_GELU_ERF] = gelu_erf_backward,
        [ACT_SILU] = silu_backward};
    memset(dbias, 0, n * sizeof(*dbias));
    size_t tiles = (n + COLUMNS - 1) / COLUMNS, most = threads_count();
    size_t parts = tiles < most ? tiles : most;
#pragma omp parallel for schedule(static) if (m * n > SERIAL)
    for (size_t t = 0; t < parts; t++) {
        size_t first = tiles * t / parts * COLUMNS;
        size_t end = tiles * (t + 1) / parts * COLUMNS;
        size_t width = (end < n ? end : n) - first;
        for (size_t i = 0; i < m; i++) {
            size_t at = i * n + first;
            rows[act](width, z + at, dy + at, dz + at, dbias + first);
        }
    }
}
