/* Philox4x32-10: random numbers as a function of (seed, stream, index), with no state to
 * carry: any element can be computed alone, in any order, on any rank (Salmon, Moraes,
 * Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11).
 *
 * Numbering: key = seed; counter = (block number, stream), both 64 bits, low word first.
 */
#ifndef OP_PHILOX_H
#define OP_PHILOX_H

#include <stddef.h>
#include <stdint.h>

#define PHILOX_M0    0xD2511F53U
#define PHILOX_M1    0xCD9E8D57U
#define PHILOX_WEYL0 0x9E3779B9U /* golden ratio */
#define PHILOX_WEYL1 0xBB67AE85U /* sqrt(3) - 1 */

/* The function itself. */
void philox_block(const uint32_t counter[4], const uint32_t key[2], uint32_t ret[4]);

/* A sequence of draws from one (seed, stream). */
struct philox {
    uint64_t seed, stream, block;
    uint32_t words[4];
    unsigned left;
};

struct philox philox_make(uint64_t seed, uint64_t stream);
uint64_t philox_next(struct philox *p);
/* Uniform on 0 .. bound - 1, without bias (Lemire 2019); bound > 0. */
uint64_t philox_below(struct philox *p, uint64_t bound);

/* Element i from word i % 4 of block i / 4. Uniform on [low, high) in steps of 2^-24 of
 * the range; the bits depend on IEEE 754 alone. */
void philox_uniform(
    uint64_t seed, uint64_t stream, float low, float high, size_t n, float *ret);
/* Elements first .. first + n, `first` even: 2i and 2i + 1 from block i, by Box and
 * Muller; the bits depend on IEEE 754 alone (real.h). */
void philox_normal(uint64_t seed,
                   uint64_t stream,
                   uint64_t first,
                   float mean,
                   float deviation,
                   size_t n,
                   float *ret);
/* A permutation of 0 .. n - 1 (Fisher and Yates, Durstenfeld's form, from the end). */
void philox_permutation(uint64_t seed, uint64_t stream, size_t n, size_t *ret);

#endif
