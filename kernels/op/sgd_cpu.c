/* Momentum descent on the CPU: one pass, element by element. */
#include "sgd.h"

#include "lanes.h"
#include <stddef.h>

#define TILE ((size_t)1 << 13) /* parameters that a thread takes at a time */

LANES_CLONES
static void update(const struct sgd *o,
                   size_t n,
                   float *restrict w,
                   float *restrict v,
                   const float *restrict g)
{
    const float lr = (float)o->lr, momentum = (float)o->momentum, decay = (float)o->decay;
    for (size_t i = 0; i < n; i++) {
        v[i] = momentum * v[i] + (g[i] + decay * w[i]);
        w[i] -= lr * v[i];
    }
}

void sgd_step(const struct sgd *o, size_t n, float *w, float *v, const float *g)
{
    size_t tiles = (n + TILE - 1) / TILE;
#pragma omp parallel for schedule(static) if (tiles > 4)
    for (size_t t = 0; t < tiles; t++) {
        size_t at = t * TILE, room = n - at;
        update(o, room < TILE ? room : TILE, w + at, v + at, g + at);
    }
}
