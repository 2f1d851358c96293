/* Clipping on the CPU. */
#include "clip.h"

#include "lanes.h"
#include "reduce.h"
#include <math.h>

#define TILE ((size_t)1 << 15) /* elements that a thread takes at a time */

double clip_norm(size_t n, const float *g)
{
    return sqrt(reduce_squares(n, g));
}

float clip_factor(double norm, double limit)
{
    return limit > 0 && norm > limit ? (float)(limit / norm) : 1.0F;
}

LANES_CLONES
static void scale(size_t n, float factor, float *g)
{
    for (size_t i = 0; i < n; i++)
        g[i] *= factor;
}

double clip(size_t n, float *g, double limit)
{
    double norm = clip_norm(n, g);
    float factor = clip_factor(norm, limit);
    if (factor == 1.0F)
        return norm;
    size_t tiles = (n + TILE - 1) / TILE;
#pragma omp parallel for schedule(static) if (tiles > 3)
    for (size_t t = 0; t < tiles; t++) {
        size_t first = t * TILE, room = n - first;
        scale(room < TILE ? room : TILE, factor, g + first);
    }
    return norm;
}
