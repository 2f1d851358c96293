/* The truth of AdamW, in double. */
#include "adamw.h"

#include <math.h>

void adamw_ref_step(const struct adamw *o,
                    uint64_t t,
                    size_t n,
                    double *w,
                    double *m,
                    double *v,
                    const double *g)
{
    double first = 1 - pow(o->beta1, (double)t), second = 1 - pow(o->beta2, (double)t);
    for (size_t i = 0; i < n; i++) {
        m[i] = o->beta1 * m[i] + (1 - o->beta1) * g[i];
        v[i] = o->beta2 * v[i] + (1 - o->beta2) * g[i] * g[i];
        double step = (m[i] / first) / (sqrt(v[i] / second) + o->eps);
        w[i] -= o->lr * (step + o->decay * w[i]);
    }
}
