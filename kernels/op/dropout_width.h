/* The random words of dropout_cpu.c for one width of vectors; included there once a
 * width, with
 *
 *   NAME(x)      x with the width's prefix
 *   BYTES        of a vector
 *   TARGET       the attribute that lets the compiler use them
 *   MUL(a, b)    of each lane's lower 32 bits, 64 bits of product
 *
 * A lane of 64 bits is a block; what stands above its lower 32 is not looked at, so
 * halves of a product need no room of their own. No guard: each inclusion is another
 * width. */
typedef uint64_t NAME(vec) __attribute__((vector_size(BYTES)));
typedef uint32_t NAME(half) __attribute__((vector_size(BYTES / 2)));

/* The words of CHAINS * lanes blocks from `block` on (which ends in as many zeros), in
 * the order of their elements: word w of block b at 8 (4 (b / 8) + w) + b % 8. */
TARGET LANES_INLINE void NAME(blocks)(const struct dropout *d,
                                      uint64_t block,
                                      const NAME(vec) key[2 * ROUNDS],
                                      uint32_t ret[SPAN])
{
    enum { N = BYTES / 8 };
    static const uint64_t numbers[] = {0, 1, 2, 3, 4, 5, 6, 7};
    const NAME(vec) zero = {0};
    NAME(vec) number;
    memcpy(&number, numbers, sizeof(number));
    NAME(vec) c0[CHAINS], c1[CHAINS], c2[CHAINS], c3[CHAINS];
    for (unsigned c = 0; c < CHAINS; c++) {
        c0[c] = zero + ((uint32_t)block + c * N) + number;
        c1[c] = zero + (block >> 32);
        c2[c] = zero + (d->stream & UINT32_MAX);
        c3[c] = zero + (d->stream >> 32);
    }
#pragma GCC unroll 10
    for (unsigned r = 0; r < ROUNDS; r++) {
#pragma GCC unroll 4
        for (unsigned c = 0; c < CHAINS; c++) {
            NAME(vec) p0 = MUL(c0[c], zero + PHILOX_M0);
            NAME(vec) p1 = MUL(c2[c], zero + PHILOX_M1);
            c0[c] = (p1 >> 32) ^ c1[c] ^ key[2 * r];
            c2[c] = (p0 >> 32) ^ c3[c] ^ key[2 * r + 1];
            c1[c] = p1;
            c3[c] = p0;
        }
    }
    for (unsigned c = 0; c < CHAINS; c++) {
        size_t b = block % BLOCKS + (size_t)c * N;
        const NAME(vec) words[4] = {c0[c], c1[c], c2[c], c3[c]};
        for (size_t w = 0; w < 4; w++) {
            NAME(half) low = __builtin_convertvector(words[w], NAME(half));
            memcpy(ret + 8 * (4 * (b / 8) + w) + b % 8, &low, sizeof(low));
        }
    }
}

TARGET static void NAME(draw)(const struct dropout *d, uint64_t span, uint32_t ret[SPAN])
{
    enum { N = BYTES / 8 };
    NAME(vec) key[2 * ROUNDS];
    uint32_t k0 = (uint32_t)d->seed, k1 = (uint32_t)(d->seed >> 32);
    for (size_t r = 0; r < ROUNDS; r++) {
        key[2 * r] = (NAME(vec)){0} + k0;
        key[2 * r + 1] = (NAME(vec)){0} + k1;
        k0 += PHILOX_WEYL0;
        k1 += PHILOX_WEYL1;
    }
    for (size_t b = 0; b < BLOCKS; b += (size_t)CHAINS * N)
        NAME(blocks)(d, span * BLOCKS + b, key, ret);
}
