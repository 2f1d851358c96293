#include "kernels/op/attention.h"
#include "kernels/op/threads.h"
#include "op_check.h"
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const struct attention shapes[] = {
    {.batch = 1, .tokens = 1, .heads = 1, .kv_heads = 1, .size = 8},
    {.batch = 2, .tokens = 7, .heads = 3, .kv_heads = 3, .size = 16},
    {.batch = 1, .tokens = 64, .heads = 2, .kv_heads = 1, .size = 64},
    {.batch = 1, .tokens = 65, .heads = 4, .kv_heads = 2, .size = 48},
    {.batch = 2, .tokens = 130, .heads = 6, .kv_heads = 2, .size = 33},
    {.batch = 1, .tokens = 129, .heads = 1, .kv_heads = 1, .size = 1},
    {.batch = 1, .tokens = 70, .heads = 2, .kv_heads = 2, .size = 256},
    {.batch = 1, .tokens = 1000, .heads = 1, .kv_heads = 1, .size = 65}};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

/* The operands of one shape: q, k and v packed in one row a token, with a gap of NaN. */
struct problem {
    struct attention a;
    size_t row, n_q, n_kv; /* floats of a packed row, of all q, of all k */
    float *qkv, *o, *d_o, *lse;
    struct attention_in q, k, v;
    struct attention_out to;
};

static struct problem make(const struct attention *shape)
{
    struct problem x = {.a = *shape};
    struct attention *a = &x.a;
    a->scale = 1 / sqrtf((float)a->size);
    size_t rows = a->batch * a->tokens;
    x.row = (a->heads + 2 * a->kv_heads) * a->size + 1;
    x.n_q = rows * a->heads * a->size;
    x.n_kv = rows * a->kv_heads * a->size;
    x.qkv = op_numbers(rows * x.row, 0);
    for (size_t i = 0; i < rows * x.row; i++)
        x.qkv[i] = i % x.row == x.row - 1 ? NAN : x.qkv[i] * 3;
    x.o = op_numbers(x.n_q, 1);
    x.d_o = op_numbers(x.n_q, 2);
    x.lse = malloc((rows * a->heads + 1) * sizeof(float));
    for (size_t i = 0; i < x.n_q; i++)
        x.o[i] = NAN;
    x.q = (struct attention_in){x.qkv, a->tokens * x.row, x.row, a->size};
    x.k = x.v = x.q;
    x.k.at = x.qkv + a->heads * a->size;
    x.v.at = x.k.at + a->kv_heads * a->size;
    x.to = (struct attention_out){
        x.o, a->tokens * a->heads * a->size, a->heads * a->size, a->size};
    return x;
}

static void unmake(struct problem *x)
{
    free(x->qkv);
    free(x->o);
    free(x->d_o);
    free(x->lse);
}

/* Dense and in double. */
static double *
dense(const struct problem *x, const struct attention_in *part, size_t heads)
{
    size_t rows = x->a.batch * x->a.tokens, n = heads * x->a.size;
    double *d = malloc((rows * n + 1) * sizeof(*d));
    for (size_t i = 0; i < rows * n; i++)
        d[i] = (double)part->at[i / n * x->row + i % n];
    return d;
}

static void forward(const struct problem *x)
{
    attention_forward(&x->a, &x->q, &x->k, &x->v, &x->to, x->lse);
}

Test(attention_cpu, forward_agrees_with_the_reference)
{
    for (size_t s = 0; s < SHAPES; s++) {
        struct problem x = make(&shapes[s]);
        double *q = dense(&x, &x.q, x.a.heads), *k = dense(&x, &x.k, x.a.kv_heads),
               *v = dense(&x, &x.v, x.a.kv_heads);
        double *want = malloc((x.n_q + 1) * sizeof(*want)),
               *p = malloc(x.a.tokens * sizeof(*p));
        forward(&x);
        attention_ref_forward(&x.a, q, k, v, want, p);
        double nmse = op_nmse(x.o, want, x.n_q);
        cr_expect_lt(nmse, 1e-12, "shape %zu: %g", s, nmse);
        free(q);
        free(k);
        free(v);
        free(want);
        free(p);
        unmake(&x);
    }
}

struct gradients {
    float *at; /* packed as qkv is */
    struct attention_out q, k, v;
};

static struct gradients backward(const struct problem *x)
{
    size_t rows = x->a.batch * x->a.tokens;
    struct gradients g = {.at = malloc(rows * x->row * sizeof(float))};
    for (size_t i = 0; i < rows * x->row; i++)
        g.at[i] = NAN;
    g.q = (struct attention_out){g.at, x->q.sequence, x->q.token, x->q.head};
    g.k = g.v = g.q;
    g.k.at += x->k.at - x->q.at;
    g.v.at += x->v.at - x->q.at;
    const struct attention_in o = {x->o, x->to.sequence, x->to.token, x->to.head};
    const struct attention_in d_o = {x->d_o, x->to.sequence, x->to.token, x->to.head};
    const struct attention_saved saved = {x->q, x->k, x->v, o, x->lse};
    float *work = malloc((rows * x->a.heads + 1) * sizeof(float));
    attention_backward(&x->a, &saved, &d_o, &g.q, &g.k, &g.v, work);
    free(work);
    return g;
}

static void check_gradient(const struct problem *x,
                           const struct attention_out *got,
                           const double *want,
                           size_t heads,
                           const char *what)
{
    size_t n = heads * x->a.size, count = x->a.batch * x->a.tokens * n;
    float *flat = malloc((count + 1) * sizeof(*flat));
    for (size_t i = 0; i < count; i++)
        flat[i] = got->at[i / n * x->row + i % n];
    /* one key gives p = 1 whatever q and k are: their gradients are nothing but rounding
     */
    double nmse =
        x->a.tokens > 1 ? op_nmse(flat, want, count) : op_square(flat, want, count);
    cr_expect_lt(
        nmse, 2e-12, "%s, %zu tokens, size %zu: %g", what, x->a.tokens, x->a.size, nmse);
    free(flat);
}

Test(attention_cpu, backward_agrees_with_the_reference)
{
    for (size_t s = 0; s < SHAPES; s++) {
        struct problem x = make(&shapes[s]);
        double *q = dense(&x, &x.q, x.a.heads), *k = dense(&x, &x.k, x.a.kv_heads),
               *v = dense(&x, &x.v, x.a.kv_heads), *d_o = op_widen(x.d_o, x.n_q);
        double *dq = malloc((x.n_q + 1) * sizeof(double)),
               *dk = malloc((x.n_kv + 1) * sizeof(double)),
               *dv = malloc((x.n_kv + 1) * sizeof(double)),
               *p = malloc(2 * x.a.tokens * sizeof(double));
        forward(&x);
        struct gradients g = backward(&x);
        attention_ref_backward(&x.a, q, k, v, d_o, dq, dk, dv, p);
        check_gradient(&x, &g.q, dq, x.a.heads, "dq");
        check_gradient(&x, &g.k, dk, x.a.kv_heads, "dk");
        check_gradient(&x, &g.v, dv, x.a.kv_heads, "dv");
        double *all[] = {q, k, v, d_o, dq, dk, dv, p};
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
            free(all[i]);
        free(g.at);
        unmake(&x);
    }
}

/* The loss is o . d_o. */
static double loss(const struct attention *a, double *const part[3], const double *d_o)
{
    enum { N = 5 * 4 * 3 };
    double o[N], p[5], sum = 0;
    attention_ref_forward(a, part[0], part[1], part[2], o, p);
    for (size_t i = 0; i < N; i++)
        sum += o[i] * d_o[i];
    return sum;
}

Test(attention_cpu, the_reference_gradient_is_the_difference_quotient)
{
    const struct attention a = {
        .batch = 1, .tokens = 5, .heads = 4, .kv_heads = 2, .size = 3, .scale = 0.6F};
    float *f = op_numbers(4 * 60, 7);
    double *in = op_widen(f, 4 * 60), *part[3] = {in, in + 60, in + 120};
    double grad[3][60], p[10];
    attention_ref_backward(
        &a, part[0], part[1], part[2], in + 180, grad[0], grad[1], grad[2], p);
    for (size_t w = 0; w < 3; w++) {
        for (size_t i = 0; i < (w == 0 ? 60 : 30); i++) {
            const double h = 1e-5, old = part[w][i];
            part[w][i] = old + h;
            double up = loss(&a, part, in + 180);
            part[w][i] = old - h;
            double down = loss(&a, part, in + 180);
            part[w][i] = old;
            cr_expect_float_eq(grad[w][i], (up - down) / (2 * h), 1e-8, "%zu %zu", w, i);
        }
    }
    free(f);
    free(in);
}

Test(attention_cpu, the_bits_do_not_hang_on_the_threads)
{
    for (size_t s = 0; s < SHAPES; s++) {
        struct problem x = make(&shapes[s]);
        size_t n = x.a.batch * x.a.tokens * x.row;
        threads_set(1);
        forward(&x);
        struct gradients one = backward(&x);
        float *o = malloc((x.n_q + 1) * sizeof(float));
        memcpy(o, x.o, x.n_q * sizeof(float));
        for (unsigned threads = 2; threads <= 3; threads++) {
            threads_set(threads);
            forward(&x);
            struct gradients g = backward(&x);
            cr_expect_arr_eq(x.o, o, x.n_q * sizeof(float));
            cr_expect_arr_eq(g.at, one.at, n * sizeof(float));
            free(g.at);
        }
        free(o);
        free(one.at);
        unmake(&x);
    }
}

/* Token t of each sequence alone, with the keys and values before it as its cache; what
 * stands behind it is poisoned. */
static void decode(const struct problem *x, size_t t, float *ret)
{
    struct attention a = x->a;
    a.tokens = 1;
    a.past = t;
    struct attention_in q = x->q;
    q.at += t * q.token;
    const struct attention_out to = {ret, a.heads * a.size, 0, a.size};
    attention_forward(&a, &q, &x->k, &x->v, &to, NULL);
}

Test(attention_cpu, a_token_alone_with_a_cache_has_the_bits_it_has_in_its_sequence)
{
    for (size_t s = 0; s < SHAPES; s++) {
        struct problem x = make(&shapes[s]);
        size_t n = x.a.heads * x.a.size;
        float *one = malloc(x.a.batch * n * sizeof(float));
        forward(&x);
        for (size_t t = x.a.tokens; t-- > 0;) {
            decode(&x, t, one);
            for (size_t b = 0; b < x.a.batch; b++) {
                cr_expect_arr_eq(one + b * n,
                                 x.o + (b * x.a.tokens + t) * n,
                                 n * sizeof(float),
                                 "shape %zu token %zu",
                                 s,
                                 t);
                for (size_t c = 0; c < x.row; c++)
                    x.qkv[(b * x.a.tokens + t) * x.row + c] = t % 2 ? NAN : INFINITY;
            }
        }
        free(one);
        unmake(&x);
    }
}

Test(attention_cpu, what_stands_behind_a_token_does_not_reach_it)
{
    for (size_t s = 0; s < SHAPES; s++) {
        struct problem x = make(&shapes[s]);
        size_t n = x.a.heads * x.a.size, keep = x.a.tokens / 2;
        float *o = malloc((x.n_q + 1) * sizeof(float));
        forward(&x);
        memcpy(o, x.o, x.n_q * sizeof(float));
        for (size_t i = 0; i < x.a.batch * x.a.tokens * x.row; i++)
            x.qkv[i] = i / x.row % x.a.tokens > keep ? NAN : x.qkv[i];
        forward(&x);
        for (size_t b = 0; b < x.a.batch; b++)
            cr_expect_arr_eq(x.o + b * x.a.tokens * n,
                             o + b * x.a.tokens * n,
                             (keep + 1) * n * sizeof(float),
                             "shape %zu",
                             s);
        cr_expect(x.a.tokens == 1 || isnan(x.o[x.n_q - 1]), "and a NaN is not hidden");
        free(o);
        unmake(&x);
    }
}

Test(attention_cpu, a_sequence_of_a_batch_has_the_bits_it_has_alone)
{
    struct problem x = make(&shapes[4]);
    size_t n = x.a.tokens * x.a.heads * x.a.size;
    float *alone = malloc(n * sizeof(float));
    forward(&x);
    struct attention a = x.a;
    a.batch = 1;
    struct attention_in q = x.q, k = x.k, v = x.v;
    q.at += q.sequence;
    k.at += k.sequence;
    v.at += v.sequence;
    const struct attention_out to = {alone, 0, x.to.token, x.to.head};
    attention_forward(&a, &q, &k, &v, &to, NULL);
    cr_expect_arr_eq(alone, x.o + n, n * sizeof(float));
    free(alone);
    unmake(&x);
}

Test(attention_cpu, large_scores_do_not_overflow)
{
    struct problem x = make(&shapes[3]);
    for (size_t i = 0; i < x.a.batch * x.a.tokens * x.row; i++)
        x.qkv[i] *= 1e4F;
    forward(&x);
    for (size_t i = 0; i < x.n_q; i++)
        cr_assert(isfinite(x.o[i]) && fabsf(x.o[i]) <= 3.1e4F);
    struct gradients g = backward(&x);
    for (size_t i = 0; i < x.a.batch * x.a.tokens * x.row; i++)
        cr_assert(i % x.row == x.row - 1 || isfinite(g.at[i]));
    free(g.at);
    unmake(&x);
}

static uint64_t fnv(uint64_t hash, const float *v, size_t n)
{
    const unsigned char *bytes = (const void *)v;
    for (size_t i = 0; i < n * sizeof(*v); i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3U;
    return hash;
}

/* As in test_op_golden.c: on every machine, of every build. */
Test(attention_cpu, the_bits_are_those_written_down)
{
    struct problem x = make(&shapes[4]);
    forward(&x);
    struct gradients g = backward(&x);
    uint64_t hash = fnv(0xcbf29ce484222325U, x.o, x.n_q);
    for (size_t t = 0; t < x.a.batch * x.a.tokens; t++)
        hash = fnv(hash, g.at + t * x.row, x.row - 1);
    cr_expect_eq(hash, 0x2a9e91131190fc3fU, "0x%016llx", (unsigned long long)hash);
    free(g.at);
    unmake(&x);
}
