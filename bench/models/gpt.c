/* See models.h: a tiny GPT of 4 layers, width 256, 4 heads, 256 ids and a tied head. */
#include "models.h"

#include "base/clock.h"
#include "base/memory.h"
#include "kernels/op/clip.h"
#include "kernels/op/philox.h"
#include "kernels/op/threads.h"
#include "turns.h"
#include <stdio.h>
#include <stdlib.h>

#define LEVELS 32
#define CLIP   1.0
#define DECAY  0.1

struct gpt {
    struct transformer *model;
    struct transformer_work *work;
    size_t batch, tokens, micro;
    int32_t *ids, *labels;
    float *first, *second;
    float *level[LEVELS]; /* gradients of the tree's nodes that wait for a sibling */
    double *norm;         /* device memory */
    struct adamw_group groups[2];
    uint64_t steps;
};

struct weights_config gpt_config(size_t tokens)
{
    return (struct weights_config){.arch = WEIGHTS_GPT2,
                                   .dim = 256,
                                   .hidden = 1024,
                                   .layers = 4,
                                   .heads = 4,
                                   .kv_heads = 4,
                                   .head_dim = 64,
                                   .vocab = 256,
                                   .context = tokens,
                                   .tied = true,
                                   .rope_theta = 10000,
                                   .norm_eps = 1e-5};
}

static int room(struct gpt *g, float **ret, struct gm_error *err)
{
    struct device *d = g->model->device;
    if (*ret != NULL)
        return 0;
    void *at = NULL;
    int rc = d->op->alloc(d, g->model->n_params * sizeof(float), &at, err);
    *ret = at;
    return rc;
}

static void make_text(struct gpt *g)
{
    size_t n = g->batch * g->tokens;
    size_t vocab = g->model->config.vocab;
    struct philox p = philox_make(1, 5);
    g->ids = xcalloc(n, sizeof(*g->ids));
    g->labels = xcalloc(n, sizeof(*g->labels));
    for (size_t i = 0; i < n; i++) {
        g->ids[i] = (int32_t)philox_below(&p, vocab);
        g->labels[i] = (int32_t)philox_below(&p, vocab);
    }
}

int gpt_make(struct device *d,
             size_t batch,
             size_t tokens,
             size_t micro,
             struct gpt **ret,
             struct gm_error *err)
{
    const struct weights_config config = gpt_config(tokens);
    struct gpt *g = xcalloc(1, sizeof(*g));
    *g = (struct gpt){.batch = batch, .tokens = tokens, .micro = micro};
    int rc = transformer_make(&config, d, &g->model, err);
    if (rc == 0) {
        for (size_t i = 0; i < g->model->n_groups; i++) {
            g->groups[i] = g->model->groups[i];
            g->groups[i].decay *= DECAY;
        }
        transformer_init(g->model, 1);
        make_text(g);
        rc = transformer_work_make(g->model, micro, tokens, true, &g->work, err);
    }
    if (rc == 0)
        rc = room(g, &g->first, err);
    if (rc == 0)
        rc = room(g, &g->second, err);
    void *norm = NULL;
    if (rc == 0)
        rc = d->op->alloc(d, sizeof(*g->norm), &norm, err);
    g->norm = norm;
    if (rc == 0)
        *ret = g;
    else
        gpt_free(g);
    return rc;
}

void gpt_free(struct gpt *g)
{
    if (g == NULL)
        return;
    if (g->model != NULL) {
        struct device *d = g->model->device;
        for (size_t l = 0; l < LEVELS; l++)
            d->op->release(d, g->level[l]);
        d->op->release(d, g->first);
        d->op->release(d, g->second);
        d->op->release(d, g->norm);
    }
    transformer_work_free(g->work);
    transformer_free(g->model);
    free(g->ids);
    free(g->labels);
    free(g);
}

/* The node of `span` (a power of two) leaves from `from` on, into level[depth]. */
static int
gradient(struct gpt *g, size_t from, size_t span, size_t depth, struct gm_error *err)
{
    size_t leaves = (g->batch + g->micro - 1) / g->micro;
    int rc = room(g, &g->level[depth], err);
    if (rc != 0)
        return rc;
    if (span > 1) {
        rc = gradient(g, from, span / 2, depth, err);
        if (rc != 0 || from + span / 2 >= leaves)
            return rc;
        rc = gradient(g, from + span / 2, span / 2, depth + 1, err);
        float *to = g->level[depth];
        const float *other = g->level[depth + 1];
        for (size_t i = 0; rc == 0 && i < g->model->n_params; i++)
            to[i] += other[i];
        return rc;
    }
    size_t at = from * g->micro, left = g->batch - at;
    struct xent_tokens score;
    return transformer_gradient(g->model,
                                g->work,
                                left < g->micro ? left : g->micro,
                                g->tokens,
                                g->ids + at * g->tokens,
                                g->labels + at * g->tokens,
                                1.0F / (float)(g->batch * g->tokens),
                                NULL,
                                g->level[depth],
                                &score,
                                err);
}

int gpt_step(struct gpt *g, struct gm_error *err)
{
    static const struct adamw how = {
        .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8};
    struct device *d = g->model->device;
    size_t span = 1, n = g->model->n_params;
    while (span * g->micro < g->batch)
        span *= 2;
    int rc = gradient(g, 0, span, 0, err);
    if (rc != 0)
        return rc;
    double norm = 0;
    d->op->norm(d, n, g->level[0], g->norm);
    d->op->get(d, &norm, g->norm, sizeof(norm));
    d->op->adamw(d,
                 &how,
                 ++g->steps,
                 clip_factor(norm, CLIP),
                 g->model->n_groups,
                 g->groups,
                 g->model->params,
                 g->first,
                 g->second,
                 g->level[0]);
    return d->op->sync(d, err);
}

struct speed {
    struct gpt *gpt;
    struct gm_error err;
};

static double step_ms(void *self)
{
    struct speed *s = self;
    double start = clock_monotonic();
    if (gpt_step(s->gpt, &s->err) != 0)
        return -1;
    return (clock_monotonic() - start) * 1e3;
}

/* gpt BATCH TOKENS MICRO THREADS */
int bench_gpt(unsigned argc, char **argv)
{
    if (argc != 4)
        return 2;
    AUTO(device) device = NULL;
    struct speed s = {0};
    threads_set((unsigned)number(argv[3]));
    int rc = device_open("cpu", &device, &s.err);
    if (rc == 0)
        rc = gpt_make(
            device, number(argv[0]), number(argv[1]), number(argv[2]), &s.gpt, &s.err);
    if (rc == 0 && step_ms(&s) >= 0)
        rc = turns_serve(step_ms, &s);
    gpt_free(s.gpt);
    if (s.err.text[0] != '\0')
        (void)fprintf(stderr, "bench_models: %s\n", s.err.text);
    return rc == 0 && s.err.text[0] == '\0' ? 0 : 1;
}
