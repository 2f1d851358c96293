/* What the two directions of attention share. Inside kernels/op alone. */
#ifndef OP_ATTENTION_TILE_H
#define OP_ATTENTION_TILE_H

#include "attention.h"
#include "pack.h"
#include "product.h"
#include <string.h>

#define TILE ((size_t)64) /* keys of a block; and rows of one */

static inline size_t attention_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* A head's size in whole vectors. */
static inline size_t attention_wide(size_t size)
{
    return (size + PRODUCT_LANES - 1) / PRODUCT_LANES * PRODUCT_LANES;
}

static inline const float *
attention_at(const struct attention_in *x, size_t b, size_t t, size_t h)
{
    return x->at + b * x->sequence + t * x->token + h * x->head;
}

static inline float *
attention_to(const struct attention_out *x, size_t b, size_t t, size_t h)
{
    return x->at + b * x->sequence + t * x->token + h * x->head;
}

/* Tokens t .. t + n of a head, turned: [size][TILE], zeros after column n. */
static inline void attention_turn(const struct attention_in *x,
                                  size_t b,
                                  size_t t,
                                  size_t n,
                                  size_t h,
                                  size_t size,
                                  float *ret)
{
    const struct operand turned = {
        .at = attention_at(x, b, t, h), .ld = x->token, .turned = true};
    pack_panels(&turned, 0, size, 0, n, TILE, ret);
}

/* One token's numbers, and zeros up to `wide`. */
static inline void attention_row(const float *from, size_t size, size_t wide, float *ret)
{
    memcpy(ret, from, size * sizeof(*ret));
    memset(ret + size, 0, (wide - size) * sizeof(*ret));
}

#endif
