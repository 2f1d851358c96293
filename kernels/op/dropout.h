/* Dropout (Srivastava et al., JMLR 2014), inverted: what is kept is scaled up.
 *
 *   y[i] = add[i] + (kept(first + i) ? x[i] / (1 - p) : 0)      add NULL: 0
 *
 * Whether an element is kept is a function of (seed, stream, its number): nothing is
 * stored, backward is the same call on dy, and the cut of an array into calls, ranks or
 * threads changes nothing. `first` is the number of x[0] in the whole array.
 *
 * Element e is kept where its 24 random bits, the upper ones of word e / 8 % 4 of Philox
 * block 8 (e / 32) + e % 8 (philox.h), are p 2^24 or more. */
#ifndef OP_DROPOUT_H
#define OP_DROPOUT_H

#include <stddef.h>
#include <stdint.h>

struct dropout {
    uint64_t seed, stream;
    float p; /* 0 <= p < 1: the share of elements that are dropped */
};

/* y may be x or add. */
void dropout_apply(const struct dropout *d,
                   uint64_t first,
                   size_t n,
                   const float *x,
                   const float *add,
                   float *y);

void dropout_ref_apply(
    const struct dropout *d, uint64_t first, size_t n, const double *x, double *y);

#endif
