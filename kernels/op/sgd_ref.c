/* The truth of momentum descent, in double. */
#include "sgd.h"

void sgd_ref_step(const struct sgd *o, size_t n, double *w, double *v, const double *g)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = o->momentum * v[i] + (g[i] + o->decay * w[i]);
        w[i] -= o->lr * v[i];
    }
}
