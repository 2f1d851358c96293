/* Panels of an operand: `width` columns side by side, so that a product's inner loop
 * walks memory in order. bf16 numbers become floats here (exactly). */
#ifndef OP_PACK_H
#define OP_PACK_H

#include <stdbool.h>
#include <stddef.h>

/* Element (p, j) stands at p * ld + j, or turned at j * ld + p. */
struct operand {
    const void *at;
    size_t ld;
    bool turned;
    bool bf16; /* uint16_t rather than float */
};

/* Rows p .. p + k and columns j .. j + cols, as panels [k][width] one behind the other,
 * width a multiple of 4; zeros after column cols. */
void pack_panels(const struct operand *o,
                 size_t p,
                 size_t k,
                 size_t j,
                 size_t cols,
                 size_t width,
                 float *panels);

#endif
