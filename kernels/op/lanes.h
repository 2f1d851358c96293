/* Eight floats at a time, the same way on every machine.
 *
 * A lane never meets another lane: what is added up is added in index order within a
 * lane, multiplied and then added (the build forbids fusing), so the bits depend neither
 * on the width of the machine's vectors nor on which clone of a function the loader
 * picked. */
#ifndef OP_LANES_H
#define OP_LANES_H

#include <stdint.h>
#include <string.h>

#define LANES 8

/* May stand at any float of an array. */
typedef float lanes8 __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

#define LANES_INLINE static inline __attribute__((always_inline))

/* The loader picks by the machine's instruction set. Not under a sanitizer: the choice is
 * made before its run-time is up. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&                   \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define LANES_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define LANES_CLONES
#endif

/* x held within low .. high, low < 0 < high. By whole numbers, whose order is that of
 * floats of one sign: a comparison of floats would stay apart for the sake of NaN, of
 * which this makes a bound. */
LANES_INLINE float lanes_clamp(float x, float low, float high)
{
    uint32_t bits, least;
    int32_t rank, most;
    memcpy(&bits, &x, sizeof(bits));
    memcpy(&least, &low, sizeof(least));
    memcpy(&most, &high, sizeof(most));
    bits = bits < least ? bits : least; /* of negative ones those nearer to 0 */
    memcpy(&rank, &bits, sizeof(rank));
    rank = rank < most ? rank : most;
    memcpy(&x, &rank, sizeof(x));
    return x;
}

/* e^x for x within -87.3 .. 88.3, at most 2 ulp off. Polynomial: Cephes, expf. */
LANES_INLINE float lanes_exp_inside(float x)
{
    const float magic = 12582912.0F; /* 1.5 * 2^23: adding it rounds to an integer */
    float rounded = x * 1.44269504F + magic, whole = rounded - magic, power;
    float rest = x - whole * 0.693359375F + whole * 2.12194440e-4F;
    float y = 1.9875691500e-4F;
    uint32_t bits; /* the integer stands in the last ones */
    y = y * rest + 1.3981999507e-3F;
    y = y * rest + 8.3334519073e-3F;
    y = y * rest + 4.1665795894e-2F;
    y = y * rest + 1.6666665459e-1F;
    y = y * rest + 5.0000001201e-1F;
    y = y * (rest * rest) + rest + 1.0F;
    memcpy(&bits, &rounded, sizeof(bits));
    bits = (bits + 127) << 23;
    memcpy(&power, &bits, sizeof(power));
    return y * power;
}

/* e^x; below -87.3 it gives a number under 2e-38, above 88.3 one over 2e38. NaN stays
 * NaN. Branch-free, so that loops over it become vectors; no libm, so that its bits do
 * not change with the C library. */
LANES_INLINE float lanes_exp(float x)
{
    float e = lanes_exp_inside(lanes_clamp(x, -87.3F, 88.3F));
    return x == x ? e : x;
}

#endif
