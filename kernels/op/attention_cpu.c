/* Attention forward on the CPU. A work item is up to TILE rows of one key head - the
 * queries of a token that share it stand side by side - and walks the blocks of keys; a
 * row's state is its maximum, its sum and its weighted values so far.
 *
 * A key behind a row's limit has p = 0, and a chain of multiply-adds is not changed by
 * 0 x: this is what makes a row's bits its own. A zero may change its sign; so it gets
 * its sign at the end. Values that are not finite would make 0 x a NaN: such blocks are
 * multiplied a row at a time. */
#include "attention.h"

#include "attention_tile.h"
#include "real.h"
#include "rows.h"
#include <assert.h>
#include <stdbool.h>

#define THREADED 0x20000 /* items x size x keys: some 20 us */
#define FEW      4       /* rows for which values are not worth a copy */

struct state {
    _Alignas(64) float q[TILE * ATTENTION_SIZE_MAX];
    float keys[ATTENTION_SIZE_MAX * TILE];   /* a block's, turned */
    float values[TILE * ATTENTION_SIZE_MAX]; /* a block's, in whole vectors */
    float sums[TILE * ATTENTION_SIZE_MAX];
    float p[TILE * TILE];
    float max[TILE], sum[TILE];
    size_t limit[TILE]; /* keys that the row sees */
    size_t rows, wide;
};

/* The work item: rows from first on, of key head `head` of sequence b. */
struct item {
    size_t b, head, first, group;
};

static void load_rows(const struct attention *a,
                      const struct item *it,
                      const struct attention_in *q,
                      struct state *s)
{
    s->wide = attention_wide(a->size);
    s->rows = attention_least(TILE, a->tokens * it->group - it->first);
    for (size_t r = 0; r < s->rows; r++) {
        size_t t = (it->first + r) / it->group, g = (it->first + r) % it->group;
        attention_row(attention_at(q, it->b, t, it->head * it->group + g),
                      a->size,
                      a->size,
                      s->q + r * a->size);
        s->limit[r] = a->past + t + 1;
        s->max[r] = -INFINITY;
        s->sum[r] = 0;
    }
    memset(s->sums, 0, s->rows * s->wide * sizeof(float));
}

LANES_INLINE void fold_top(const size_t half, float *top)
{
    for (size_t j = 0; j < half; j++)
        top[j] = top[j] > top[j + half] ? top[j] : top[j + half];
}

/* Of the first n of TILE scores; a NaN is passed over. The tree is fixed. */
LANES_INLINE float top_score(size_t n, const float *p)
{
    float top[TILE];
    for (size_t j = 0; j < TILE; j++)
        top[j] = j < n && p[j] == p[j] ? p[j] : -INFINITY;
    fold_top(TILE / 2, top);
    fold_top(TILE / 4, top);
    fold_top(TILE / 8, top);
    fold_top(TILE / 16, top);
    fold_top(TILE / 32, top);
    fold_top(TILE / 64, top);
    return top[0];
}

/* Scores to weights, of the rows from r on; n keys from `key` on. */
LANES_CLONES
static void weigh(float scale, struct state *s, size_t r, size_t key)
{
    for (; r < s->rows; r++) {
        float *p = s->p + r * TILE, *sums = s->sums + r * s->wide;
        size_t n = attention_least(TILE, s->limit[r] - key);
        for (size_t j = 0; j < TILE; j++)
            p[j] *= scale;
        float old = s->max[r], max = top_score(n, p);
        max = max > old ? max : old;
        for (size_t j = 0; j < TILE; j++) {
            float e = lanes_exp(p[j] - max);
            p[j] = j < n ? e : 0.0F;
        }
        s->sum[r] = s->sum[r] * lanes_exp(old - max) + row_sum(TILE, p);
        s->max[r] = max;
        if (old == max)
            continue;
        float before = lanes_exp(old - max);
        for (size_t c = 0; c < s->wide; c++)
            sums[c] *= before;
    }
}

LANES_CLONES
static bool all_finite(size_t n, const float *v)
{
    lanes8 none = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        none += *(const lanes8 *)(v + i) * 0.0F;
    float sum = 0;
    for (; i < n; i++)
        sum += v[i] * 0.0F;
    for (unsigned l = 0; l < LANES; l++)
        sum += none[l];
    return sum == 0.0F;
}

/* sums += p times the n values from token `key` on, of the rows from r on. */
static void add_values(const struct attention *a,
                       const struct item *it,
                       const struct attention_in *v,
                       size_t key,
                       size_t n,
                       size_t r,
                       struct state *s)
{
    bool plain = true, all = s->limit[r] >= key + n;
    const float *at = attention_at(v, it->b, key, it->head);
    struct product sum = {.m = s->rows - r,
                          .n = s->wide,
                          .k = n,
                          .a = s->p + r * TILE,
                          .a_row = TILE,
                          .a_step = 1,
                          .b = at,
                          .ldb = v->token,
                          .c = s->sums + r * s->wide,
                          .ldc = s->wide,
                          .into = PRODUCT_ADD};
    if (s->wide != a->size || sum.m > FEW) { /* as they lie, they may share cache sets */
        sum.b = s->values;
        sum.ldb = s->wide;
        for (size_t j = 0; j < n; j++)
            attention_row(at + j * v->token, a->size, s->wide, s->values + j * s->wide);
    }
    for (size_t j = 0; j < n && !all && plain; j++)
        plain = all_finite(a->size, at + j * v->token);
    if (plain) {
        product_run(&sum);
        return;
    }
    sum.m = 1;
    for (; r < s->rows; r++, sum.a += TILE, sum.c += s->wide) {
        sum.k = attention_least(n, s->limit[r] - key);
        product_run(&sum);
    }
}

static void store_rows(const struct attention *a,
                       const struct item *it,
                       const struct attention_out *o,
                       float *lse,
                       const struct state *s)
{
    for (size_t r = 0; r < s->rows; r++) {
        size_t t = (it->first + r) / it->group,
               h = it->head * it->group + (it->first + r) % it->group;
        float *to = attention_to(o, it->b, t, h), share = 1.0F / s->sum[r];
        const float *from = s->sums + r * s->wide;
        for (size_t c = 0; c < a->size; c++)
            to[c] = from[c] * share + 0.0F;
        if (lse != NULL)
            lse[(it->b * a->heads + h) * a->tokens + t] =
                (float)((double)s->max[r] + real_log((double)s->sum[r]));
    }
}

static void rows_of(const struct attention *a,
                    const struct item *it,
                    const struct attention_in *q,
                    const struct attention_in *k,
                    const struct attention_in *v,
                    const struct attention_out *o,
                    float *lse)
{
    struct state s;
    load_rows(a, it, q, &s);
    size_t end = s.limit[s.rows - 1], r = 0;
    for (size_t key = 0; key < end; key += TILE) {
        size_t n = attention_least(TILE, end - key);
        while (s.limit[r] <= key) /* a row that has seen all its keys */
            r++;
        attention_turn(k, it->b, key, n, it->head, a->size, s.keys);
        const struct product scores = {.m = s.rows - r,
                                       .n = attention_wide(n),
                                       .k = a->size,
                                       .a = s.q + r * a->size,
                                       .a_row = a->size,
                                       .a_step = 1,
                                       .b = s.keys,
                                       .ldb = TILE,
                                       .c = s.p + r * TILE,
                                       .ldc = TILE};
        product_run(&scores);
        weigh(a->scale, &s, r, key);
        add_values(a, it, v, key, n, r, &s);
    }
    store_rows(a, it, o, lse, &s);
}

void attention_forward(const struct attention *a,
                       const struct attention_in *q,
                       const struct attention_in *k,
                       const struct attention_in *v,
                       const struct attention_out *o,
                       float *lse)
{
    assert(a->size > 0 && a->size <= ATTENTION_SIZE_MAX && a->heads % a->kv_heads == 0);
    size_t group = a->heads / a->kv_heads;
    size_t chunks = (a->tokens * group + TILE - 1) / TILE;
    size_t items = a->batch * a->kv_heads * chunks;
#pragma omp parallel for schedule(dynamic) if (items * a->size * (a->past + a->tokens) > \
                                               THREADED)
    for (size_t i = 0; i < items; i++) {
        const struct item it = {.b = i / chunks / a->kv_heads,
                                .head = i / chunks % a->kv_heads,
                                .first = i % chunks * TILE,
                                .group = group};
        rows_of(a, &it, q, k, v, o, lse);
    }
}
