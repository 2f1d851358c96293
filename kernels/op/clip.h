/* Clipping by the global norm (Pascanu, Mikolov and Bengio, ICML 2013): gradients whose
 * norm over all n elements is above `limit` are scaled down to it.
 *
 * The norm comes from reduce_squares: a fixed tree in double. */
#ifndef OP_CLIP_H
#define OP_CLIP_H

#include <stddef.h>

double clip_norm(size_t n, const float *g);
/* limit / norm where the norm is above the limit, else 1; 1 too when the norm is not a
 * number (the caller looks at the norm), or when limit is 0: no clipping. For optimisers
 * that take the factor along (adamw_groups): no pass over memory of its own. */
float clip_factor(double norm, double limit);
/* Both, and g scaled in place; returns the norm before. */
double clip(size_t n, float *g, double limit);

#endif
