/* AdamW on the CPU: one pass, element by element. Square root and division are exact
 * operations of IEEE 754 and the powers of beta come from repeated multiplication, so the
 * bits do not hang on the C library. */
#include "adamw.h"

#include "lanes.h"
#include <math.h>

#define TILE ((size_t)1 << 13) /* parameters that a thread takes at a time */

static double power(double base, uint64_t exponent)
{
    double result = 1;
    for (; exponent > 0; exponent >>= 1, base *= base) {
        if (exponent & 1)
            result *= base;
    }
    return result;
}

LANES_CLONES
static void update(size_t n,
                   const float *k,
                   float *restrict w,
                   float *restrict m,
                   float *restrict v,
                   const float *restrict g)
{
    const float b1 = k[0], c1 = k[1], b2 = k[2], c2 = k[3], lr = k[4], second = k[5],
                eps = k[6], keep = k[7], factor = k[8];
    for (size_t i = 0; i < n; i++) {
        float d = factor * g[i];
        m[i] = b1 * m[i] + c1 * d;
        v[i] = b2 * v[i] + c2 * (d * d);
        w[i] = keep * w[i] - lr * (m[i] / (__builtin_sqrtf(v[i] * second) + eps));
    }
}

#define KNOBS 9

static void
knobs(const struct adamw *o, uint64_t t, double decay, float factor, float ret[KNOBS])
{
    const float k[KNOBS] = {(float)o->beta1,
                            (float)(1 - o->beta1),
                            (float)o->beta2,
                            (float)(1 - o->beta2),
                            (float)(o->lr / (1 - power(o->beta1, t))),
                            (float)(1 / (1 - power(o->beta2, t))),
                            (float)o->eps,
                            (float)(1 - o->lr * decay),
                            factor};
    memcpy(ret, k, sizeof(k));
}

void adamw_step(const struct adamw *o,
                uint64_t t,
                size_t n,
                float *w,
                float *m,
                float *v,
                const float *g)
{
    const struct adamw_group all = {.n = n, .decay = o->decay};
    adamw_groups(o, t, 1, 1, &all, w, m, v, g);
}

void adamw_groups(const struct adamw *o,
                  uint64_t t,
                  float factor,
                  size_t n_groups,
                  const struct adamw_group *groups,
                  float *w,
                  float *m,
                  float *v,
                  const float *g)
{
    size_t n = 0;
    for (size_t i = 0; i < n_groups; i++)
        n += groups[i].n;
#pragma omp parallel if (n > 4 * TILE)
    for (size_t i = 0; i < n_groups; i++) {
        const struct adamw_group *one = &groups[i];
        float k[KNOBS];
        knobs(o, t, one->decay, factor, k);
        size_t tiles = (one->n + TILE - 1) / TILE;
#pragma omp for schedule(static) nowait
        for (size_t j = 0; j < tiles; j++) {
            size_t at = one->first + j * TILE, room = one->n - j * TILE;
            update(room < TILE ? room : TILE, k, w + at, m + at, v + at, g + at);
        }
    }
}
