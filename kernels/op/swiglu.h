/* The gated activation of Llama's feed-forward layers (Shazeer, arXiv 2002.05202), for m
 * rows of n columns:
 *
 *   y = silu(a) b,   silu(a) = a / (1 + exp(-a))
 *   da = dy b silu'(a);   db = dy silu(a)
 *
 * Rows of a, b, da and db are `stride` floats apart (2n when one product gave both: a is
 * its left half), those of y and dy n. Truth: swiglu_ref.c, in double. */
#ifndef OP_SWIGLU_H
#define OP_SWIGLU_H

#include <stddef.h>

/* y may be a or b where stride is n. */
void swiglu_forward(
    size_t m, size_t n, size_t stride, const float *a, const float *b, float *y);
/* da may be a, db may be b; dy may be either where stride is n. */
void swiglu_backward(size_t m,
                     size_t n,
                     size_t stride,
                     const float *a,
                     const float *b,
                     const float *dy,
                     float *da,
                     float *db);

void swiglu_ref_forward(size_t count, const double *a, const double *b, double *y);
void swiglu_ref_backward(size_t count,
                         const double *a,
                         const double *b,
                         const double *dy,
                         double *da,
                         double *db);

#endif
