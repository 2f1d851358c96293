/* The truth of dropout: element by element from philox_block. */
#include "dropout.h"

#include "philox.h"

void dropout_ref_apply(
    const struct dropout *d, uint64_t first, size_t n, const double *x, double *y)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t e = first + i, block = e / 32 * 8 + e % 8;
        const uint32_t key[2] = {(uint32_t)d->seed, (uint32_t)(d->seed >> 32)};
        const uint32_t counter[4] = {(uint32_t)block,
                                     (uint32_t)(block >> 32),
                                     (uint32_t)d->stream,
                                     (uint32_t)(d->stream >> 32)};
        uint32_t words[4];
        philox_block(counter, key, words);
        double drawn = (double)(words[e / 8 % 4] >> 8) * 0x1p-24;
        y[i] = drawn >= (double)d->p ? x[i] / (1 - (double)d->p) : 0;
    }
}
