/* The bits of training, written down: first weights, three steps, and what they lead to
 * are the same on every machine, in every build, with any threads. A change of these
 * numbers is a change of what training computes: it belongs into docs/design/numerics.md.
 * GM_BLESS=1 prints the new table. */
#include "kernels/op/clip.h"
#include "transformer_task.h"
#include <stdio.h>

enum { SEQUENCES = 3, TOKENS = 70, ROWS = SEQUENCES * TOKENS };

static uint64_t fnv(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3U;
    return hash;
}

static uint64_t step(struct transformer *t,
                     struct transformer_work *w,
                     uint64_t number,
                     float *grad,
                     float *moments,
                     uint64_t hash)
{
    const struct adamw o = {
        .lr = 0.01, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .decay = 0};
    const struct transformer_dropout drop = {.p = 0.1F, .seed = 2, .step = number};
    struct adamw_group groups[2] = {t->groups[0], t->groups[1]};
    int32_t ids[ROWS], labels[ROWS];
    struct xent_tokens score;
    struct gm_error err;
    task_tokens(t, ROWS, ids, labels);
    uint64_t counted = xent_count(ROWS, labels);
    cr_assert_eq(transformer_gradient(t,
                                      w,
                                      SEQUENCES,
                                      TOKENS,
                                      ids,
                                      labels,
                                      1 / (float)counted,
                                      &drop,
                                      grad,
                                      &score,
                                      &err),
                 0);
    groups[0].decay *= 0.1;
    float factor = clip_factor(clip_norm(t->n_params, grad), 0.5);
    t->device->op->adamw(t->device,
                         &o,
                         number,
                         factor,
                         2,
                         groups,
                         t->params,
                         moments,
                         moments + t->n_params,
                         grad);
    return fnv(hash, &score.loss, sizeof(score.loss));
}

static uint64_t train(const struct weights_config *c)
{
    AUTO(device) d = task_device();
    AUTO(transformer) t = task_net(c, d);
    AUTO(transformer_work) w = task_work(t, SEQUENCES, TOKENS, true);
    OP_FLOATS grad = op_poisoned(t->n_params);
    AUTO_FREE(float) moments = calloc(2 * t->n_params, sizeof(*moments));
    uint64_t hash = 0xcbf29ce484222325U;
    transformer_init(t, 1);
    for (uint64_t s = 1; s <= 3; s++)
        hash = step(t, w, s, grad, moments, hash);
    return fnv(hash, t->params, t->n_params * sizeof(*t->params));
}

static const uint64_t want[] = {
    0x36bbfb538d2512dcU, 0x4c3c56a95f03ed70U, 0x2bf15124c2871a77U, 0xffe25c7cf27e1d11U};

Test(transformer_golden, bits_are_those_of_every_other_machine)
{
    for (unsigned threads = 1; threads <= 2; threads++) {
        threads_set(threads);
        for (size_t i = 0; i < TASK_NETS; i++) {
            struct weights_config c = task_nets[i];
            c.context = TOKENS;
            c.vocab = 300;
            uint64_t hash = train(&c);
            if (getenv("GM_BLESS") != NULL)
                (void)printf("0x%016llxU,\n", (unsigned long long)hash);
            else
                cr_expect_eq(hash, want[i], "network %zu, %u threads", i, threads);
        }
    }
}
