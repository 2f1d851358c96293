/* Layer normalisation on the CPU: a row at a time, which stays in the first cache between
 * its passes. Backward takes blocks of rows, whose share of dgain and dbias is kept apart
 * until all are there: threads take blocks, and the order of the sum is fixed. */
#include "layernorm.h"

#include "rows.h"

#define SERIAL ((size_t)1 << 15) /* elements: some 10 us */

LANES_CLONES
static void forward_row(size_t n,
                        float eps,
                        const float *x,
                        const float *gain,
                        const float *bias,
                        float *y,
                        float *ret_mean,
                        float *ret_rstd)
{
    float mean = row_sum(n, x) / (float)n;
    float variance = row_spread(n, x, mean) / (float)n;
    float rstd = 1.0F / __builtin_sqrtf(variance + eps);
    if (bias == NULL) {
#pragma GCC ivdep
        for (size_t j = 0; j < n; j++)
            y[j] = (x[j] - mean) * rstd * gain[j];
    } else {
#pragma GCC ivdep
        for (size_t j = 0; j < n; j++)
            y[j] = (x[j] - mean) * rstd * gain[j] + bias[j];
    }
    *ret_mean = mean;
    *ret_rstd = rstd;
}

void layernorm_forward(size_t m,
                       size_t n,
                       float eps,
                       const float *x,
                       const float *gain,
                       const float *bias,
                       float *y,
                       float *mean,
                       float *rstd)
{
#pragma omp parallel for schedule(static) if (m * n > SERIAL)
    for (size_t i = 0; i < m; i++)
        forward_row(n, eps, x + i * n, gain, bias, y + i * n, mean + i, rstd + i);
}

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
                           float *rstd)
{
#pragma omp parallel for schedule(static) if (m * n > SERIAL)
    for (size_t i = 0; i < m; i++) {
        rows_plus(n, a + i * n, b + i * n, x + i * n);
        forward_row(n, eps, x + i * n, gain, bias, y + i * n, mean + i, rstd + i);
    }
}

/* The two sums of a row that its gradient needs: g and g (x - mean), g being dy gain. */
struct sums {
    struct row_lanes g, gx;
};

LANES_INLINE void
add_sums(const float *x, const float *gain, const float *dy, float mean, struct sums *s)
{
#pragma GCC unroll 4
    for (unsigned u = 0; u < ROW_WAYS; u++) {
        size_t at = (size_t)u * LANES;
        lanes8 g = *(const lanes8 *)(dy + at) * *(const lanes8 *)(gain + at);
        s->g.way[u] += g;
        s->gx.way[u] += g * (*(const lanes8 *)(x + at) - mean);
    }
}

LANES_INLINE struct sums
row_sums(size_t n, const float *x, const float *gain, const float *dy, float mean)
{
    struct sums s = {0};
    size_t i = 0;
    for (; i + ROW_STEP <= n; i += ROW_STEP)
        add_sums(x + i, gain + i, dy + i, mean, &s);
    if (i < n) {
        float last_x[ROW_STEP], last_gain[ROW_STEP], last_dy[ROW_STEP];
        row_tail(n - i, x + i, mean, last_x);
        row_tail(n - i, gain + i, 0, last_gain);
        row_tail(n - i, dy + i, 0, last_dy);
        add_sums(last_x, last_gain, last_dy, mean, &s);
    }
    return s;
}

/* part: the block's dgain, and behind it its dbias. */
LANES_CLONES
static void backward_row(size_t n,
                         const float *x,
                         const float *gain,
                         float mean,
                         float rstd,
                         const float *dy,
                         const float *dsum,
                         float *dx,
                         float *part)
{
    struct sums s = row_sums(n, x, gain, dy, mean);
    float g_mean = row_fold(&s.g) / (float)n;
    float gh_mean = row_fold(&s.gx) * rstd / (float)n;
    if (dsum == NULL) {
#pragma GCC ivdep
        for (size_t j = 0; j < n; j++) {
            float h = (x[j] - mean) * rstd, d = dy[j];
            part[j] += d * h;
            part[n + j] += d;
            dx[j] = rstd * (d * gain[j] - g_mean - h * gh_mean);
        }
    } else {
#pragma GCC ivdep
        for (size_t j = 0; j < n; j++) {
            float h = (x[j] - mean) * rstd, d = dy[j];
            part[j] += d * h;
            part[n + j] += d;
            dx[j] = rstd * (d * gain[j] - g_mean - h * gh_mean) + dsum[j];
        }
    }
}

static size_t blocks(size_t m)
{
    return (m + LAYERNORM_BLOCK - 1) / LAYERNORM_BLOCK;
}

size_t layernorm_work_floats(size_t m, size_t n)
{
    return blocks(m) * 2 * n;
}

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
                        float *work)
{
    size_t count = blocks(m);
#pragma omp parallel for schedule(static) if (m * n > SERIAL)
    for (size_t b = 0; b < count; b++) {
        size_t first = b * LAYERNORM_BLOCK, room = m - first;
        size_t end = first + (room < LAYERNORM_BLOCK ? room : LAYERNORM_BLOCK);
        float *part = work + b * 2 * n;
        memset(part, 0, 2 * n * sizeof(*part));
        for (size_t i = first; i < end; i++)
            backward_row(n,
                         x + i * n,
                         gain,
                         mean[i],
                         rstd[i],
                         dy + i * n,
                         dsum == NULL ? NULL : dsum + i * n,
                         dx + i * n,
                         part);
    }
    rows_sum(n, 2 * n, count, work, dgain);
    if (dbias != NULL)
        rows_sum(n, 2 * n, count, work + n, dbias);
}
