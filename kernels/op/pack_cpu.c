/* Packing on the CPU: copies, or blocks of 4 x 4 that are turned in registers. */
#include "pack.h"

#include "lanes.h"
#include "product.h"

typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
typedef uint16_t four16 __attribute__((vector_size(8), aligned(2), may_alias));
typedef uint32_t four32 __attribute__((vector_size(16)));

LANES_INLINE four load4(const void *at, size_t i, const bool bf16)
{
    if (!bf16)
        return *(const four *)((const float *)at + i);
    four16 half = *(const four16 *)((const uint16_t *)at + i);
    return (four)(__builtin_convertvector(half, four32) << 16);
}

LANES_INLINE float load1(const void *at, size_t i, const bool bf16)
{
    if (!bf16)
        return ((const float *)at)[i];
    uint32_t bits = (uint32_t)((const uint16_t *)at)[i] << 16;
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* clang has this one as well; it wants the indices as constants. */
#define mix(a, b, i0, i1, i2, i3) __builtin_shufflevector(a, b, i0, i1, i2, i3)

/* Four columns from `at`, `ld` apart, become columns 0 .. 4 of [k][width]. */
LANES_INLINE void turn4(const void *at,
                        size_t first,
                        size_t ld,
                        size_t k,
                        size_t width,
                        float *panel,
                        const bool bf16)
{
    size_t p = 0;
    for (; p + 4 <= k; p += 4, panel += 4 * width) {
        four a = load4(at, first + p, bf16), b = load4(at, first + ld + p, bf16);
        four c = load4(at, first + 2 * ld + p, bf16);
        four d = load4(at, first + 3 * ld + p, bf16);
        four ab0 = mix(a, b, 0, 4, 1, 5), ab2 = mix(a, b, 2, 6, 3, 7);
        four cd0 = mix(c, d, 0, 4, 1, 5), cd2 = mix(c, d, 2, 6, 3, 7);
        *(four *)panel = mix(ab0, cd0, 0, 1, 4, 5);
        *(four *)(panel + width) = mix(ab0, cd0, 2, 3, 6, 7);
        *(four *)(panel + 2 * width) = mix(ab2, cd2, 0, 1, 4, 5);
        *(four *)(panel + 3 * width) = mix(ab2, cd2, 2, 3, 6, 7);
    }
    for (; p < k; p++, panel += width) {
        for (size_t j = 0; j < 4; j++)
            panel[j] = load1(at, first + j * ld + p, bf16);
    }
}

LANES_INLINE void pack(const struct operand *o,
                       size_t first,
                       size_t k,
                       size_t cols,
                       size_t width,
                       float *panel,
                       const bool bf16)
{
    size_t j = 0, down = o->turned ? 1 : o->ld, across = o->turned ? o->ld : 1;
    if (o->turned) {
        for (; j + 4 <= cols; j += 4)
            turn4(o->at, first + j * o->ld, o->ld, k, width, panel + j, bf16);
    } else {
        j = cols / 4 * 4;
        for (size_t p = 0; p < k; p++) {
            for (size_t v = 0; v < j; v += 4)
                *(four *)(panel + p * width + v) =
                    load4(o->at, first + p * o->ld + v, bf16);
        }
    }
    for (size_t p = 0; p < k && j < width; p++) {
        for (size_t v = j; v < width; v++)
            panel[p * width + v] =
                v < cols ? load1(o->at, first + p * down + v * across, bf16) : 0;
    }
}

/* Whole panels side by side: rows are read in the order they lie in memory. */
LANES_INLINE void copy(const struct operand *o,
                       size_t first,
                       size_t k,
                       size_t count,
                       const size_t width,
                       float *panels)
{
    for (size_t p = 0; p < k; p++) {
        const float *from = (const float *)o->at + first + p * o->ld;
        float *to = panels + p * width;
        for (size_t t = 0; t < count; t++, from += width, to += k * width) {
#pragma GCC unroll 8
            for (size_t v = 0; v < width; v += 4)
                *(four *)(to + v) = *(const four *)(from + v);
        }
    }
}

void pack_panels(const struct operand *o,
                 size_t p,
                 size_t k,
                 size_t j,
                 size_t cols,
                 size_t width,
                 float *panels)
{
    size_t first = o->turned ? j * o->ld + p : p * o->ld + j, done = 0;
    if (!o->turned && !o->bf16) {
        if (width == PRODUCT_COLS)
            copy(o, first, k, cols / width, PRODUCT_COLS, panels);
        else if (width == PRODUCT_ROWS)
            copy(o, first, k, cols / width, PRODUCT_ROWS, panels);
        done = width == PRODUCT_COLS || width == PRODUCT_ROWS ? cols / width * width : 0;
    }
    for (; done < cols; done += width) {
        size_t at = first + done * (o->turned ? o->ld : 1);
        size_t n = cols - done < width ? cols - done : width;
        if (o->bf16)
            pack(o, at, k, n, width, panels + done * k, true);
        else
            pack(o, at, k, n, width, panels + done * k, false);
    }
}
