/* The gated activation on the CPU: element by element; rows go to threads. */
#include "swiglu.h"

#include "lanes.h"

#define SERIAL ((size_t)1 << 15) /* elements: some 20 us */

LANES_CLONES
static void forward_row(size_t n, const float *a, const float *b, float *y)
{
#pragma GCC ivdep
    for (size_t j = 0; j < n; j++)
        y[j] = a[j] / (1.0F + lanes_exp(-a[j])) * b[j];
}

LANES_CLONES
static void backward_row(
    size_t n, const float *a, const float *b, const float *dy, float *da, float *db)
{
#pragma GCC ivdep
    for (size_t j = 0; j < n; j++) {
        float x = a[j], gate = b[j], g = dy[j];
        float e = lanes_exp(-x), s = 1.0F / (1.0F + e);
        db[j] = g * (x * s);
        da[j] = g * gate * (s + x * s * (e * s)); /* e s = 1 - s, without cancellation */
    }
}

void swiglu_forward(
    size_t m, size_t n, size_t stride, const float *a, const float *b, float *y)
{
#pragma omp parallel for schedule(static) if (m * n > SERIAL)
    for (size_t i = 0; i < m; i++)
        forward_row(n, a + i * stride, b + i * stride, y + i * n);
}

void swiglu_backward(size_t m,
                     size_t n,
                     size_t stride,
                     const float *a,
                     const float *b,
                     const float *dy,
                     float *da,
                     float *db)
{
#pragma omp parallel for schedule(static) if (m * n > SERIAL)
    for (size_t i = 0; i < m; i++) {
        size_t at = i * stride;
        backward_row(n, a + at, b + at, dy + i * n, da + at, db + at);
    }
}
