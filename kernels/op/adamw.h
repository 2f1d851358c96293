/* AdamW over a flat array of n parameters (Loshchilov and Hutter, "Decoupled weight decay
 * regularization", ICLR 2019, algorithm 2 with a constant schedule), step t from 1:
 *
 *   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
 *   w = w - lr ( (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps) + decay w )
 *
 * Truth: adamw_ref.c, in double. */
#ifndef OP_ADAMW_H
#define OP_ADAMW_H

#include <stddef.h>
#include <stdint.h>

struct adamw {
    double lr, beta1, beta2, eps, decay;
};

void adamw_step(const struct adamw *o,
                uint64_t t,
                size_t n,
                float *w,
                float *m,
                float *v,
                const float *g);

/* A run of the parameters whose decay is its own (matrices decay, gains and biases do
 * not). */
struct adamw_group {
    size_t first, n;
    double decay;
};

/* The same step group by group, each with its own decay in place of o->decay, on
 * gradients times `factor` (clip.h). Parameters in no group stay as they are. */
void adamw_groups(const struct adamw *o,
                  uint64_t t,
                  float factor,
                  size_t n_groups,
                  const struct adamw_group *groups,
                  float *w,
                  float *m,
                  float *v,
                  const float *g);
void adamw_ref_step(const struct adamw *o,
                    uint64_t t,
                    size_t n,
                    double *w,
                    double *m,
                    double *v,
                    const double *g);

#endif
