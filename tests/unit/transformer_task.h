/* What the transformer's tests share: small networks of odd sizes with weights that reach
 * every part of them, and tokens. */
#ifndef TRANSFORMER_TASK_H
#define TRANSFORMER_TASK_H

#include "kernels/model/transformer.h"
#include "op_bits.h"
#include <criterion/criterion.h>

static const struct weights_config task_nets[] = {
    {.arch = WEIGHTS_GPT2,
     .dim = 15,
     .hidden = 13,
     .layers = 2,
     .heads = 3,
     .kv_heads = 3,
     .head_dim = 5,
     .vocab = 11,
     .context = 9,
     .tied = true,
     .rope_theta = 10000,
     .norm_eps = 1e-5},
    {.arch = WEIGHTS_GPT2,
     .dim = 14,
     .hidden = 17,
     .layers = 1,
     .heads = 1,
     .kv_heads = 1,
     .head_dim = 14,
     .vocab = 13,
     .context = 8,
     .gelu_erf = true,
     .rope_theta = 10000,
     .norm_eps = 1e-5},
    {.arch = WEIGHTS_LLAMA,
     .dim = 12,
     .hidden = 11,
     .layers = 2,
     .heads = 6,
     .kv_heads = 2,
     .head_dim = 2,
     .vocab = 9,
     .context = 16,
     .tied = true,
     .rope_pairs = true,
     .rope_theta = 10000,
     .norm_eps = 1e-5},
    {.arch = WEIGHTS_LLAMA,
     .dim = 10,
     .hidden = 19,
     .layers = 2,
     .heads = 2,
     .kv_heads = 1,
     .head_dim = 6, /* wider than width / heads, as some Llamas are */
     .vocab = 17,
     .context = 12,
     .rope_theta = 500,
     .norm_eps = 1e-6}};

#define TASK_NETS (sizeof(task_nets) / sizeof(task_nets[0]))

static inline struct device *task_device(void)
{
    struct device *d = NULL;
    struct gm_error err;
    cr_assert_eq(device_open("cpu", &d, &err), 0, "%s", err.text);
    return d;
}

/* Weights in -0.5 .. 0.5, gains and biases too: no part of it is near doing nothing. */
static inline struct transformer *task_net(const struct weights_config *c,
                                           struct device *d)
{
    struct transformer *t = NULL;
    struct gm_error err;
    cr_assert_eq(transformer_make(c, d, &t, &err), 0, "%s", err.text);
    philox_uniform(3, 1, -0.5F, 0.5F, t->n_params, t->params);
    return t;
}

static inline struct transformer_work *
task_work(const struct transformer *t, size_t sequences, size_t tokens, bool gradient)
{
    struct transformer_work *w = NULL;
    struct gm_error err;
    cr_assert_eq(transformer_work_make(t, sequences, tokens, gradient, &w, &err),
                 0,
                 "%s",
                 err.text);
    return w;
}

/* Labels are the next token, and now and then none. */
static inline void
task_tokens(const struct transformer *t, size_t rows, int32_t *ids, int32_t *labels)
{
    struct philox p = philox_make(5, 0);
    for (size_t i = 0; i < rows; i++)
        ids[i] = (int32_t)philox_below(&p, t->config.vocab);
    for (size_t i = 0; i < rows; i++)
        labels[i] = i % 5 == 3 ? -1 : (int32_t)philox_below(&p, t->config.vocab);
}

#endif
