/* Products of few rows, such as decoding is made of: B is all that memory must move, and
 * it is read once, as it lies. Not for models: see gemm.h, whose sums these are.
 *
 * Where B is [n][k], tiles of it are turned in registers, so that each element of C is
 * still one chain of fused multiply-adds over p, ascending. */
#ifndef OP_THIN_H
#define OP_THIN_H

#include <stdbool.h>
#include <stddef.h>

#define THIN_ROWS 4

struct thin {
    size_t m, n, k; /* m at most THIN_ROWS */
    const float *a;
    size_t a_row, a_step; /* from row to row, from p to p + 1 */
    const float *b;
    size_t ldb;
    bool turned; /* B is [n][ldb], else [k][ldb] */
    float *c;
    size_t ldc;
    bool add; /* to C */
};

/* Threads: threads.h. */
void thin_run(const struct thin *s);

#endif
