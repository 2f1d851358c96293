/* Products and attention against the machine's fused multiply-adds: `bench/run kernels`
 * runs this.
 *
 *   bench_products [THREADS]      default: 1
 *
 * The floor of a product is the measured rate of fused multiply-adds of as many cores,
 * its peer is OpenBLAS with as many threads. The two run one phase after the other, as
 * OpenBLAS's threads spin for a while after a call; a phase is repeated, in turns. */
#include "base/clock.h"
#include "kernels/op/attention.h"
#include "kernels/op/gemm.h"
#include "kernels/op/peak.h"
#include "kernels/op/threads.h"
#include "lines.h"
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TURNS = 9 };

static const struct timespec quiet = {.tv_nsec = 60000000}; /* until no thread spins */

static unsigned n_threads = 1;
static double peak;

/* The products of a tiny GPT's step (1024 tokens, d 256), forward and backward; of a
 * perceptron's on batches and on micro-batches; square ones and odd ones; and those of
 * decoding, which are reads of B. */
static const struct gemm_shape products[] = {
    {.form = GEMM_NN, .m = 1024, .n = 768, .k = 256},
    {.form = GEMM_NT, .m = 1024, .n = 256, .k = 768},
    {.form = GEMM_TN, .m = 256, .n = 768, .k = 1024},
    {.form = GEMM_NN, .m = 1024, .n = 1024, .k = 256},
    {.form = GEMM_NN, .m = 1024, .n = 256, .k = 1024},
    {.form = GEMM_NN, .m = 256, .n = 512, .k = 784},
    {.form = GEMM_NN, .m = 64, .n = 512, .k = 784},
    {.form = GEMM_NT, .m = 64, .n = 784, .k = 512},
    {.form = GEMM_TN, .m = 784, .n = 512, .k = 64},
    {.form = GEMM_NN, .m = 8, .n = 512, .k = 784},
    {.form = GEMM_NN, .m = 256, .n = 256, .k = 256},
    {.form = GEMM_NN, .m = 1000, .n = 1003, .k = 777},
    {.form = GEMM_NN, .m = 1024, .n = 1024, .k = 1024},
    {.form = GEMM_NN, .m = 2048, .n = 2048, .k = 2048},
    {.form = GEMM_NN, .m = 1, .n = 768, .k = 288},
    {.form = GEMM_NT, .m = 1, .n = 32000, .k = 288}};

static void bare(const struct gemm_shape *g, const float *a, const float *b, float *c)
{
    bool tn = g->form == GEMM_TN, nt = g->form == GEMM_NT;
    cblas_sgemm(CblasRowMajor,
                tn ? CblasTrans : CblasNoTrans,
                nt ? CblasTrans : CblasNoTrans,
                (int)g->m,
                (int)g->n,
                (int)g->k,
                1.0F,
                a,
                (int)(tn ? g->m : g->k),
                b,
                (int)(nt ? g->k : g->n),
                0.0F,
                c,
                (int)g->n);
}

typedef void
product_fn(const struct gemm_shape *g, const float *a, const float *b, float *c);

/* Seconds of one call: the least of a phase of some 20 ms. */
static double phase(
    product_fn *run, const struct gemm_shape *g, const float *a, const float *b, float *c)
{
    double least = 1e9, begin = clock_monotonic();
    (void)nanosleep(&quiet, NULL);
    for (unsigned i = 0; i < 5 || clock_monotonic() - begin < 0.08; i++) {
        double start = clock_monotonic();
        run(g, a, b, c);
        double took = clock_monotonic() - start;
        least = took < least ? took : least;
    }
    return least;
}

static void bench_product(const struct gemm_shape *g)
{
    static const char *const forms[] = {"NN", "NT", "TN"};
    float *a = numbers(g->m * g->k, 0), *b = numbers(g->k * g->n, 1),
          *c = numbers(g->m * g->n, 2);
    struct samples ours = {0}, theirs = {0};
    double work = 2e-9 * (double)g->m * (double)g->n * (double)g->k;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        ours.v[ours.n++] = work / phase(gemm_run, g, a, b, c);
        theirs.v[theirs.n++] = work / phase(bare, g, a, b, c);
    }
    char name[96];
    (void)snprintf(name,
                   sizeof(name),
                   "product %s %zux%zux%zu, %u threads",
                   forms[g->form],
                   g->m,
                   g->n,
                   g->k,
                   n_threads);
    line(name,
         "GFLOP/s",
         &ours,
         peak,
         "fused multiply-adds, measured; peer: cblas_sgemm, as many threads",
         quantile(&theirs, 0.5));
    free(a);
    free(b);
    free(c);
}

static const struct attention attentions[] = {
    {.batch = 8, .tokens = 128, .heads = 4, .kv_heads = 4, .size = 64, .scale = 0.125F},
    {.batch = 1,
     .tokens = 1024,
     .heads = 12,
     .kv_heads = 12,
     .size = 64,
     .scale = 0.125F},
    {.batch = 1, .tokens = 256, .heads = 6, .kv_heads = 6, .size = 48, .scale = 0.144F},
    {.batch = 1, .tokens = 512, .heads = 8, .kv_heads = 2, .size = 128, .scale = 0.09F}};

/* The multiplications that the mask leaves, twice: scores and values. */
static double attention_work(const struct attention *a)
{
    double pairs = (double)a->tokens * (double)(a->tokens + 1) / 2;
    return 4e-9 * pairs * (double)(a->batch * a->heads * a->size);
}

static void bench_attention(const struct attention *a)
{
    size_t row = (a->heads + 2 * a->kv_heads) * a->size, n = a->batch * a->tokens * row;
    size_t wide = a->heads * a->size;
    float *qkv = numbers(n, 0), *o = numbers(n, 1), *d_o = numbers(n, 2),
          *grad = numbers(n, 3), *lse = numbers(n, 4), *work = numbers(n, 5);
    const struct attention_in q = {qkv, a->tokens * row, row, a->size},
                              k = {qkv + wide, q.sequence, row, a->size},
                              v = {
                                  k.at + a->kv_heads * a->size, q.sequence, row, a->size};
    const struct attention_out to = {o, a->tokens * wide, wide, a->size},
                               dq = {grad, q.sequence, row, a->size},
                               dk = {grad + (k.at - qkv), q.sequence, row, a->size},
                               dv = {grad + (v.at - qkv), q.sequence, row, a->size};
    const struct attention_in from = {o, to.sequence, wide, a->size},
                              d_from = {d_o, to.sequence, wide, a->size};
    const struct attention_saved saved = {q, k, v, from, lse};
    struct samples forward = {0}, backward = {0};
    for (unsigned turn = 0; turn < 5 * TURNS; turn++) {
        double start = clock_monotonic();
        attention_forward(a, &q, &k, &v, &to, lse);
        double middle = clock_monotonic();
        attention_backward(a, &saved, &d_from, &dq, &dk, &dv, work);
        forward.v[forward.n++] = attention_work(a) / (middle - start);
        backward.v[backward.n++] = 2.5 * attention_work(a) / (clock_monotonic() - middle);
    }
    for (unsigned i = 0; i < 2; i++) {
        char name[96];
        (void)snprintf(name,
                       sizeof(name),
                       "attention %s B%zu T%zu H%zu/%zu d%zu, %u threads",
                       i == 0 ? "forward" : "backward",
                       a->batch,
                       a->tokens,
                       a->heads,
                       a->kv_heads,
                       a->size,
                       n_threads);
        line(name,
             "GFLOP/s",
             i == 0 ? &forward : &backward,
             peak,
             "fused multiply-adds, measured; of the pairs that the mask leaves",
             0);
    }
    float *const all[] = {qkv, o, d_o, grad, lse, work};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        free(all[i]);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        n_threads = (unsigned)strtoul(argv[1], NULL, 10);
    threads_set(n_threads);
    openblas_set_num_threads((int)n_threads);
    if (peak_f32(n_threads, &peak, NULL) != 0)
        return 1;
    for (size_t i = 0; i < sizeof(products) / sizeof(products[0]); i++)
        bench_product(&products[i]);
    for (size_t i = 0; i < sizeof(attentions) / sizeof(attentions[0]); i++)
        bench_attention(&attentions[i]);
    return 0;
}
