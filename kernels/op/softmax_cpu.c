/* Softmax on the CPU: a row at a time, which stays in the first cache between its passes;
 * rows go to threads. */
#include "softmax.h"

#include "real.h"
#include "rows.h"

#define SERIAL ((size_t)1 << 15) /* elements: some 20 us */

LANES_CLONES
static void forward_row(size_t n, const float *x, float *y)
{
    float share = 1.0F / row_exp(n, x, row_max(n, x), y);
    for (size_t j = 0; j < n; j++)
        y[j] *= share;
}

LANES_CLONES
static void backward_row(size_t n, const float *y, const float *dy, float *dx)
{
    float sum = row_dot(n, y, dy);
#pragma GCC ivdep
    for (size_t j = 0; j < n; j++)
        dx[j] = y[j] * (dy[j] - sum);
}

LANES_CLONES
static void log_forward_row(size_t n, const float *x, float *y)
{
    float max = row_max(n, x);
    float log_sum = (float)real_log((double)row_exp_sum(n, x, max));
#pragma GCC ivdep
    for (size_t j = 0; j < n; j++)
        y[j] = (x[j] - max) - log_sum;
}

LANES_CLONES
static void log_backward_row(size_t n, const float *y, const float *dy, float *dx)
{
    float sum = row_sum(n, dy);
#pragma GCC ivdep
    for (size_t j = 0; j < n; j++)
        dx[j] = dy[j] - lanes_exp(y[j]) * sum;
}

void softmax_forward(size_t m, size_t n, const float *x, float *y)
{
#pragma omp parallel for schedule(static) if (m * n > SERIAL)
    for (size_t i = 0; i < m; i++)
        forward_row(n, x + i * n, y + i * n);
}

void softmax_backward(size_t m, size_t n, const float *y, const float *dy, float *dx)
{
#pragma omp parallel for schedule(static) if (m * n > SERIAL)
    for (size_t i = 0; i < m; i++)
        backward_row(n, y + i * n, dy + i * n, dx + i * n);
}

void softmax_log_forward(size_t m, size_t n, const float *x, float *y)
{
#pragma omp parallel for schedule(static) if (m * n > SERIAL)
    for (size_t i = 0; i < m; i++)
        log_forward_row(n, x + i * n, y + i * n);
}

void softmax_log_backward(size_t m, size_t n, const float *y, const float *dy, float *dx)
{
#pragma omp parallel for schedule(static) if (m * n > SERIAL)
    for (size_t i = 0; i < m; i++)
        log_backward_row(n, y + i * n, dy + i * n, dx + i * n);
}
