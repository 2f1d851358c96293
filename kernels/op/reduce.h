/* Reductions of n floats by a fixed tree: up to 64 parts of equal length, in each 16
 * lanes (element i of a part in lane i % 16), the lanes and then the parts folded
 * pairwise. The bits depend on the numbers and on n alone. Sums are in double: their
 * error is below that of one float addition for any n that fits memory. Truth: plain
 * loops, in the test. */
#ifndef OP_REDUCE_H
#define OP_REDUCE_H

#include <stddef.h>

double reduce_sum(size_t n, const float *x);
/* The sum of the squares; a product of two floats is exact in double. */
double reduce_squares(size_t n, const float *x);
/* The largest; NaNs are passed over, and of none it is -inf. */
float reduce_max(size_t n, const float *x);

#endif
