/* A peer: decoding as llama2.c's run.c publishes it - float32, a row's dot product after
 * the other, rows and heads shared by `omp parallel for`, the compiler left to do the
 * rest (-Ofast -march=native) - written anew from its description, for checkpoints of its
 * version 0.
 *
 *   peer_decode speed FILE THREADS          milliseconds a token (turns.h)
 *   peer_decode logits FILE TOKENS OUT      the logits after TOKENS made-up tokens */
#include "turns.h"

#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif

struct header {
    int32_t dim, hidden, layers, heads, kv_heads, vocab, context;
};

struct peer {
    struct header h;
    const float *embed, *norm_1, *wq, *wk, *wv, *wo, *norm_2, *w1, *w2, *w3, *norm_end;
    const float *classifier;
    float *x, *xb, *xb2, *hb, *hb2, *q, *att, *logits, *keys, *values;
};

static float *room(size_t n)
{
    float *v = calloc(n, sizeof(*v));
    if (v == NULL)
        abort();
    return v;
}

static const float *take(const float **at, size_t n)
{
    const float *v = *at;
    *at += n;
    return v;
}

static void map_weights(struct peer *p, const float *at)
{
    const struct header *h = &p->h;
    size_t dim = (size_t)h->dim, hidden = (size_t)h->hidden, layers = (size_t)h->layers;
    size_t vocab = (size_t)abs(h->vocab), size = dim / (size_t)h->heads;
    size_t kv = size * (size_t)h->kv_heads;
    p->embed = take(&at, vocab * dim);
    p->norm_1 = take(&at, layers * dim);
    p->wq = take(&at, layers * dim * dim);
    p->wk = take(&at, layers * dim * kv);
    p->wv = take(&at, layers * dim * kv);
    p->wo = take(&at, layers * dim * dim);
    p->norm_2 = take(&at, layers * dim);
    p->w1 = take(&at, layers * dim * hidden);
    p->w2 = take(&at, layers * dim * hidden);
    p->w3 = take(&at, layers * dim * hidden);
    p->norm_end = take(&at, dim);
    (void)take(&at, (size_t)h->context * size); /* rotary tables, not used */
    p->classifier = h->vocab > 0 ? p->embed : at;
}

static void make(struct peer *p, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        (void)fprintf(stderr, "peer_decode: %s cannot be read\n", path);
        exit(1);
    }
    const void *file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (file == MAP_FAILED)
        abort();
    (void)close(fd);
    memcpy(&p->h, file, sizeof(p->h));
    map_weights(p, (const float *)((const char *)file + sizeof(p->h)));
    const struct header *h = &p->h;
    size_t dim = (size_t)h->dim, hidden = (size_t)h->hidden;
    size_t kv = dim * (size_t)h->kv_heads / (size_t)h->heads;
    size_t context = (size_t)h->context;
    p->x = room(dim);
    p->xb = room(dim);
    p->xb2 = room(dim);
    p->hb = room(hidden);
    p->hb2 = room(hidden);
    p->q = room(dim);
    p->att = room((size_t)h->heads * context);
    p->logits = room((size_t)abs(h->vocab));
    p->keys = room((size_t)h->layers * context * kv);
    p->values = room((size_t)h->layers * context * kv);
}

static void norm(float *out, const float *x, const float *gain, int n)
{
    float squares = 0;
    for (int i = 0; i < n; i++)
        squares += x[i] * x[i];
    float scale = 1.0F / sqrtf(squares / (float)n + 1e-5F);
    for (int i = 0; i < n; i++)
        out[i] = gain[i] * (scale * x[i]);
}

static void softmax(float *x, int n)
{
    float most = x[0], sum = 0;
    for (int i = 1; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (int i = 0; i < n; i++) {
        x[i] = expf(x[i] - most);
        sum += x[i];
    }
    for (int i = 0; i < n; i++)
        x[i] /= sum;
}

/* out[d] = w[d][n] x[n]: nearly all of the time. */
static void matmul(float *out, const float *x, const float *w, int n, int d)
{
#pragma omp parallel for
    for (int i = 0; i < d; i++) {
        float sum = 0;
        const float *row = w + (size_t)i * (size_t)n;
        for (int j = 0; j < n; j++)
            sum += row[j] * x[j];
        out[i] = sum;
    }
}

static void turn(float *q, float *k, int dim, int kv, int size, int position)
{
    for (int i = 0; i < dim; i += 2) {
        float angle = (float)position / powf(10000.0F, (float)(i % size) / (float)size);
        float c = cosf(angle), s = sinf(angle);
        for (int which = 0; which < (i < kv ? 2 : 1); which++) {
            float *v = which == 0 ? q : k, a = v[i], b = v[i + 1];
            v[i] = a * c - b * s;
            v[i + 1] = a * s + b * c;
        }
    }
}

static void attend(struct peer *p, const float *keys, const float *values, int position)
{
    const struct header *h = &p->h;
    int size = h->dim / h->heads, kv = size * h->kv_heads, share = h->heads / h->kv_heads;
#pragma omp parallel for
    for (int head = 0; head < h->heads; head++) {
        const float *q = p->q + head * size;
        float *att = p->att + head * h->context, *out = p->xb + head * size;
        size_t at = (size_t)(head / share) * (size_t)size;
        for (int t = 0; t <= position; t++) {
            const float *k = keys + (size_t)t * (size_t)kv + at;
            float score = 0;
            for (int i = 0; i < size; i++)
                score += q[i] * k[i];
            att[t] = score / sqrtf((float)size);
        }
        softmax(att, position + 1);
        memset(out, 0, (size_t)size * sizeof(*out));
        for (int t = 0; t <= position; t++) {
            const float *v = values + (size_t)t * (size_t)kv + at;
            for (int i = 0; i < size; i++)
                out[i] += att[t] * v[i];
        }
    }
}

static void layer(struct peer *p, int l, int position)
{
    const struct header *h = &p->h;
    int dim = h->dim, hidden = h->hidden, size = dim / h->heads, kv = size * h->kv_heads;
    size_t n = (size_t)l, d = (size_t)dim, f = (size_t)hidden;
    float *keys = p->keys + n * (size_t)h->context * (size_t)kv;
    float *values = p->values + n * (size_t)h->context * (size_t)kv;
    float *k = keys + (size_t)position * (size_t)kv;
    norm(p->xb, p->x, p->norm_1 + n * d, dim);
    matmul(p->q, p->xb, p->wq + n * d * d, dim, dim);
    matmul(k, p->xb, p->wk + n * d * (size_t)kv, dim, kv);
    matmul(values + (size_t)position * (size_t)kv,
           p->xb,
           p->wv + n * d * (size_t)kv,
           dim,
           kv);
    turn(p->q, k, dim, kv, size, position);
    attend(p, keys, values, position);
    matmul(p->xb2, p->xb, p->wo + n * d * d, dim, dim);
    for (int i = 0; i < dim; i++)
        p->x[i] += p->xb2[i];
    norm(p->xb, p->x, p->norm_2 + n * d, dim);
    matmul(p->hb, p->xb, p->w1 + n * d * f, dim, hidden);
    matmul(p->hb2, p->xb, p->w3 + n * d * f, dim, hidden);
    for (int i = 0; i < hidden; i++)
        p->hb[i] *= p->hb2[i] / (1.0F + expf(-p->hb[i]));
    matmul(p->xb, p->hb, p->w2 + n * d * f, hidden, dim);
    for (int i = 0; i < dim; i++)
        p->x[i] += p->xb[i];
}

static const float *forward(struct peer *p, int token, int position)
{
    int dim = p->h.dim;
    memcpy(p->x, p->embed + (size_t)token * (size_t)dim, (size_t)dim * sizeof(*p->x));
    for (int l = 0; l < p->h.layers; l++)
        layer(p, l, position);
    norm(p->x, p->x, p->norm_end, dim);
    matmul(p->logits, p->x, p->classifier, dim, abs(p->h.vocab));
    return p->logits;
}

static int largest(const float *v, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        best = v[i] > v[best] ? i : best;
    return best;
}

/* A text of the whole context at temperature 0; the first token is not counted. */
static double text(void *self)
{
    struct peer *p = self;
    struct timespec from = {0}, to;
    int token = 1, n = p->h.context;
    for (int position = 0; position < n; position++) {
        token = largest(forward(p, token, position), abs(p->h.vocab));
        if (position == 0)
            (void)clock_gettime(CLOCK_MONOTONIC, &from);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    return (1e3 * (double)(to.tv_sec - from.tv_sec) +
            1e-6 * (double)(to.tv_nsec - from.tv_nsec)) /
           (n - 1);
}

static int logits(struct peer *p, int tokens, const char *path)
{
    size_t vocab = (size_t)abs(p->h.vocab);
    for (int i = 0; i < tokens; i++)
        (void)forward(p, (int)((size_t)i * 7919 % vocab), i);
    FILE *to = fopen(path, "wb");
    if (to == NULL)
        return 1;
    size_t n = fwrite(p->logits, sizeof(*p->logits), vocab, to);
    return fclose(to) == 0 && n == vocab ? 0 : 1;
}

int main(int argc, char **argv)
{
    static struct peer p;
    if (argc == 4 && strcmp(argv[1], "speed") == 0) {
        make(&p, argv[2]);
#ifdef _OPENMP
        omp_set_num_threads((int)strtol(argv[3], NULL, 10));
#endif
        (void)text(&p);
        return turns_serve(text, &p);
    }
    if (argc == 5 && strcmp(argv[1], "logits") == 0) {
        make(&p, argv[2]);
        return logits(&p, (int)strtol(argv[3], NULL, 10), argv[4]);
    }
    (void)fprintf(stderr,
                  "usage: peer_decode speed FILE THREADS\n"
                  "       peer_decode logits FILE TOKENS OUT\n");
    return 2;
}
