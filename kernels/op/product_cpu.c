/* Products on the CPU: tiles of C held in registers, the same source for each vector
 * width. The chains of a tile are independent, which hides a multiply-add's latency; the
 * tile's shape is what the width's registers can hold. */
#include "product.h"

#include "lanes.h"
#include <stdbool.h>
#include <string.h>

/* The vectors below are passed between inlined functions alone: there is no call whose
 * ABI could differ. */
#pragma GCC diagnostic ignored "-Wpsabi"

#define NAME(x) narrow_##x
#define BYTES   16
#define TARGET
#define WIDE 2
#define TALL 2
#include "product_width.h"
#undef NAME
#undef BYTES
#undef TARGET
#undef WIDE
#undef TALL

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define PRODUCT_X86 1

#define NAME(x) avx2_##x
#define BYTES   32
#define TARGET  __attribute__((target("avx2,fma")))
#define WIDE    2
#define TALL    6
#include "product_width.h"
#undef NAME
#undef BYTES
#undef TARGET
#undef WIDE
#undef TALL

#define NAME(x) avx512_##x
#define BYTES   64
#define TARGET  __attribute__((target("avx512f")))
#define WIDE    4
#define TALL    12
#include "product_width.h"
#endif

struct width {
    void (*run)(const struct product *s);
    void (*full)(const struct product_tile *t);
};

static struct width width(void)
{
#ifdef PRODUCT_X86
    if (__builtin_cpu_supports("avx512f"))
        return (struct width){avx512_run, avx512_full};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return (struct width){avx2_run, avx2_full};
#endif
    return (struct width){narrow_run, narrow_full};
}

void product_run(const struct product *s)
{
    width().run(s);
}

/* At the edges of C a tile of whole vectors is computed aside; what was packed there are
 * zeros. */
void product_tile(const struct product_tile *t)
{
    size_t rows = (t->rows + 3) / 4 * 4, cols = (t->cols + 15) / 16 * 16;
    if (t->rows == rows && t->cols == cols) {
        width().full(t);
        return;
    }
    _Alignas(64) float whole[PRODUCT_ROWS * PRODUCT_COLS];
    struct product_tile aside = *t;
    aside.rows = rows;
    aside.cols = cols;
    aside.c = whole;
    aside.ldc = PRODUCT_COLS;
    aside.into = PRODUCT_SET;
    width().full(&aside);
    for (size_t i = 0; i < t->rows; i++) {
        float *c = t->c + i * t->ldc;
        const float *from = whole + i * PRODUCT_COLS;
        for (size_t j = 0; j < t->cols; j++)
            c[j] = t->into == PRODUCT_ADD ? c[j] + from[j] : from[j];
    }
}
