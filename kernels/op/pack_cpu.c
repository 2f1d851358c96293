/* Packing on the CPU: copies, or blocks of 4 x 8 that are turned in registers. */
#include "pack.h"

#include "lanes.h"
#include "product.h"

/* The vectors below are passed between inlined functions alone: there is no call whose
 * ABI could differ. */
#pragma GCC diagnostic ignored "-Wpsabi"

typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
typedef float eight __attribute__((vector_size(32), aligned(4), may_alias));
typedef float sixteen __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint16_t eight16 __attribute__((vector_size(16), aligned(2), may_alias));
typedef uint32_t eight32 __attribute__((vector_size(32)));

/* p's that are turned at once: so many rows of a panel stay in the first cache. */
#define CHUNK ((size_t)64)

LANES_INLINE float load1(const void *at, size_t i, const bool bf16)
{
    if (!bf16)
        return ((const float *)at)[i];
    uint32_t bits = (uint32_t)((const uint16_t *)at)[i] << 16;
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

LANES_INLINE eight load8(const void *at, size_t i, const bool bf16)
{
    if (!bf16)
        return *(const eight *)((const float *)at + i);
    eight16 half = *(const eight16 *)((const uint16_t *)at + i);
    return (eight)(__builtin_convertvector(half, eight32) << 16);
}

/* clang has this one as well; it wants the indices as constants. */
#define MIX __builtin_shufflevector

/* Rows 0 and 4 of a panel. */
LANES_INLINE void store44(eight v, size_t width, float *to)
{
    *(four *)to = MIX(v, v, 0, 1, 2, 3);
    *(four *)(to + 4 * width) = MIX(v, v, 4, 5, 6, 7);
}

/* Columns of `k` numbers, `ld` apart, become columns 0 .. 4 of [k][width]; zeros where
 * there are fewer than four. */
LANES_INLINE void turn4(const void *at,
                        size_t first,
                        size_t ld,
                        size_t cols,
                        size_t k,
                        size_t width,
                        float *panel,
                        const bool bf16)
{
    const eight zero = {0};
    size_t p = 0;
    for (; p + 8 <= k; p += 8, panel += 8 * width) {
        eight a = load8(at, first + p, bf16);
        eight b = cols > 1 ? load8(at, first + ld + p, bf16) : zero;
        eight c = cols > 2 ? load8(at, first + 2 * ld + p, bf16) : zero;
        eight d = cols > 3 ? load8(at, first + 3 * ld + p, bf16) : zero;
        eight ab0 = MIX(a, b, 0, 8, 1, 9, 4, 12, 5, 13);
        eight ab2 = MIX(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
        eight cd0 = MIX(c, d, 0, 8, 1, 9, 4, 12, 5, 13);
        eight cd2 = MIX(c, d, 2, 10, 3, 11, 6, 14, 7, 15);
        store44(MIX(ab0, cd0, 0, 1, 8, 9, 4, 5, 12, 13), width, panel);
        store44(MIX(ab0, cd0, 2, 3, 10, 11, 6, 7, 14, 15), width, panel + width);
        store44(MIX(ab2, cd2, 0, 1, 8, 9, 4, 5, 12, 13), width, panel + 2 * width);
        store44(MIX(ab2, cd2, 2, 3, 10, 11, 6, 7, 14, 15), width, panel + 3 * width);
    }
    for (; p < k; p++, panel += width) {
        for (size_t j = 0; j < 4; j++)
            panel[j] = j < cols ? load1(at, first + j * ld + p, bf16) : 0;
    }
}

LANES_INLINE void turn(const struct operand *o,
                       size_t first,
                       size_t k,
                       size_t cols,
                       size_t width,
                       float *panel,
                       const bool bf16)
{
    const four zero = {0};
    size_t whole = (cols + 3) / 4 * 4;
    for (size_t p = 0; p < k; p += CHUNK) {
        size_t n = k - p < CHUNK ? k - p : CHUNK;
        float *to = panel + p * width;
        for (size_t j = 0; j < whole; j += 4)
            turn4(o->at, first + j * o->ld + p, o->ld, cols - j, n, width, to + j, bf16);
    }
    for (size_t p = 0; p < k && whole < width; p++) {
        for (size_t j = whole; j < width; j += 4)
            *(four *)(panel + p * width + j) = zero;
    }
}

/* The last columns of a row, fewer than eight; where there are eight before or among
 * them, these are written again. */
LANES_INLINE void tail(const struct operand *o,
                       size_t from,
                       size_t cols,
                       size_t width,
                       float *to,
                       const bool bf16)
{
    const four zero = {0};
    size_t j = cols / 8 * 8;
    for (size_t v = j; v < width; v += 4)
        *(four *)(to + v) = zero;
    if (j > 0)
        *(eight *)(to + cols - 8) = load8(o->at, from + cols - 8, bf16);
    for (; j < cols && cols < 8; j++)
        to[j] = load1(o->at, from + j, bf16);
}

LANES_INLINE void pack(const struct operand *o,
                       size_t first,
                       size_t k,
                       size_t cols,
                       size_t width,
                       float *panel,
                       const bool bf16)
{
    if (o->turned) {
        turn(o, first, k, cols, width, panel, bf16);
        return;
    }
    for (size_t p = 0; p < k; p++, first += o->ld, panel += width) {
        for (size_t j = 0; j + 8 <= cols; j += 8)
            *(eight *)(panel + j) = load8(o->at, first + j, bf16);
        if (cols % 8 != 0 || cols < width)
            tail(o, first, cols, width, panel, bf16);
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
            if (width == PRODUCT_ROWS) {
                *(eight *)to = *(const eight *)from;
                *(four *)(to + 8) = *(const four *)(from + 8);
            } else {
                *(sixteen *)to = *(const sixteen *)from;
                *(sixteen *)(to + 16) = *(const sixteen *)(from + 16);
            }
        }
    }
}

LANES_CLONES
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
