/* The bits of the operators, written down: they are the same on every machine and with
 * every compiler that keeps to IEEE 754, whatever vectors, clones and threads there are.
 * A change of these numbers is a change of what training computes: it belongs into
 * docs/design/numerics.md. GM_BLESS=1 prints the new table. */
#include "kernels/op/adamw.h"
#include "kernels/op/bias_act.h"
#include "kernels/op/clip.h"
#include "kernels/op/dropout.h"
#include "kernels/op/embedding.h"
#include "kernels/op/layernorm.h"
#include "kernels/op/reduce.h"
#include "kernels/op/rmsnorm.h"
#include "kernels/op/rotary.h"
#include "kernels/op/softmax.h"
#include "kernels/op/swiglu.h"
#include "kernels/op/xent.h"
#include "op_bits.h"
#include <criterion/criterion.h>
#include <stdio.h>

enum { M = 67, N = 203, ALL = M * N, HEAD = 14 };

/* Inputs in -6 .. 6, and outputs. */
struct data {
    float x[ALL], dy[ALL], z[ALL], gain[N], bias[N];
    float y[ALL], dx[ALL], work[ALL], dgain[N], dbias[N], row[M], other[M];
    int32_t id[M];
};

static struct data *make(void)
{
    struct data *d = calloc(1, sizeof(*d));
    philox_uniform(9, 0, -6, 6, ALL, d->x);
    philox_uniform(9, 1, -6, 6, ALL, d->dy);
    philox_uniform(9, 2, -6, 6, ALL, d->z);
    philox_uniform(9, 3, -6, 6, N, d->gain);
    philox_uniform(9, 4, -6, 6, N, d->bias);
    for (size_t i = 0; i < M; i++)
        d->id[i] = (int32_t)(i * 3 % 50);
    return d;
}

static uint64_t fnv(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3U;
    return hash;
}

static uint64_t hash_of(const struct data *d)
{
    return fnv(0xcbf29ce484222325U, d->y, sizeof(*d) - offsetof(struct data, y));
}

static void softmax(struct data *d)
{
    softmax_forward(M, N, d->x, d->y);
    softmax_backward(M, N, d->y, d->dy, d->dx);
}

static void log_softmax(struct data *d)
{
    softmax_log_forward(M, N, d->x, d->y);
    softmax_log_backward(M, N, d->y, d->dy, d->dx);
}

static void tokens(struct data *d)
{
    (void)xent_tokens(M, N, d->x, d->id, 0.1F, d->row, d->dx);
    (void)xent_tokens(M, N, d->x, d->id, 0.1F, d->other, NULL);
}

static void layer(struct data *d)
{
    layernorm_forward_add(
        M, N, 1e-5F, d->x, d->z, d->z, d->gain, d->bias, d->y, d->row, d->other);
    layernorm_backward(M,
                       N,
                       d->z,
                       d->gain,
                       d->row,
                       d->other,
                       d->dy,
                       d->x,
                       d->dx,
                       d->dgain,
                       d->dbias,
                       d->work);
}

static void rms(struct data *d)
{
    rmsnorm_forward_add(M, N, 1e-5F, d->x, d->z, d->z, d->gain, d->y, d->row);
    rmsnorm_backward(M, N, d->z, d->gain, d->row, d->dy, d->x, d->dx, d->dgain, d->work);
}

static void swiglu(struct data *d)
{
    swiglu_forward(M, N, N, d->x, d->z, d->work);
    swiglu_backward(M, N, N, d->x, d->z, d->dy, d->dx, d->y);
}

static void activation(struct data *d, enum act act)
{
    bias_act_forward(act, M, N, d->z, d->bias, d->y);
    bias_act_backward(act, M, N, d->z, d->dy, d->dx, d->dbias);
}

static void relu(struct data *d)
{
    activation(d, ACT_RELU);
}

static void gelu(struct data *d)
{
    activation(d, ACT_GELU);
}

static void gelu_erf(struct data *d)
{
    activation(d, ACT_GELU_ERF);
}

static void silu(struct data *d)
{
    activation(d, ACT_SILU);
}

static void dropout(struct data *d)
{
    const struct dropout o = {.seed = 1, .stream = 2, .p = 0.3F};
    dropout_apply(&o, 3, ALL, d->x, d->dy, d->y);
}

static void reduce(struct data *d)
{
    const double sums[] = {reduce_sum(ALL, d->x), reduce_squares(ALL, d->x)};
    memcpy(d->y, sums, sizeof(sums));
    d->row[0] = reduce_max(ALL, d->x);
    (void)clip(ALL, d->dy, 3);
    memcpy(d->dx, d->dy, sizeof(d->dx));
}

static void rotary(struct data *d)
{
    float cos[M * HEAD / 2], sin[M * HEAD / 2];
    rotary_table(M, HEAD, 10000, cos, sin);
    memcpy(d->y, d->x, sizeof(d->y));
    memcpy(d->dx, d->x, sizeof(d->dx));
    struct rotary r = {.heads = N / HEAD, .size = HEAD, .cos = cos, .sin = sin};
    rotary_forward(&r, M, N, d->id, d->y);
    r.form = ROTARY_HALVES;
    rotary_backward(&r, M, N, d->id, d->dx);
}

static void embedding(struct data *d)
{
    embedding_forward(M, N, d->id, d->x, 10, d->z, d->y);
    embedding_backward(M, N, d->id, d->dy, d->dx);
    embedding_backward_place(M, N, 10, d->dy, d->work);
}

static void adamw(struct data *d)
{
    const struct adamw o = {
        .lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .decay = 0.1};
    memcpy(d->y, d->x, sizeof(d->y));
    for (uint64_t t = 1; t <= 3; t++)
        adamw_step(&o, t, ALL, d->y, d->dx, d->work, d->dy);
}

static const struct {
    const char *name;
    void (*run)(struct data *);
    uint64_t hash;
} cases[] = {
    {"softmax", softmax, 0xd10017c4bb0113d3U},
    {"log_softmax", log_softmax, 0x59e182591517a7d6U},
    {"tokens", tokens, 0x709f7236ba293267U},
    {"layer", layer, 0x6cda2cd30d2c9eb0U},
    {"rms", rms, 0x96010c06e39d506bU},
    {"swiglu", swiglu, 0x29ff8b46169da94bU},
    {"relu", relu, 0x9ef952768c8cc618U},
    {"gelu", gelu, 0x6b4773a5d97f7885U},
    {"gelu_erf", gelu_erf, 0xddf59847f0abdc98U},
    {"silu", silu, 0x3cdb7f8e057b7e93U},
    {"dropout", dropout, 0xf623bc224cd8f3bfU},
    {"reduce", reduce, 0xb8be05555a7031e4U},
    {"rotary", rotary, 0x53f59d55b875e897U},
    {"embedding", embedding, 0x97a5ede0e78fcf9dU},
    {"adamw", adamw, 0x0553fbdbf64d0037U},
};

Test(op_golden, bits_are_those_of_every_other_machine)
{
    for (unsigned t = 1; t <= 2; t++) {
        threads_set(t);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct data *d = make();
            cases[i].run(d);
            uint64_t hash = hash_of(d);
            if (getenv("GM_BLESS") != NULL)
                (void)printf("    {\"%s\", %s, 0x%016llxU},\n",
                             cases[i].name,
                             cases[i].name,
                             (unsigned long long)hash);
            else
                cr_expect_eq(hash, cases[i].hash, "%s", cases[i].name);
            free(d);
        }
    }
}
