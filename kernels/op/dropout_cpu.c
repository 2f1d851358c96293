/* Dropout on the CPU: eight blocks of Philox at a time, a lane a block, which decide over
 * 32 neighbouring elements. Integers only until the choice: the same on every machine. */
#include "dropout.h"

#include "lanes.h"
#include "philox.h"

#define GROUP ((size_t)32)          /* elements that eight blocks decide over */
#define TILE  ((size_t)256 * GROUP) /* elements that a thread takes at a time */

/* One round of eight blocks; c is [word][lane]. */
LANES_INLINE void philox_round(uint32_t c[4][LANES], uint32_t k0, uint32_t k1)
{
    for (unsigned l = 0; l < LANES; l++) {
        uint64_t p0 = (uint64_t)PHILOX_M0 * c[0][l], p1 = (uint64_t)PHILOX_M1 * c[2][l];
        c[0][l] = (uint32_t)(p1 >> 32) ^ c[1][l] ^ k0;
        c[2][l] = (uint32_t)(p0 >> 32) ^ c[3][l] ^ k1;
        c[1][l] = (uint32_t)p1;
        c[3][l] = (uint32_t)p0;
    }
}

/* The random words of group number `group`: words[i] is that of element i of it. */
LANES_INLINE void draw(const struct dropout *d, uint64_t group, uint32_t words[4][LANES])
{
    uint32_t k0 = (uint32_t)d->seed, k1 = (uint32_t)(d->seed >> 32);
    for (unsigned l = 0; l < LANES; l++) {
        words[0][l] = (uint32_t)(group * LANES) + l;
        words[1][l] = (uint32_t)((group * LANES) >> 32);
        words[2][l] = (uint32_t)d->stream;
        words[3][l] = (uint32_t)(d->stream >> 32);
    }
    for (unsigned round = 0; round < 10; round++) {
        philox_round(words, k0, k1);
        k0 += PHILOX_WEYL0;
        k1 += PHILOX_WEYL1;
    }
}

/* Elements [from, from + n) of a group; x, add and y begin at the first of them. */
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
        uint32_t words[4][LANES];
        size_t from = (size_t)((first + i) % GROUP), room = n - i;
        size_t count = room < GROUP - from ? room : GROUP - from;
        const float *more = add == NULL ? NULL : add + i;
        draw(d, (first + i) / GROUP, words);
        if (count == GROUP)
            choose(&words[0][0], least, scale, GROUP, x + i, more, y + i);
        else
            choose(&words[0][0] + from, least, scale, count, x + i, more, y + i);
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
