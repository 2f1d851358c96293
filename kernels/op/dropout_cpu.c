/* Dropout on the CPU: 64 blocks of Philox at a time, a lane a block, which decide over
 * 256 neighbouring elements. Integers only until the choice: the same on every machine.
 */
#include "dropout.h"

#include "lanes.h"
#include "philox.h"
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#define BLOCKS 64
#define SPAN   ((size_t)4 * BLOCKS) /* elements that as many blocks decide over */
#define TILE   ((size_t)32 * SPAN)  /* elements that a thread takes at a time */
#define ROUNDS 10                   /* of Philox */
#define CHAINS 2                    /* vectors at once: a product takes its time */

/* The vectors below are passed between inlined functions alone: there is no call whose
 * ABI could differ. */
#pragma GCC diagnostic ignored "-Wpsabi"

#define NAME(x) narrow_##x
#define BYTES   16
#define TARGET
#ifdef __x86_64__
#define MUL(a, b) (narrow_vec) _mm_mul_epu32((__m128i)(a), (__m128i)(b))
#else
#define MUL(a, b) (((a)&UINT32_MAX) * (b))
#endif
#include "dropout_width.h"
#undef NAME
#undef BYTES
#undef TARGET
#undef MUL

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define DROPOUT_X86 1

#define NAME(x)   avx2_##x
#define BYTES     32
#define TARGET    __attribute__((target("avx2")))
#define MUL(a, b) (avx2_vec) _mm256_mul_epu32((__m256i)(a), (__m256i)(b))
#include "dropout_width.h"
#undef NAME
#undef BYTES
#undef TARGET
#undef MUL

#define NAME(x)   avx512_##x
#define BYTES     64
#define TARGET    __attribute__((target("avx512f")))
#define MUL(a, b) (avx512_vec) _mm512_mul_epu32((__m512i)(a), (__m512i)(b))
#include "dropout_width.h"
#endif

/* The random words of a span, in the order of its elements. */
typedef void draw_fn(const struct dropout *d, uint64_t span, uint32_t ret[SPAN]);

static draw_fn *widest(void)
{
#ifdef DROPOUT_X86
    if (__builtin_cpu_supports("avx512f"))
        return avx512_draw;
    if (__builtin_cpu_supports("avx2"))
        return avx2_draw;
#endif
    return narrow_draw;
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
                  draw_fn *draw,
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
        _Alignas(64) uint32_t words[SPAN];
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
    draw_fn *draw = widest();
    size_t tiles = (n + TILE - 1) / TILE;
#pragma omp parallel for schedule(static) if (tiles > 3)
    for (size_t t = 0; t < tiles; t++) {
        size_t at = t * TILE, room = n - at;
        apply(d,
              draw,
              first + at,
              room < TILE ? room : TILE,
              x + at,
              add == NULL ? NULL : add + at,
              y + at);
    }
}
