/* The two loops that all products of floats are made of. Not for models: see gemm.h.
 *
 * Each element of C is one chain of fused multiply-adds over p, ascending, that starts
 * from 0. fmaf is exact before its one
 * rounding, on a machine with the instruction and without. So an element's bits depend
 * on its row of A and its column of B alone: not on m, n, the strides, the tile it falls
 * into, the vectors' width or the thread. */
#ifndef OP_PRODUCT_H
#define OP_PRODUCT_H

#include <stddef.h>

#define PRODUCT_LANES 16  /* rows of B are readable up to a multiple of this */
#define PRODUCT_DEPTH 512 /* the longest chain of gemm.h: what is longer is cut */
#define PRODUCT_ROWS  12  /* of a packed tile */
#define PRODUCT_COLS  32

enum product_into {
    PRODUCT_SET,
    PRODUCT_ADD,   /* the chain's end is added to C */
    PRODUCT_RESUME /* the chain starts from C */
};

/* C[m][n] = A B. A is addressed by strides (so it may be a transposed one), B is
 * [k][ldb]; what B holds after column n is read, and meets no element of C. */
struct product {
    size_t m, n, k;
    const float *a;
    size_t a_row, a_step; /* from row to row, from p to p + 1 */
    const float *b;
    size_t ldb;
    float *c;
    size_t ldc;
    enum product_into into;
};

void product_run(const struct product *s);

/* One tile of packed operands: A[k][PRODUCT_ROWS], B[k][PRODUCT_COLS]; rows by cols of C
 * are written, of a sum that is SET or ADD. Memory after B is fetched: the next panel. */
struct product_tile {
    size_t k, rows, cols;
    const float *a, *b;
    float *c;
    size_t ldc;
    enum product_into into;
};

void product_tile(const struct product_tile *t);

#endif
