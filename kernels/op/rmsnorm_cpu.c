/* The norm by the root mean square on the CPU, built as layernorm_cpu.c is: rows in the
 * first cache, blocks of rows to threads, one fixed order of sums. */
#include "rmsnorm.h"

#include "rows.h"

#define SERIAL ((size_t)1 << 15) /* elements: some 10 us */

LANES_CLONES
static float forward_row(size_t n, float eps, const float *x, const float *gain, float *y)
{
    float rstd = 1.0F / __builtin_sqrtf(row_dot(n, x, x) / (float)n + eps);
#pragma GCC ivdep
    for (size_t j = 0; j < n; j++)
        y[j] = x[j] * rstd * gain[j];
    return rstd;
}

void rmsnorm_forward(size_t m,
                     size_t n,
                     float eps,
                     const float *x,
                     const float *gain,
                     float *y,
                     float *rstd)
{
#pragma omp parallel for schedule(static) if (m * n > SERIAL)
    for (size_t i = 0; i < m; i++) {
        float r = forward_row(n, eps, x + i * n, gain, y + i * n);
        if (rstd != NULL)
            rstd[i] = r;
    }
}

void rmsnorm_forward_add(size_t m,
                         size_t n,
                         float eps,
                         const float *a,
                         const float *b,
                         float *x,
                         const float *gain,
                         float *y,
                         float *rstd)
{
#pragma omp parallel for schedule(static) if (m * n > SERIAL)
    for (size_t i = 0; i < m; i++) {
        rows_plus(n, a + i * n, b + i * n, x + i * n);
        float r = forward_row(n, eps, x + i * n, gain, y + i * n);
        if (rstd != NULL)
            rstd[i] = r;
    }
}

LANES_INLINE void
add_sums(const float *x, const float *gain, const float *dy, struct row_lanes *s)
{
#pragma GCC unroll 4
    for (unsigned u = 0; u < ROW_WAYS; u++) {
        size_t at = (size_t)u * LANES;
        lanes8 g = *(const lanes8 *)(dy + at) * *(const lanes8 *)(gain + at);
        s->way[u] += g * *(const lanes8 *)(x + at);
    }
}

/* The sum of dy gain x. */
LANES_INLINE float
row_triple(size_t n, const float *x, const float *gain, const float *dy)
{
    struct row_lanes s = {0};
    size_t i = 0;
    for (; i + ROW_STEP <= n; i += ROW_STEP)
        add_sums(x + i, gain + i, dy + i, &s);
    if (i < n) {
        float last_x[ROW_STEP], last_gain[ROW_STEP], last_dy[ROW_STEP];
        row_tail(n - i, x + i, 0, last_x);
        row_tail(n - i, gain + i, 0, last_gain);
        row_tail(n - i, dy + i, 0, last_dy);
        add_sums(last_x, last_gain, last_dy, &s);
    }
    return row_fold(&s);
}

LANES_CLONES
static void backward_row(size_t n,
                         const float *x,
                         const float *gain,
                         float rstd,
                         const float *dy,
                         const float *dsum,
                         float *dx,
                         float *dgain)
{
    float gh_mean = row_triple(n, x, gain, dy) * rstd / (float)n;
    if (dsum == NULL) {
#pragma GCC ivdep
        for (size_t j = 0; j < n; j++) {
            float h = x[j] * rstd, d = dy[j];
            dgain[j] += d * h;
            dx[j] = rstd * (d * gain[j] - h * gh_mean);
        }
    } else {
#pragma GCC ivdep
        for (size_t j = 0; j < n; j++) {
            float h = x[j] * rstd, d = dy[j];
            dgain[j] += d * h;
            dx[j] = rstd * (d * gain[j] - h * gh_mean) + dsum[j];
        }
    }
}

static size_t blocks(size_t m)
{
    return (m + RMSNORM_BLOCK - 1) / RMSNORM_BLOCK;
}

size_t rmsnorm_work_floats(size_t m, size_t n)
{
    return blocks(m) * n;
}

void rmsnorm_backward(size_t m,
                      size_t n,
                      const float *x,
                      const float *gain,
                      const float *rstd,
                      const float *dy,
                      const float *dsum,
                      float *dx,
                      float *dgain,
                      float *work)
{
    size_t count = blocks(m);
#pragma omp parallel for schedule(static) if (m * n > SERIAL)
    for (size_t b = 0; b < count; b++) {
        size_t first = b * RMSNORM_BLOCK, room = m - first;
        size_t end = first + (room < RMSNORM_BLOCK ? room : RMSNORM_BLOCK);
        float *part = work + b * n;
        memset(part, 0, n * sizeof(*part));
        for (size_t i = first; i < end; i++)
            backward_row(n,
                         x + i * n,
                         gain,
                         rstd[i],
                         dy + i * n,
                         dsum == NULL ? NULL : dsum + i * n,
                         dx + i * n,
                         part);
    }
    rows_sum(n, n, count, work, dgain);
}
