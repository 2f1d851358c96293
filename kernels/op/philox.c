/* Philox4x32-10 and what is drawn from it. Integer arithmetic only, but for the last step
 * to a float: equal bits on every machine. Known answers: tests/unit/test_philox.c. */
#include "philox.h"

#include "real.h"
#include <math.h>

void philox_block(const uint32_t counter[4], const uint32_t key[2], uint32_t ret[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (unsigned round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)PHILOX_M0 * c0, p1 = (uint64_t)PHILOX_M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += PHILOX_WEYL0;
        k1 += PHILOX_WEYL1;
    }
    ret[0] = c0;
    ret[1] = c1;
    ret[2] = c2;
    ret[3] = c3;
}

static void block_at(uint64_t seed, uint64_t stream, uint64_t block, uint32_t ret[4])
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t counter[4] = {(uint32_t)block,
                                 (uint32_t)(block >> 32),
                                 (uint32_t)stream,
                                 (uint32_t)(stream >> 32)};
    philox_block(counter, key, ret);
}

struct philox philox_make(uint64_t seed, uint64_t stream)
{
    return (struct philox){.seed = seed, .stream = stream};
}

uint64_t philox_next(struct philox *p)
{
    if (p->left == 0) {
        block_at(p->seed, p->stream, p->block++, p->words);
        p->left = 4;
    }
    p->left -= 2;
    const uint32_t *w = p->words + 2 - p->left;
    return w[0] | (uint64_t)w[1] << 32;
}

uint64_t philox_below(struct philox *p, uint64_t bound)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)philox_next(p) * bound;
    if ((uint64_t)product < bound) {
        uint64_t unfair = -bound % bound;
        while ((uint64_t)product < unfair)
            product = (wide)philox_next(p) * bound;
    }
    return (uint64_t)(product >> 64);
}

void philox_uniform(
    uint64_t seed, uint64_t stream, float low, float high, size_t n, float *ret)
{
    uint32_t words[4];
    for (size_t i = 0; i < n; i++) {
        if (i % 4 == 0)
            block_at(seed, stream, i / 4, words);
        double unit = (double)(words[i % 4] >> 8) * 0x1p-24;
        float x = (float)((double)low + unit * ((double)high - (double)low));
        ret[i] = x < high ? x : nextafterf(high, low);
    }
}

void philox_normal(uint64_t seed,
                   uint64_t stream,
                   uint64_t first,
                   float mean,
                   float deviation,
                   size_t n,
                   float *ret)
{
    for (size_t i = 0; i < n; i += 2) {
        uint32_t words[4];
        block_at(seed, stream, (first + i) / 2, words);
        /* 53 bits each; the first in (0, 1], so that its logarithm is finite */
        uint64_t a = (words[0] | (uint64_t)words[1] << 32) >> 11;
        uint64_t b = (words[2] | (uint64_t)words[3] << 32) >> 11;
        double radius = sqrt(-2 * real_log(((double)a + 1) * 0x1p-53));
        double angle = 2 * M_PI * ((double)b * 0x1p-53);
        ret[i] = (float)((double)mean + (double)deviation * radius * real_cos(angle));
        if (i + 1 < n)
            ret[i + 1] =
                (float)((double)mean + (double)deviation * radius * real_sin(angle));
    }
}

void philox_permutation(uint64_t seed, uint64_t stream, size_t n, size_t *ret)
{
    struct philox p = philox_make(seed, stream);
    for (size_t i = 0; i < n; i++)
        ret[i] = i;
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)philox_below(&p, i);
        size_t swap = ret[j];
        ret[j] = ret[i - 1];
        ret[i - 1] = swap;
    }
}
