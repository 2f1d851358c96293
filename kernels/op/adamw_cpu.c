/* AdamW on the CPU: one pass, element by element. Square root and division are exact
 * operations of IEEE 754 and the powers of beta come from repeated multiplication, so the
 * bits do not hang on the C library. */
#include "adamw.h"

#include "lanes.h"
#include <math.h>

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
                eps = k[6], keep = k[7];
    for (size_t i = 0; i < n; i++) {
        m[i] = b1 * m[i] + c1 * g[i];
        v[i] = b2 * v[i] + c2 * (g[i] * g[i]);
        w[i] = keep * w[i] - lr * (m[i] / (__builtin_sqrtf(v[i] * second) + eps));
    }
}

void adamw_step(const struct adamw *o,
                uint64_t t,
                size_t n,
                float *w,
                float *m,
                float *v,
                const float *g)
{
    const float k[] = {(float)o->beta1,
                       (float)(1 - o->beta1),
                       (float)o->beta2,
                       (float)(1 - o->beta2),
                       (float)(o->lr / (1 - power(o->beta1, t))),
                       (float)(1 / (1 - power(o->beta2, t))),
                       (float)o->eps,
                       (float)(1 - o->lr * o->decay)};
    update(n, k, w, m, v, g);
}
