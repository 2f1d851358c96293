/* Reductions on the CPU: parts go to threads, a part's lanes to vectors; neither changes
 * which number is added to which. */
#include "reduce.h"

#include "rows.h"

#define PARTS     64
#define LEAST     ((size_t)4096) /* elements of a part, so that few parts are small */
#define SERIAL    ((size_t)1 << 17)
#define SUM_LANES 16

enum what { SUM, SQUARES };

LANES_INLINE double
part_sum(size_t n, const float *restrict x, double *restrict lane, const enum what what)
{
    for (size_t l = 0; l < SUM_LANES; l++)
        lane[l] = 0;
    size_t i = 0;
    for (; i + SUM_LANES <= n; i += SUM_LANES) {
        for (size_t l = 0; l < SUM_LANES; l++) {
            double v = (double)x[i + l];
            lane[l] += what == SUM ? v : v * v;
        }
    }
    for (size_t l = 0; i + l < n; l++) {
        double v = (double)x[i + l];
        lane[l] += what == SUM ? v : v * v;
    }
    for (size_t half = SUM_LANES / 2; half > 0; half /= 2) {
        for (size_t l = 0; l < half; l++)
            lane[l] += lane[l + half];
    }
    return lane[0];
}

LANES_CLONES
static double sum_of_part(size_t n, const float *x)
{
    double lane[SUM_LANES];
    return part_sum(n, x, lane, SUM);
}

LANES_CLONES
static double squares_of_part(size_t n, const float *x)
{
    double lane[SUM_LANES];
    return part_sum(n, x, lane, SQUARES);
}

LANES_CLONES
static float max_of_part(size_t n, const float *x)
{
    return row_max(n, x);
}

/* A multiple of the lanes, so that a part begins at lane 0. */
static size_t part_length(size_t n)
{
    size_t length = (n / PARTS / LANES + 1) * LANES;
    return length < LEAST ? LEAST : length;
}

static double fold(size_t n, const float *x, double (*of_part)(size_t, const float *))
{
    size_t length = part_length(n), parts = n == 0 ? 0 : (n - 1) / length + 1;
    double part[PARTS] = {0};
#pragma omp parallel for schedule(static) if (n > SERIAL)
    for (size_t p = 0; p < parts; p++) {
        size_t first = p * length, room = n - first;
        part[p] = of_part(room < length ? room : length, x + first);
    }
    for (size_t half = PARTS / 2; half > 0; half /= 2) {
        for (size_t p = 0; p < half; p++)
            part[p] += part[p + half];
    }
    return part[0];
}

double reduce_sum(size_t n, const float *x)
{
    return fold(n, x, sum_of_part);
}

double reduce_squares(size_t n, const float *x)
{
    return fold(n, x, squares_of_part);
}

float reduce_max(size_t n, const float *x)
{
    size_t length = part_length(n), parts = n == 0 ? 0 : (n - 1) / length + 1;
    float part[PARTS];
#pragma omp parallel for schedule(static) if (n > SERIAL)
    for (size_t p = 0; p < parts; p++) {
        size_t first = p * length, room = n - first;
        part[p] = max_of_part(room < length ? room : length, x + first);
    }
    float max = -INFINITY;
    for (size_t p = 0; p < parts; p++)
        max = part[p] > max ? part[p] : max;
    return max;
}
