/* Attention backward on the CPU. A work item is a key head with the query heads that
 * share it: so what is added to dk and dv has one owner, and an order that the shape
 * alone fixes - query heads ascending, blocks of tokens ascending; for dq, blocks of keys
 * ascending. Five products a tile: scores, dp, dv, dk and dq. */
#include "attention.h"

#include "attention_tile.h"
#include "rows.h"
#include <assert.h>

struct tile {
    _Alignas(64) float keys[ATTENTION_SIZE_MAX * TILE]; /* turned */
    float values[ATTENTION_SIZE_MAX * TILE];            /* turned */
    float scaled_keys[TILE * ATTENTION_SIZE_MAX];
    float q[TILE * ATTENTION_SIZE_MAX]; /* scaled */
    float d_o[TILE * ATTENTION_SIZE_MAX];
    float p[TILE * TILE], dp[TILE * TILE];
    float lse[TILE], mean[TILE]; /* mean of dp under p: do . o */
    size_t key, n_keys, row, n_rows, wide;
};

/* The arguments, by one name. */
struct backward {
    const struct attention *a;
    const struct attention_saved *saved;
    const struct attention_in *d_o;
    const struct attention_out *dq, *dk, *dv;
};

static void load_keys(const struct backward *x, size_t b, size_t head, struct tile *t)
{
    size_t size = x->a->size;
    attention_turn(&x->saved->k, b, t->key, t->n_keys, head, size, t->keys);
    attention_turn(&x->saved->v, b, t->key, t->n_keys, head, size, t->values);
    for (size_t j = 0; j < t->n_keys; j++)
        attention_row(attention_at(&x->saved->k, b, t->key + j, head),
                      size,
                      t->wide,
                      x->a->scale,
                      t->scaled_keys + j * t->wide);
}

LANES_CLONES
static void load_rows(const struct backward *x, size_t b, size_t h, struct tile *t)
{
    const struct attention *a = x->a;
    for (size_t r = 0; r < t->n_rows; r++) {
        size_t token = t->row + r;
        const float *d_o = attention_at(x->d_o, b, token, h);
        attention_row(attention_at(&x->saved->q, b, token, h),
                      a->size,
                      t->wide,
                      a->scale,
                      t->q + r * t->wide);
        attention_row(d_o, a->size, t->wide, 1.0F, t->d_o + r * t->wide);
        t->mean[r] = row_dot(a->size, d_o, attention_at(&x->saved->o, b, token, h));
        t->lse[r] = x->saved->lse[(b * a->heads + h) * a->tokens + token];
    }
}

/* p from the scores; dp becomes ds. */
LANES_CLONES
static void weigh(struct tile *t)
{
    for (size_t r = 0; r < t->n_rows; r++) {
        float *p = t->p + r * TILE, *dp = t->dp + r * TILE;
        size_t n = t->row + r + 1 - t->key;
        float lse = t->lse[r], mean = t->mean[r];
#pragma GCC ivdep
        for (size_t j = 0; j < TILE; j++) {
            float e = lanes_exp(p[j] - lse);
            float weight = j < n ? e : 0.0F, ds = weight * (dp[j] - mean);
            p[j] = weight;
            dp[j] = j < n ? ds : 0.0F;
        }
    }
}

/* One tile of [rows] x [keys]; `first`: nothing stands in dk and dv yet. */
static void one_tile(
    const struct backward *x, size_t b, size_t head, size_t h, bool first, struct tile *t)
{
    size_t size = x->a->size;
    struct product scores = {.m = t->n_rows,
                             .n = TILE,
                             .k = size,
                             .a = t->q,
                             .a_row = t->wide,
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
    weigh(t);
    struct product sum = {.m = t->n_keys,
                          .n = size,
                          .k = t->n_rows,
                          .a = t->p,
                          .a_row = 1,
                          .a_step = TILE,
                          .b = t->d_o,
                          .ldb = t->wide,
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
                                 .b = t->scaled_keys,
                                 .ldb = t->wide,
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
    t.wide = attention_wide(a->size);
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
                        const struct attention_out *dv)
{
    assert(a->size > 0 && a->size <= ATTENTION_SIZE_MAX && a->heads % a->kv_heads == 0);
    assert(a->past == 0);
    const struct backward x = {
        .a = a, .saved = saved, .d_o = d_o, .dq = dq, .dk = dk, .dv = dv};
    size_t items = a->batch * a->kv_heads;
    double work =
        (double)(a->batch * a->heads * a->size) * (double)a->tokens * (double)a->tokens;
#pragma omp parallel for schedule(dynamic) if (work > 0x1p18)
    for (size_t i = 0; i < items; i++)
        key_head(&x, i / a->kv_heads, i % a->kv_heads);
}
