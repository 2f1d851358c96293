/* Decoding of ours, and the random checkpoint that ours and the peer read. */
#include "models.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/memory.h"
#include "kernels/model/weights.h"
#include "kernels/op/philox.h"
#include "kernels/op/threads.h"
#include "turns.h"
#include <stdio.h>
#include <stdlib.h>

struct decode {
    struct transformer *model;
    struct transformer_cache *cache;
    struct gm_error err;
};

static int open_(struct decode *d, struct device *device, const char *path)
{
    AUTO(weights) w = NULL;
    int rc = weights_open(path, &w, &d->err);
    if (rc == 0)
        rc = transformer_load(w, device, &d->model, &d->err);
    if (rc == 0)
        rc = transformer_cache_make(
            d->model, 1, d->model->config.context, &d->cache, &d->err);
    return rc;
}

static void close_(struct decode *d)
{
    transformer_cache_free(d->cache);
    transformer_free(d->model);
    if (d->err.text[0] != '\0')
        (void)fprintf(stderr, "bench_models: %s\n", d->err.text);
}

static int32_t largest(const float *v, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        best = v[i] > v[best] ? i : best;
    return (int32_t)best;
}

/* A text of the whole context at temperature 0, one token a call; the first is not
 * counted. Milliseconds a token. */
static double text(void *self)
{
    struct decode *d = self;
    size_t n = d->model->config.context;
    int32_t id = 1;
    const float *logits = NULL;
    double start = 0;
    transformer_cache_cut(d->cache, 0);
    for (size_t i = 0; i < n; i++) {
        if (transformer_next(d->model, d->cache, 1, &id, &logits, &d->err) != 0)
            return -1;
        id = largest(logits, d->model->config.vocab);
        if (i == 0)
            start = clock_monotonic();
    }
    return (clock_monotonic() - start) * 1e3 / (double)(n - 1);
}

/* decode FILE THREADS */
int bench_decode(unsigned argc, char **argv)
{
    if (argc != 2)
        return 2;
    AUTO(device) device = NULL;
    struct decode d = {0};
    threads_set((unsigned)number(argv[1]));
    int rc = device_open("cpu", &device, &d.err);
    if (rc == 0)
        rc = open_(&d, device, argv[0]);
    if (rc == 0 && text(&d) >= 0)
        rc = turns_serve(text, &d);
    close_(&d);
    return rc == 0 && d.err.text[0] == '\0' ? 0 : 1;
}

/* logits FILE TOKENS OUT: after made-up tokens, taken one by one. */
int bench_logits(unsigned argc, char **argv)
{
    if (argc != 3)
        return 2;
    AUTO(device) device = NULL;
    struct decode d = {0};
    size_t n = number(argv[1]), vocab = 0;
    const float *logits = NULL;
    int rc = device_open("cpu", &device, &d.err);
    if (rc == 0)
        rc = open_(&d, device, argv[0]);
    for (size_t i = 0; i < n && rc == 0; i++) {
        vocab = d.model->config.vocab;
        int32_t id = (int32_t)(i * 7919 % vocab);
        rc = transformer_next(d.model, d.cache, 1, &id, &logits, &d.err);
    }
    if (rc == 0) {
        FILE *to = fopen(argv[2], "wb");
        rc = to != NULL && fwrite(logits, sizeof(*logits), vocab, to) == vocab ? 0 : 1;
        if (to != NULL && fclose(to) != 0)
            rc = 1;
    }
    close_(&d);
    return rc == 0 ? 0 : 1;
}

/* weights FILE DIM HIDDEN LAYERS HEADS VOCAB CONTEXT: a llama2.c checkpoint, gains near
 * 1, all else near 0, as many bytes as a trained one. */
int bench_weights(unsigned argc, char **argv)
{
    enum { PIECE = 1 << 16 };
    if (argc != 7)
        return 2;
    int32_t h[7] = {0};
    for (unsigned i = 0; i < 7; i++) /* kv heads are heads */
        h[i] = (int32_t)number(argv[i < 4 ? i + 1 : i]);
    size_t dim = (size_t)h[0], hidden = (size_t)h[1], layers = (size_t)h[2];
    size_t runs[] = {(size_t)h[5] * dim,
                     layers * dim,
                     layers * 4 * dim * dim,
                     layers * dim,
                     layers * 3 * dim * hidden,
                     dim,
                     (size_t)h[6] * (dim / (size_t)h[3])};
    float *v = xcalloc(PIECE, sizeof(*v));
    FILE *to = fopen(argv[0], "wb");
    bool good = to != NULL && fwrite(h, sizeof(h), 1, to) == 1;
    for (size_t r = 0, piece = 0; r < sizeof(runs) / sizeof(runs[0]); r++) {
        bool gain = r == 1 || r == 3 || r == 5;
        for (size_t left = runs[r]; good && left > 0; piece++) {
            size_t n = left < PIECE ? left : PIECE;
            philox_uniform(7, piece, gain ? 0.8F : -0.08F, gain ? 1.2F : 0.08F, n, v);
            good = fwrite(v, sizeof(*v), n, to) == n;
            left -= n;
        }
    }
    good = to != NULL && fclose(to) == 0 && good;
    free(v);
    if (!good)
        (void)fprintf(stderr, "bench_models: %s cannot be written\n", argv[0]);
    return good ? 0 : 1;
}
