/* Table rows on the CPU. Backward hands columns to threads, not rows: each column sees
 * its tokens in order, and no two threads write to one place. */
#include "embedding.h"

#include "rows.h"

#define SERIAL  ((size_t)1 << 17) /* elements: some 20 us */
#define COLUMNS ((size_t)64)      /* of a tile: whole cache lines */

void embedding_forward(size_t m,
                       size_t n,
                       const int32_t *id,
                       const float *table,
                       size_t period,
                       const float *place,
                       float *y)
{
#pragma omp parallel for schedule(static) if (m * n > SERIAL)
    for (size_t i = 0; i < m; i++) {
        const float *row = table + (size_t)id[i] * n;
        if (place == NULL)
            memcpy(y + i * n, row, n * sizeof(*y));
        else
            rows_plus(n, row, place + i % period * n, y + i * n);
    }
}

LANES_CLONES
static void scatter(size_t m,
                    size_t n,
                    size_t width,
                    const int32_t *id,
                    const float *restrict dy,
                    float *restrict dtable)
{
    for (size_t i = 0; i < m; i++) {
        float *to = dtable + (size_t)id[i] * n;
        for (size_t j = 0; j < width; j++)
            to[j] += dy[i * n + j];
    }
}

void embedding_backward(
    size_t m, size_t n, const int32_t *id, const float *dy, float *dtable)
{
    size_t tiles = (n + COLUMNS - 1) / COLUMNS;
#pragma omp parallel for schedule(static) if (m * n > SERIAL)
    for (size_t t = 0; t < tiles; t++) {
        size_t first = t * COLUMNS, room = n - first;
        scatter(m, n, room < COLUMNS ? room : COLUMNS, id, dy + first, dtable + first);
    }
}

void embedding_backward_place(
    size_t m, size_t n, size_t period, const float *dy, float *dplace)
{
    size_t places = m < period ? m : period;
#pragma omp parallel for schedule(static) if (m * n > SERIAL)
    for (size_t t = 0; t < places; t++) {
        for (size_t i = t; i < m; i += period)
            rows_plus(n, dplace + t * n, dy + i * n, dplace + t * n);
    }
}
