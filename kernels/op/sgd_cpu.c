/* Momentum descent on the CPU: one pass, element by element. */
#include "sgd.h"

#include "lanes.h"

LANES_CLONES
void sgd_step(const struct sgd *o,
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
