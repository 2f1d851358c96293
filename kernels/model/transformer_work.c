/* The buffers of whole sequences: one allocation on the device, cut once, so that a
 * gradient allocates nothing. */
#include "transformer_inside.h"

#include "kernels/op/layernorm.h"
#include "kernels/op/rmsnorm.h"
#include <stdlib.h>

#define CHUNK_FLOATS ((size_t)1 << 22) /* of logits; at least CHUNK_ROWS rows */
#define CHUNK_ROWS   ((size_t)512) /* gemm.h's blocks: chunks change no bit of a sum */
#define APART        ((size_t)16)  /* floats of a cache line: where arrays begin */

/* Hands out the block, or, at NULL, only counts. Counts are in double as well: sizes may
 * be beyond any memory. */
struct cutter {
    float *block;
    size_t used;
    double floats;
};

static float *cut(struct cutter *c, size_t rows, size_t width)
{
    size_t n = rows * width, at = c->used;
    c->floats += (double)rows * (double)width + (double)APART;
    c->used += (n + APART - 1) / APART * APART;
    return c->block == NULL ? NULL : c->block + at;
}

static void cut_saved(const struct transformer *t,
                      size_t rows,
                      bool gradient,
                      struct cutter *c,
                      struct transformer_saved *s)
{
    const struct transformer_layout *l = t->layout;
    size_t dim = t->config.dim;
    s->x1 = cut(c, rows, dim);
    s->y1 = cut(c, rows, dim);
    s->qkv = cut(c, rows, l->qkv);
    s->att = cut(c, rows, l->q);
    s->x2 = cut(c, rows, dim);
    s->y2 = cut(c, rows, dim);
    s->z = cut(c, rows, l->up);
    s->h = cut(c, rows, t->config.hidden);
    s->mean1 = cut(c, rows, 1);
    s->rstd1 = cut(c, rows, 1);
    s->mean2 = cut(c, rows, 1);
    s->rstd2 = cut(c, rows, 1);
    s->lse = gradient ? cut(c, rows, t->config.heads) : NULL;
}

static size_t greater(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Room for the sums over rows of norms and attention. */
static size_t sums_of(const struct transformer *t, size_t rows)
{
    size_t norm = transformer_gpt2(t) ? layernorm_work_floats(rows, t->config.dim)
                                      : rmsnorm_work_floats(rows, t->config.dim);
    return greater(norm, rows * t->config.heads);
}

static void
cut_all(const struct transformer *t, struct transformer_work *w, struct cutter *c)
{
    const struct transformer_layout *l = t->layout;
    size_t dim = t->config.dim, rows = w->rows, chunks = (rows + w->chunk - 1) / w->chunk;
    for (size_t i = 0; i < w->n_saved; i++)
        cut_saved(t, rows, w->gradient, c, &w->saved[i]);
    w->branch = cut(c, rows, dim);
    w->x = cut(c, rows, dim);
    w->y = cut(c, rows, dim);
    w->mean = cut(c, rows, 1);
    w->rstd = cut(c, rows, 1);
    w->logits = cut(c, w->chunk, t->config.vocab);
    w->losses = cut(c, rows, 1);
    w->ids = (void *)cut(c, rows, 1);
    w->labels = (void *)cut(c, rows, 1);
    w->positions = (void *)cut(c, rows, 1);
    w->scores = (void *)cut(c, chunks, sizeof(*w->scores) / sizeof(float));
    if (!w->gradient)
        return;
    w->dx = cut(c, rows, dim);
    w->dy = cut(c, rows, greater(dim, l->q));
    w->dqkv = cut(c, rows, l->qkv);
    w->dh = cut(c, rows, t->config.hidden);
    w->dz = transformer_gpt2(t) ? w->dh : cut(c, rows, l->up);
    w->sums = cut(c, sums_of(t, rows), 1);
}

static int
allocate(const struct transformer *t, struct transformer_work *w, struct gm_error *err)
{
    size_t chunks = (w->rows + w->chunk - 1) / w->chunk;
    struct cutter count = {0};
    void *block = NULL;
    w->saved = calloc(w->n_saved, sizeof(*w->saved));
    w->host_positions = calloc(w->rows, sizeof(*w->host_positions));
    w->host_losses = calloc(w->rows, sizeof(*w->host_losses));
    w->host_scores = calloc(chunks, sizeof(*w->host_scores));
    if (w->saved == NULL || w->host_positions == NULL || w->host_losses == NULL ||
        w->host_scores == NULL)
        return gm_fail(err, -ENOMEM, "out of memory");
    cut_all(t, w, &count);
    if (count.floats > 0x1p46)
        return gm_fail(err,
                       -ENOMEM,
                       "no memory for %.3g numbers between the layers: fewer or shorter "
                       "sequences at a time need less",
                       count.floats);
    int rc = w->device->op->alloc(w->device, count.used * sizeof(float), &block, err);
    if (rc != 0)
        return rc;
    w->block = block;
    struct cutter real = {.block = w->block};
    cut_all(t, w, &real);
    return 0;
}

int transformer_work_make(const struct transformer *t,
                          size_t sequences,
                          size_t tokens,
                          bool gradient,
                          struct transformer_work **ret,
                          struct gm_error *err)
{
    size_t rows;
    if (tokens == 0 || tokens > t->config.context)
        return gm_fail(err,
                       -EINVAL,
                       "sequences of %zu tokens do not fit the model, whose context is "
                       "%zu",
                       tokens,
                       t->config.context);
    if (sequences == 0 || __builtin_mul_overflow(sequences, tokens, &rows) ||
        rows > INT32_MAX)
        return gm_fail(err,
                       -EINVAL,
                       "%zu sequences of %zu tokens are no batch: 1 to %d tokens are",
                       sequences,
                       tokens,
                       INT32_MAX);
    AUTO(transformer_work) w = calloc(1, sizeof(*w));
    if (w == NULL)
        return gm_fail(err, -ENOMEM, "out of memory");
    size_t fit = CHUNK_FLOATS / t->config.vocab / CHUNK_ROWS * CHUNK_ROWS;
    w->device = t->device;
    w->sequences = sequences;
    w->tokens = tokens;
    w->rows = rows;
    w->chunk = greater(fit, CHUNK_ROWS) < rows ? greater(fit, CHUNK_ROWS) : rows;
    w->gradient = gradient;
    w->n_saved = gradient ? t->config.layers : 1;
    int rc = allocate(t, w, err);
    if (rc == 0)
        *ret = steal(&w);
    return rc;
}

void transformer_work_free(struct transformer_work *w)
{
    if (w == NULL)
        return;
    w->device->op->release(w->device, w->block);
    free(w->saved);
    free(w->host_positions);
    free(w->host_losses);
    free(w->host_scores);
    free(w);
}
