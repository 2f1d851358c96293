/* Dropout on the CPU: 64 blocks of Philox at a time, a lane a block, which decide over
 * 256 neighbouring elements. Integers only until the choice: the same on every machine.
 */
#include "dropout.h"

#include "lanes.h"
#include "philox.h"

#define BLOCKS 64
#define SPAN   ((size_t)4 * BLOCKS) /* elements that as many blocks decide over */
#define TILE   ((size_t)32 * SPAN)  /* elements that a thread takes at a time */

struct philox_lane {
    uint32_t c0, c1, c2, c3, k0, k1;
};

LANES_INLINE struct philox_lane philox_round(struct philox_lane p)
{
    uint64_t p0 = (uint64_t)PHILOX_M0 * p.c0, p1 = (uint64_t)PHILOX_M1 * p.c2;
    return (struct philox_lane){.c0 = (uint32_t)(p1 >> 32) ^ p.c1 ^ p.k0,
                                .c1 = PHILOX_M1 * p.c2,
                                .c2 = (uint32_t)(p0 >> 32) ^ p.c3 ^ p.k1,
                                .c3 = PHILOX_M0 * p.c0,
                                .k0 = p.k0 + PHILOX_WEYL0,
                                .k1 = p.k1 + PHILOX_WEYL1};
}

/* All of a block's rounds in the body of one loop over blocks: it becomes vectors. */
LANES_INLINE void
blocks(const struct dropout *d, uint64_t first, uint32_t words[4][BLOCKS])
{
    for (uint32_t l = 0; l < BLOCKS; l++) {
        struct philox_lane p = {.c0 = (uint32_t)first + l,
                                .c1 = (uint32_t)(first >> 32),
                                .c2 = (uint32_t)d->stream,
                                .c3 = (uint32_t)(d->stream >> 32),
                                .k0 = (uint32_t)d->seed,
                                .k1 = (uint32_t)(d->seed >> 32)};
        p = philox_round(philox_round(philox_round(philox_round(philox_round(p)))));
        p = philox_round(philox_round(philox_round(philox_round(philox_round(p)))));
        words[0][l] = p.c0;
        words[1][l] = p.c1;
        words[2][l] = p.c2;
        words[3][l] = p.c3;
    }
}

/* The random words of a span, in the order of its elements. */
LANES_INLINE void draw(const struct dropout *d, uint64_t span, uint32_t ret[SPAN])
{
    uint32_t words[4][BLOCKS];
    blocks(d, span * BLOCKS, words);
    for (size_t g = 0; g < BLOCKS / LANES; g++) {
        for (size_t w = 0; w < 4; w++) {
            for (size_t l = 0; l < LANES; l++)
                ret[(g * 4 + w) * LANES + l] = words[w][g * LANES + l];
        }
    }
}

/* n elements whose random words are word[0] and on. */
LANES_INLINE void choose(const uint32_t *word,
                         uint32_t least,
                         float scale,
                         size_t n,
                         const float *x,
                         const float *add,
                         float *y)
{
    if (add == NULL) {
#pragma GCC ivdep
        for (size_t i = 0; i < n; i++)
            y[i] = (int32_t)(word[i] >> 8) >= (int32_t)least ? x[i] * scale : 0.0F;
    } else {
#pragma GCC ivdep
        for (size_t i = 0; i < n; i++)
            y[i] = add[i] +
                   ((int32_t)(word[i] >> 8) >= (int32_t)least ? x[i] * scale : 0.0F);
    }
}

LANES_CLONES
static void apply(const struct dropout *d,
                  uint64_t first,
                  size_t n,
                  const float *x,
                  const float *add,
                  float *y)
{
    double bound = (double)d->p * 0x1p24;
    uint32_t least = (uint32_t)bound;
    least += (double)least < bound;
    float scale = (float)(1 / (1 - (double)d->p));
    for (size_t i = 0; i < n;) {
        uint32_t words[SPAN];
        size_t from = (size_t)((first + i) % SPAN), room = n - i;
        size_t count = room < SPAN - from ? room : SPAN - from;
        draw(d, (first + i) / SPAN, words);
        choose(words + from,
               least,
               scale,
               count,
               x + i,
               add == NULL ? NULL : add + i,
               y + i);
        i += count;
    }
}

void dropout_apply(const struct dropout *d,
                   uint64_t first,
                   size_t n,
                   const float *x,
                   const float *add,
                   float *y)
{
    size_t tiles = (n + TILE - 1) / TILE;
#pragma omp parallel for schedule(static) if (tiles > 3)
    for (size_t t = 0; t < tiles; t++) {
        size_t at = t * TILE, room = n - at;
        apply(d,
              first + at,
              room < TILE ? room : TILE,
              x + at,
              add == NULL ? NULL : add + at,
              y + at);
    }
}
