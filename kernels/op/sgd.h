/* Stochastic gradient descent with momentum, over a flat array of n parameters:
 *
 *   v = momentum v + (g + decay w);  w = w - lr v
 *
 * (Polyak's heavy ball as Sutskever et al., ICML 2013, write it, with lr outside of v;
 * decay is L2.) Truth: sgd_ref.c, in double. */
#ifndef OP_SGD_H
#define OP_SGD_H

#include <stddef.h>

struct sgd {
    double lr, momentum, decay;
};

void sgd_step(const struct sgd *o, size_t n, float *w, float *v, const float *g);
void sgd_ref_step(const struct sgd *o, size_t n, double *w, double *v, const double *g);

#endif
