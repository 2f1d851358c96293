/* Attention backward on the CPU. A work item is a key head with the query heads that
 * share it: so what is added to dk and dv has one owner, and an order that the shape
 * alone fixes - query heads ascending, blocks of tokens ascending; for dq, blocks of keys
 * ascending. Five products a tile: scores, dp, dv, dk and dq. */
#include "attention.h"

#include "attention_tile.h"
#include "rows.h"
#include <assert.h>

#define THREADED 0x40000 /* items x size x pairs: some 20 us */

struct tile {
    _Alignas(64) float keys[ATTENTION_SIZE_MAX * TILE]; /* turned */
    float values[ATTENTION_SIZE_MAX * TILE];            /* turned */
    float plain_keys[TILE * ATTENTION_SIZE_MAX];        /* these three in whole vectors */
    float q[TILE * ATTENTION_SIZE_MAX];
    float d_o[TILE * ATTENTION_SIZE_MAX];
    float p[TILE * TILE], dp[TILE * TILE];
    size_t key, n_keys, row, n_rows;
};

/* The arguments, by one name. */
struct backward {
    const struct attention *a;
    const struct attention_saved *saved;
    const struct attention_in *d_o;
    const struct attention_out *dq, *dk, *dv;
    float *means;
};

/* n tokens of a head side by side, in whole vectors: as they lie, they may all fall into
 * a few sets of the cache. */
static void gather(const struct backward *x,
                   const struct attention_in *from,
                   size_t b,
                   size_t token,
                   size_t n,
                   size_t h,
                   float *ret)
{
    size_t wide = attention_wide(x->a->size);
    for (size_t r = 0; r < n; r++)
        attention_row(
            attention_at(from, b, token + r, h), x->a->size, wide, ret + r * wide);
}

static void load_keys(const struct backward *x, size_t b, size_t head, struct tile *t)
{
    size_t size = x->a->size;
    attention_turn(&x->saved->k, b, t->key, t->n_keys, head, size, t->keys);
    attention_turn(&x->saved->v, b, t->key, t->n_keys, head, size, t->values);
    gather(x, &x->saved->k, b, t->key, t->n_keys, head, t->plain_keys);
}

static void load_rows(const struct backward *x, size_t b, size_t h, struct tile *t)
{
    gather(x, &x->saved->q, b, t->row, t->n_rows, h, t->q);
    gather(x, x->d_o, b, t->row, t->n_rows, h, t->d_o);
}

/* do . o of all tokens of a head: what dp is under p, on the mean. */
LANES_CLONES
static void means(const struct backward *x, size_t b, size_t h)
{
    const struct attention *a = x->a;
    for (size_t t = 0; t < a->tokens; t++)
        x->means[(b * a->heads + h) * a->tokens + t] = row_dot(
            a->size, attention_at(x->d_o, b, t, h), attention_at(&x->saved->o, b, t, h));
}

/* p from the scores; dp becomes ds. */
LANES_CLONES
static void weigh(float scale, const float *lse, const float *mean, struct tile *t)
{
    for (size_t r = 0; r < t->n_rows; r++) {
        float *p = t->p + r * TILE, *dp = t->dp + r * TILE;
        size_t n = t->row + r + 1 - t->key;
        float shift = lse[r], centre = mean[r];
#pragma GCC ivdep
        for (size_t j = 0; j < TILE; j++) {
            float e = lanes_exp(p[j] * scale - shift);
            float weight = j < n ? e : 0.0F, ds = weight * (dp[j] - centre) * scale;
            p[j] = weight;
            dp[j] = j < n ? ds : 0.0F;
        }
    }
}

/* One tile of [rows] x [keys]; `first`: nothing stands in dk and dv yet. */
static void one_tile(
    const struct backward *x, size_t b, size_t head, size_t h, bool first, struct tile *t)
{
    const struct attention_saved *in = x->saved;
    size_t size = x->a->size, wide = attention_wide(size);
    struct product scores = {.m = t->n_rows,
                             .n = TILE,
                             .k = size,
                             .a = t->q,
                             .a_row = wide,
                             .a_step = 1,
                             .b = t->keys,
                             .ldb = TILE,
                             .c = t->p,
                             .ldc = TILE};
    product_run(&scores);
    scores.a = t->d_o;
    scores.b = t->values;
    scores.c = t->dp;
    product_run(&scores);
    size_t at = (b * x->a->heads + h) * x->a->tokens + t->row;
    weigh(x->a->scale, in->lse + at, x->means + at, t);
    struct product sum = {.m = t->n_keys,
                          .n = size,
                          .k = t->n_rows,
                          .a = t->p,
                          .a_row = 1,
                          .a_step = TILE,
                          .b = t->d_o,
                          .ldb = wide,
                          .c = attention_to(x->dv, b, t->key, head),
                          .ldc = x->dv->token,
                          .into = first ? PRODUCT_SET : PRODUCT_ADD};
    product_run(&sum);
    sum.a = t->dp;
    sum.b = t->q;
    sum.c = attention_to(x->dk, b, t->key, head);
    sum.ldc = x->dk->token;
    product_run(&sum);
    const struct product back = {.m = t->n_rows,
                                 .n = size,
                                 .k = t->n_keys,
                                 .a = t->dp,
                                 .a_row = TILE,
                                 .a_step = 1,
                                 .b = t->plain_keys,
                                 .ldb = wide,
                                 .c = attention_to(x->dq, b, t->row, h),
                                 .ldc = x->dq->token,
                                 .into = t->key == 0 ? PRODUCT_SET : PRODUCT_ADD};
    product_run(&back);
}

static void key_head(const struct backward *x, size_t b, size_t head)
{
    const struct attention *a = x->a;
    size_t group = a->heads / a->kv_heads;
    struct tile t;
    for (size_t h = head * group; h < (head + 1) * group; h++)
        means(x, b, h);
    for (t.key = 0; t.key < a->tokens; t.key += TILE) {
        t.n_keys = attention_least(TILE, a->tokens - t.key);
        load_keys(x, b, head, &t);
        for (size_t h = head * group; h < (head + 1) * group; h++) {
            for (t.row = t.key; t.row < a->tokens; t.row += TILE) {
                t.n_rows = attention_least(TILE, a->tokens - t.row);
                load_rows(x, b, h, &t);
                one_tile(x, b, head, h, h == head * group && t.row == t.key, &t);
            }
        }
    }
}

void attention_backward(const struct attention *a,
                        const struct attention_saved *saved,
                        const struct attention_in *d_o,
                        const struct attention_out *dq,
                        const struct attention_out *dk,
                        const struct attention_out *dv,
                        float *work)
{
    assert(a->size > 0 && a->size <= ATTENTION_SIZE_MAX && a->heads % a->kv_heads == 0);
    assert(a->past == 0);
    const struct backward x = {
        .a = a, .saved = saved, .d_o = d_o, .dq = dq, .dk = dk, .dv = dv, .means = work};
    size_t items = a->batch * a->kv_heads;
#pragma omp parallel for schedule(dynamic) if (items * a->size * a->tokens * a->tokens > \
                                               THREADED)
    for (size_t i = 0; i < items; i++)
        key_head(&x, i / a->kv_heads, i % a->kv_heads);
}
