/* Operators against the memory under them: `bench/run kernels` runs this.
 *
 *   bench_operators [THREADS]      default: 1
 *
 * An operator's bytes are those that it must read and write once; its floor is the rate
 * of x = a + b over arrays of the same size, one turn apart in the same process. Arrays
 * of 1 MiB lie in a cache, those of 24 MiB in memory. */
#include "base/clock.h"
#include "kernels/op/adamw.h"
#include "kernels/op/bias_act.h"
#include "kernels/op/clip.h"
#include "kernels/op/dropout.h"
#include "kernels/op/embedding.h"
#include "kernels/op/gemm.h"
#include "kernels/op/layernorm.h"
#include "kernels/op/reduce.h"
#include "kernels/op/rmsnorm.h"
#include "kernels/op/rotary.h"
#include "kernels/op/sgd.h"
#include "kernels/op/softmax.h"
#include "kernels/op/swiglu.h"
#include "kernels/op/threads.h"
#include "kernels/op/xent.h"
#include "lines.h"
#include <stdio.h>
#include <stdlib.h>

enum { HEAD = 64, ROWS = 256, PERIOD = 128, N_ARRAYS = 7 };

/* One shape's arrays: x[] of m * n, v[] of n, s[] of m. */
struct arrays {
    size_t m, n;
    float *x[N_ARRAYS], *v[4], *s[2], *work, *cos, *sin;
    int32_t *id, *position, *label;
};

static struct arrays make(size_t m, size_t n)
{
    struct arrays a = {.m = m, .n = n};
    for (size_t i = 0; i < N_ARRAYS; i++)
        a.x[i] = numbers(m * n, i);
    for (size_t i = 0; i < 4; i++)
        a.v[i] = numbers(n, 10 + i);
    a.s[0] = numbers(m, 20);
    a.s[1] = numbers(m, 21);
    a.work = numbers(layernorm_work_floats(m, n), 22);
    a.cos = numbers(m * HEAD / 2, 23);
    a.sin = numbers(m * HEAD / 2, 24);
    rotary_table(m, HEAD, 10000, a.cos, a.sin);
    a.id = calloc(m, sizeof(*a.id));
    a.position = calloc(m, sizeof(*a.position));
    a.label = calloc(m, sizeof(*a.label));
    if (a.id == NULL || a.position == NULL || a.label == NULL)
        abort();
    for (size_t i = 0; i < m; i++) {
        a.id[i] = (int32_t)(i * i % ROWS);
        a.position[i] = (int32_t)i;
    }
    return a;
}

static void release(struct arrays *a)
{
    for (size_t i = 0; i < N_ARRAYS; i++)
        free(a->x[i]);
    for (size_t i = 0; i < 4; i++)
        free(a->v[i]);
    free(a->s[0]);
    free(a->s[1]);
    free(a->work);
    free(a->cos);
    free(a->sin);
    free(a->id);
    free(a->position);
    free(a->label);
}

/* x[0] .. are inputs of numbers up to 1; an operator writes x[4] and up. */
#define OPERATOR(name, call)                                                             \
    static void name(struct arrays *a)                                                   \
    {                                                                                    \
        float *const *x = a->x, *const *v = a->v, *const *s = a->s;                      \
        size_t m = a->m, n = a->n;                                                       \
        (void)x, (void)v, (void)s, (void)m, (void)n;                                     \
        call;                                                                            \
    }

static const struct dropout drop = {.seed = 1, .stream = 2, .p = 0.1F};
static const struct sgd descent = {.lr = 1e-4, .momentum = 0.9};
static const struct adamw adam = {
    .lr = 1e-4, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .decay = 0.1};

static struct rotary rotary_of(const struct arrays *a, enum rotary_form form)
{
    return (struct rotary){
        .form = form, .heads = a->n / HEAD, .size = HEAD, .cos = a->cos, .sin = a->sin};
}

static void turn(struct arrays *a, enum rotary_form form)
{
    struct rotary r = rotary_of(a, form);
    rotary_forward(&r, a->m, a->n, a->position, a->x[4]);
}

static void turn_back(struct arrays *a)
{
    struct rotary r = rotary_of(a, ROTARY_INTERLEAVED);
    rotary_backward(&r, a->m, a->n, a->position, a->x[4]);
}

/* The floor: the least that two arrays in and one out can take. */
OPERATOR(add, embedding_forward(m, n, a->position, x[0], m, x[1], x[4]))
OPERATOR(softmax, softmax_forward(m, n, x[0], x[4]))
OPERATOR(softmax_b, softmax_backward(m, n, x[0], x[1], x[4]))
OPERATOR(log_softmax, softmax_log_forward(m, n, x[0], x[4]))
OPERATOR(log_softmax_b, softmax_log_backward(m, n, x[0], x[1], x[4]))
OPERATOR(xent, (void)xent_tokens(m, n, x[0], a->id, 1e-3F, s[0], x[4]))
OPERATOR(xent_loss, (void)xent_tokens(m, n, x[0], a->id, 1e-3F, s[0], NULL))
OPERATOR(xent_rows, (void)xent_train(m, n, x[0], a->label, 1e-3F, x[4]))
OPERATOR(scores, xent_infer(m, n, x[0], x[4], a->label))
OPERATOR(layer, layernorm_forward(m, n, 1e-5F, x[0], v[0], v[1], x[4], s[0], s[1]))
OPERATOR(
    layer_add,
    layernorm_forward_add(m, n, 1e-5F, x[0], x[1], x[5], v[0], v[1], x[4], s[0], s[1]))
OPERATOR(layer_b,
         layernorm_backward(
             m, n, x[0], v[0], s[0], s[1], x[1], x[2], x[4], v[2], v[3], a->work))
OPERATOR(rms, rmsnorm_forward(m, n, 1e-5F, x[0], v[0], x[4], s[0]))
OPERATOR(rms_add, rmsnorm_forward_add(m, n, 1e-5F, x[0], x[1], x[5], v[0], x[4], s[0]))
OPERATOR(rms_b, rmsnorm_backward(m, n, x[0], v[0], s[0], x[1], x[2], x[4], v[2], a->work))
OPERATOR(bias, bias_act_forward(ACT_NONE, m, n, x[5], v[0], x[5]))
OPERATOR(bias_b, bias_act_backward(ACT_NONE, m, n, x[0], x[1], x[1], v[2]))
OPERATOR(relu, bias_act_forward(ACT_RELU, m, n, x[5], v[0], x[5]))
OPERATOR(relu_b, bias_act_backward(ACT_RELU, m, n, x[0], x[1], x[4], v[2]))
OPERATOR(gelu, bias_act_forward(ACT_GELU, m, n, x[5], v[0], x[4]))
OPERATOR(gelu_b, bias_act_backward(ACT_GELU, m, n, x[0], x[1], x[4], v[2]))
OPERATOR(gelu_erf, bias_act_forward(ACT_GELU_ERF, m, n, x[5], v[0], x[4]))
OPERATOR(gelu_erf_b, bias_act_backward(ACT_GELU_ERF, m, n, x[0], x[1], x[4], v[2]))
OPERATOR(silu, bias_act_forward(ACT_SILU, m, n, x[5], v[0], x[4]))
OPERATOR(glu, swiglu_forward(m, n, n, x[0], x[1], x[4]))
OPERATOR(glu_b, swiglu_backward(m, n, n, x[0], x[1], x[2], x[4], x[5]))
OPERATOR(embed, embedding_forward(m, n, a->id, x[0], 0, NULL, x[4]))
OPERATOR(embed_b, embedding_backward(m, n, a->id, x[0], x[5]))
OPERATOR(place_b, embedding_backward_place(m, n, PERIOD, x[0], x[5]))
OPERATOR(turn_pairs, turn(a, ROTARY_INTERLEAVED))
OPERATOR(turn_halves, turn(a, ROTARY_HALVES))
OPERATOR(dropout, dropout_apply(&drop, 0, m *n, x[0], NULL, x[4]))
OPERATOR(dropout_add, dropout_apply(&drop, 0, m *n, x[0], x[1], x[4]))
OPERATOR(to_bf16, gemm_to_bf16(m *n, x[0], (uint16_t *)(void *)x[4]))
OPERATOR(sum, s[0][0] = (float)reduce_sum(m * n, x[0]))
OPERATOR(sgd, sgd_step(&descent, m *n, x[4], x[5], x[0]))
OPERATOR(norm, s[0][0] = (float)clip_norm(m * n, x[0]))
OPERATOR(adamw, adamw_step(&adam, 9, m *n, x[4], x[5], x[6], x[0]))

/* arrays: of m * n floats, each read or written once. */
static const struct case_of {
    const char *name;
    void (*run)(struct arrays *);
    double arrays;
} operators[] = {{"softmax", softmax, 2},
                 {"softmax backward", softmax_b, 3},
                 {"log-softmax", log_softmax, 2},
                 {"log-softmax backward", log_softmax_b, 3},
                 {"xent tokens, gradient", xent, 2},
                 {"xent tokens, loss", xent_loss, 1},
                 {"xent rows, gradient", xent_rows, 2},
                 {"probabilities and classes", scores, 2},
                 {"layernorm", layer, 2},
                 {"layernorm of a sum", layer_add, 4},
                 {"layernorm backward", layer_b, 4},
                 {"rmsnorm", rms, 2},
                 {"rmsnorm of a sum", rms_add, 4},
                 {"rmsnorm backward", rms_b, 4},
                 {"bias", bias, 2},
                 {"bias backward", bias_b, 1},
                 {"bias + ReLU", relu, 2},
                 {"bias + ReLU backward", relu_b, 3},
                 {"bias + GELU tanh", gelu, 3},
                 {"bias + GELU tanh backward", gelu_b, 3},
                 {"bias + GELU erf", gelu_erf, 3},
                 {"bias + GELU erf backward", gelu_erf_b, 3},
                 {"bias + SiLU", silu, 3},
                 {"SwiGLU", glu, 3},
                 {"SwiGLU backward", glu_b, 5},
                 {"embedding", embed, 1},
                 {"embedding backward", embed_b, 1},
                 {"positions backward", place_b, 1},
                 {"rotary, neighbours", turn_pairs, 2},
                 {"rotary, halves", turn_halves, 2},
                 {"rotary backward", turn_back, 2},
                 {"dropout", dropout, 2},
                 {"dropout of a branch", dropout_add, 3},
                 {"to bf16", to_bf16, 1.5},
                 {"sum", sum, 1},
                 {"sgd", sgd, 5},
                 {"gradient norm", norm, 1},
                 {"adamw", adamw, 7}};

/* GB/s over `calls` calls. */
static double
rate(void (*run)(struct arrays *), double arrays, struct arrays *a, unsigned calls)
{
    double start = clock_monotonic();
    for (unsigned i = 0; i < calls; i++)
        run(a);
    double bytes = arrays * (double)(a->m * a->n * sizeof(float)) * calls;
    return bytes / (clock_monotonic() - start) * 1e-9;
}

static void bench(const struct case_of *o, struct arrays *a, unsigned calls)
{
    enum { TURNS = 9 };
    struct samples ours = {0}, floor = {0};
    (void)rate(o->run, o->arrays, a, 1);
    for (unsigned turn = 0; turn < TURNS; turn++) {
        ours.v[ours.n++] = rate(o->run, o->arrays, a, calls);
        floor.v[floor.n++] = rate(add, 3, a, calls);
    }
    char name[80];
    (void)snprintf(name, sizeof(name), "%s %zux%zu", o->name, a->m, a->n);
    line(name, "GB/s", &ours, quantile(&floor, 0.5), "x = a + b, as many bytes", 0);
}

int main(int argc, char **argv)
{
    static const struct {
        size_t m, n;
        unsigned calls;
    } shapes[] = {{1024, 256, 40}, {8192, 768, 1}};
    unsigned threads = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1;
    threads_set(threads);
    for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
        struct arrays a = make(shapes[s].m, shapes[s].n);
        for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
            bench(&operators[i], &a, shapes[s].calls);
        release(&a);
    }
    return 0;
}
