/* What the transformer promises beside its numbers (test_transformer_ref.c has those):
 * the same bits in any company, weights in and out, refusals by name. */
#include "base/file.h"
#include "base/str.h"
#include "kernels/model/tokenizer.h"
#include "transformer_task.h"
#include <math.h>

/* Wide enough for packed products, long enough for many blocks of keys and for prompts
 * in pieces. */
static const struct weights_config large[] = {{.arch = WEIGHTS_GPT2,
                                               .dim = 72,
                                               .hidden = 145,
                                               .layers = 2,
                                               .heads = 3,
                                               .kv_heads = 3,
                                               .head_dim = 24,
                                               .vocab = 1031,
                                               .context = 330,
                                               .tied = true,
                                               .rope_theta = 10000,
                                               .norm_eps = 1e-5},
                                              {.arch = WEIGHTS_LLAMA,
                                               .dim = 80,
                                               .hidden = 133,
                                               .layers = 2,
                                               .heads = 4,
                                               .kv_heads = 2,
                                               .head_dim = 20,
                                               .vocab = 515,
                                               .context = 330,
                                               .rope_theta = 10000,
                                               .norm_eps = 1e-5}};

enum { SEQUENCES = 3, TOKENS = 130, ROWS = SEQUENCES * TOKENS };

struct run {
    struct device *device;
    struct transformer *t;
    struct transformer_work *w;
    int32_t ids[ROWS], labels[ROWS];
    float losses[ROWS];
    struct xent_tokens score;
};

static struct run *begin(const struct weights_config *c)
{
    struct run *r = calloc(1, sizeof(*r));
    r->device = task_device();
    r->t = task_net(c, r->device);
    r->w = task_work(r->t, SEQUENCES, TOKENS, true);
    task_tokens(r->t, ROWS, r->ids, r->labels);
    return r;
}

static void end(struct run *r)
{
    transformer_work_free(r->w);
    transformer_free(r->t);
    device_close(r->device);
    free(r);
}

static void loss(struct run *r, size_t first, size_t sequences, size_t tokens)
{
    struct gm_error err;
    cr_assert_eq(transformer_loss(r->t,
                                  r->w,
                                  sequences,
                                  tokens,
                                  r->ids + first,
                                  r->labels + first,
                                  r->losses + first,
                                  &r->score,
                                  &err),
                 0);
}

static void gradient(struct run *r, const struct transformer_dropout *drop, float *grad)
{
    struct gm_error err;
    cr_assert_eq(transformer_gradient(r->t,
                                      r->w,
                                      SEQUENCES,
                                      TOKENS,
                                      r->ids,
                                      r->labels,
                                      0.01F,
                                      drop,
                                      grad,
                                      &r->score,
                                      &err),
                 0);
}

Test(transformer, threads_and_dirty_buffers_change_no_bit)
{
    const struct transformer_dropout drop = {.p = 0.1F, .seed = 1, .step = 2};
    for (size_t i = 0; i < 2; i++) {
        struct run *r = begin(&large[i]);
        OP_FLOATS one = op_poisoned(r->t->n_params);
        threads_set(1);
        gradient(r, &drop, one);
        double first = r->score.loss;
        cr_expect(isfinite(first));
        for (unsigned threads = 1; threads <= 3; threads++) {
            OP_FLOATS more = op_poisoned(r->t->n_params);
            threads_set(threads);
            gradient(r, &drop, more);
            cr_expect(op_same_bits(one, more, r->t->n_params), "%u threads", threads);
            cr_expect_eq(r->score.loss, first);
        }
        end(r);
    }
}

Test(transformer, a_sequence_has_its_losses_in_a_batch_alone_and_cut_short)
{
    for (size_t i = 0; i < 2; i++) {
        struct run *r = begin(&large[i]);
        float together[ROWS];
        loss(r, 0, SEQUENCES, TOKENS);
        memcpy(together, r->losses, sizeof(together));
        loss(r, TOKENS, 2, TOKENS);
        cr_expect(op_same_bits(together, r->losses, ROWS));
        loss(r, TOKENS, 1, 77);
        cr_expect(op_same_bits(together, r->losses, ROWS));
        cr_expect_eq(r->score.tokens, xent_count(77, r->labels + TOKENS));
        end(r);
    }
}

Test(transformer, chunks_of_logits_change_no_bit_of_the_loss)
{
    struct weights_config c = task_nets[2];
    c.vocab = 9001; /* chunks of 512 rows */
    c.context = 300;
    enum { MANY = 600 };
    AUTO(device) d = task_device();
    AUTO(transformer) t = task_net(&c, d);
    AUTO(transformer_work) w = task_work(t, 2, 300, true);
    static int32_t ids[MANY], labels[MANY];
    static float losses[MANY], alone[MANY];
    struct xent_tokens score;
    struct gm_error err;
    OP_FLOATS grad = op_poisoned(t->n_params);
    OP_FLOATS part = op_poisoned(t->n_params);
    OP_DOUBLES sum = op_doubles(t->n_params);
    task_tokens(t, MANY, ids, labels);
    cr_assert_eq(
        transformer_gradient(t, w, 2, 300, ids, labels, 1, NULL, grad, &score, &err), 0);
    cr_assert_eq(transformer_loss(t, w, 2, 300, ids, labels, losses, &score, &err), 0);
    cr_expect_eq(score.tokens, xent_count(MANY, labels));
    for (size_t i = 0; i < MANY; i += 300) {
        cr_assert_eq(
            transformer_loss(t, w, 1, 300, ids + i, labels + i, alone + i, &score, &err),
            0);
        cr_assert_eq(transformer_gradient(
                         t, w, 1, 300, ids + i, labels + i, 1, NULL, part, &score, &err),
                     0);
        for (size_t j = 0; j < t->n_params; j++)
            sum[j] += (double)part[j];
    }
    cr_expect(op_same_bits(losses, alone, MANY));
    cr_expect_lt(op_nmse(grad, sum, t->n_params), 1e-11);
}

/* Loss of each token from its logits, as transformer_loss has it. */
static void from_logits(const struct run *r,
                        size_t sequences,
                        size_t token,
                        const float *logits,
                        float *losses)
{
    for (size_t s = 0; s < sequences; s++) {
        size_t at = s * TOKENS + token;
        (void)xent_tokens(1,
                          r->t->config.vocab,
                          logits + s * r->t->config.vocab,
                          r->labels + at,
                          1,
                          losses + at,
                          NULL);
    }
}

/* `tokens` ids of each sequence from `first` on. */
static const float *
next(struct run *r, struct transformer_cache *c, size_t first, size_t tokens)
{
    static int32_t ids[ROWS];
    const float *logits = NULL;
    struct gm_error err;
    for (size_t s = 0; s < SEQUENCES; s++)
        memcpy(ids + s * tokens, r->ids + s * TOKENS + first, tokens * sizeof(*ids));
    cr_assert_eq(
        transformer_next(r->t, c, tokens, ids, &logits, &err), 0, "%s", err.text);
    return logits;
}

Test(transformer, decoding_with_a_cache_has_the_bits_of_the_whole_sequence)
{
    for (size_t i = 0; i < 2 * 2; i++) {
        struct run *r = begin(&large[i / 2]);
        struct transformer_cache *c = NULL;
        struct gm_error err;
        float losses[ROWS];
        threads_set(1);
        loss(r, 0, SEQUENCES, TOKENS);
        threads_set(i % 2 == 0 ? 1 : 2);
        memcpy(losses, r->losses, sizeof(losses));
        cr_assert_eq(transformer_cache_make(r->t, SEQUENCES, TOKENS, &c, &err), 0);
        from_logits(r, SEQUENCES, 88, next(r, c, 0, 89), losses); /* a prompt */
        for (size_t t = 89; t < TOKENS; t++)
            from_logits(r, SEQUENCES, t, next(r, c, t, 1), losses);
        transformer_cache_cut(c, 3);
        cr_expect_eq(transformer_cache_tokens(c), 3);
        for (size_t t = 3; t < 12; t += 2)
            from_logits(r, SEQUENCES, t + 1, next(r, c, t, 2), losses);
        cr_expect(op_same_bits(losses, r->losses, ROWS));
        transformer_cache_free(c);
        end(r);
    }
}

Test(transformer, a_long_prompt_goes_in_pieces)
{
    struct run *r = begin(&large[1]);
    struct transformer_cache *whole = NULL, *steps = NULL;
    struct gm_error err;
    const float *a = NULL, *b = NULL;
    enum { LONG = 300 }; /* of one sequence: more than a piece */
    size_t vocab = r->t->config.vocab;
    cr_assert_eq(transformer_cache_make(r->t, 1, LONG, &whole, &err), 0);
    cr_assert_eq(transformer_cache_make(r->t, 1, LONG, &steps, &err), 0);
    cr_assert_eq(transformer_next(r->t, whole, LONG, r->ids, &a, &err), 0);
    for (size_t i = 0; i < LONG; i++)
        cr_assert_eq(transformer_next(r->t, steps, 1, r->ids + i, &b, &err), 0);
    cr_expect(op_same_bits(a, b, vocab));
    cr_expect_eq(transformer_next(r->t, steps, 1, r->ids, &b, &err), -ENOSPC);
    cr_expect_str_eq(err.text, "1 tokens more do not fit a cache that holds 300 of 300");
    transformer_cache_free(whole);
    transformer_cache_free(steps);
    end(r);
}

Test(transformer, stories260K_greedy_tells_the_story_of_llama2c)
{
    const char *root = getenv("GRIDMILL_TEST_DATA");
    if (root == NULL || root[0] == '\0')
        cr_skip_test("GRIDMILL_TEST_DATA is not set");
    AUTO_STR folder = {0};
    AUTO_STR text = {0};
    AUTO_FREE(char) want = NULL;
    AUTO(weights) w = NULL;
    AUTO(tokenizer) words = NULL;
    AUTO(device) d = task_device();
    AUTO(transformer) t = NULL;
    AUTO(transformer_cache) c = NULL;
    char path[4096];
    size_t len = 0;
    struct gm_error err;
    str_printf(&folder, "%s/models/stories260K", root);
    (void)snprintf(path, sizeof(path), "%s/stories260K.bin", folder.text);
    cr_assert_eq(weights_open(path, &w, &err), 0, "%s", err.text);
    (void)snprintf(path, sizeof(path), "%s/tok512.bin", folder.text);
    cr_assert_eq(tokenizer_llama2c_open(path, &words, &err), 0, "%s", err.text);
    (void)snprintf(path, sizeof(path), "%s/expected_temp0_200steps.txt", folder.text);
    cr_assert_eq(file_read(path, 1 << 20, &want, &len, &err), 0, "%s", err.text);
    cr_assert_eq(transformer_load(w, d, &t, &err), 0, "%s", err.text);
    cr_assert_eq(transformer_cache_make(t, 1, 200, &c, &err), 0, "%s", err.text);
    int32_t ids[201] = {tokenizer_begin(words)};
    for (size_t i = 0; i < 200; i++) {
        const float *logits = NULL;
        cr_assert_eq(transformer_next(t, c, 1, ids + i, &logits, &err), 0);
        ids[i + 1] = xent_class(t->config.vocab, logits);
    }
    cr_assert_eq(tokenizer_decode(words, ids, 201, &text, &err), 0);
    while (len > 0 && want[len - 1] == '\n')
        want[--len] = '\0';
    cr_expect_str_eq(text.text, want);
}

/* An empty copy of a set of weights, without tensor `skip`. */
static struct weights *copy_of(const struct weights *w, size_t skip, bool turn)
{
    struct weights *copy = weights_make("copy");
    struct gm_error err;
    copy->config = w->config;
    for (size_t i = 0; i < w->n_tensors; i++) {
        struct weights_tensor t = w->tensors[i];
        if (i == skip && !turn)
            continue;
        if (i == skip) { /* as many elements, in another shape */
            t.dims[t.ndim++] = 1;
        }
        cr_assert_eq(weights_add(copy, &t, &err), 0, "%s", err.text);
    }
    return copy;
}

Test(transformer, weights_go_out_and_in_and_each_is_asked_for_by_name)
{
    AUTO(device) d = task_device();
    for (size_t i = 0; i < TASK_NETS; i++) {
        AUTO(transformer) t = task_net(&task_nets[i], d);
        AUTO(transformer) back = NULL;
        AUTO(weights) w = NULL;
        AUTO_FREE(unsigned char) bytes = NULL;
        AUTO_FREE(unsigned char) again = NULL;
        size_t len = 0, again_len = 0;
        struct gm_error err;
        cr_assert_eq(transformer_format(t, &bytes, &len, &err), 0, "%s", err.text);
        cr_assert_eq(weights_parse("own", bytes, len, &w, &err), 0, "%s", err.text);
        cr_assert_eq(transformer_load(w, d, &back, &err), 0, "%s", err.text);
        cr_assert_eq(back->n_params, t->n_params);
        cr_expect(op_same_bits(back->params, t->params, t->n_params));
        cr_assert_eq(transformer_format(back, &again, &again_len, &err), 0);
        cr_expect(again_len == len && memcmp(bytes, again, len) == 0);
        for (size_t k = 0; k < w->n_tensors; k++) {
            AUTO(weights) without = copy_of(w, k, false);
            AUTO(weights) other = copy_of(w, k, true);
            struct transformer *none = NULL;
            cr_expect_eq(transformer_load(without, d, &none, &err), -EINVAL);
            cr_expect_not_null(strstr(err.text, w->tensors[k].name), "%s", err.text);
            cr_expect_eq(transformer_load(other, d, &none, &err), -EINVAL);
            cr_expect_not_null(strstr(err.text, w->tensors[k].name), "%s", err.text);
            cr_expect_null(none);
        }
    }
}

Test(transformer, a_config_that_is_none_is_refused_with_a_sentence)
{
    AUTO(device) d = task_device();
    struct weights_config c[6] = {task_nets[0],
                                  task_nets[0],
                                  task_nets[0],
                                  task_nets[2],
                                  task_nets[2],
                                  task_nets[2]};
    static const char *const want[] = {
        "model: is neither a GPT-2 nor a Llama",
        "model: a GPT-2 has as many key as query heads, of width / heads each: not 1 and "
        "3 of 5",
        "model: a width of 15 cannot be cut into 4 heads",
        "model: a head of 258 is wider than 256, the most that attention takes",
        "model: the vocabulary must be a whole number from 1 to 1048576",
        "model: no memory for some 3.46e+18 parameters"};
    c[0].arch = WEIGHTS_NO_ARCH;
    c[1].kv_heads = 1;
    c[2].heads = c[2].kv_heads = 4;
    c[3].head_dim = 258;
    c[4].vocab = 0;
    c[5].layers = c[5].dim = c[5].hidden = 1 << 20;
    c[5].heads = c[5].kv_heads = 1;
    for (size_t i = 0; i < 6; i++) {
        struct transformer *t = NULL;
        struct gm_error err = {0};
        cr_expect_lt(transformer_make(&c[i], d, &t, &err), 0);
        cr_expect_str_eq(err.text, want[i]);
        cr_expect_null(t);
    }
}

Test(transformer, batches_beyond_the_context_are_refused)
{
    AUTO(device) d = task_device();
    AUTO(transformer) t = task_net(&task_nets[0], d);
    struct transformer_work *w = NULL;
    struct transformer_cache *c = NULL;
    struct gm_error err;
    cr_expect_eq(transformer_work_make(t, 1, 10, true, &w, &err), -EINVAL);
    cr_expect_str_eq(err.text,
                     "sequences of 10 tokens do not fit the model, whose context is 9");
    cr_expect_eq(transformer_work_make(t, 0, 9, true, &w, &err), -EINVAL);
    cr_expect_eq(transformer_work_make(t, (size_t)1 << 60, 9, true, &w, &err), -EINVAL);
    cr_expect_eq(transformer_cache_make(t, 1, 10, &c, &err), -EINVAL);
    cr_expect_eq(transformer_cache_make(t, (size_t)1 << 40, 9, &c, &err), -ENOMEM);
}

/* Mean and deviation of n floats; how far off the mean may be by chance. */
static void expect_normal(const char *what, const float *v, size_t n, double deviation)
{
    double sum = 0, square = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)v[i];
        square += (double)v[i] * (double)v[i];
    }
    cr_expect_lt(fabs(sum / (double)n), 5 * deviation / sqrt((double)n), "%s", what);
    cr_expect_lt(fabs(sqrt(square / (double)n) / deviation - 1),
                 5 / sqrt(2 * (double)n),
                 "%s",
                 what);
}

Test(transformer, first_weights_are_normal_and_branches_end_small)
{
    AUTO(device) d = task_device();
    for (size_t i = 0; i < 2; i++) {
        AUTO(transformer) t = task_net(&large[i], d);
        AUTO(weights) w = NULL;
        AUTO_FREE(unsigned char) bytes = NULL;
        size_t len = 0;
        struct gm_error err;
        transformer_init(t, 7);
        cr_assert_eq(transformer_format(t, &bytes, &len, &err), 0);
        cr_assert_eq(weights_parse("own", bytes, len, &w, &err), 0);
        for (size_t k = 0; k < w->n_tensors; k++) {
            const struct weights_tensor *x = &w->tensors[k];
            const float *v = x->data;
            size_t n = x->nbytes / sizeof(*v), odd = 0;
            bool bias = strstr(x->name, "bias") != NULL;
            bool end = strstr(x->name, "c_proj") != NULL ||
                       strstr(x->name, "o_proj") != NULL ||
                       strstr(x->name, "down_proj") != NULL;
            for (size_t j = 0; j < n && x->ndim == 1; j++)
                odd += v[j] != (bias ? 0 : 1);
            cr_expect_eq(odd, 0, "%s", x->name);
            if (x->ndim == 2)
                expect_normal(x->name, v, n, end ? 0.01 : 0.02);
        }
    }
}

Test(transformer, decay_is_for_matrices_and_all_parameters_are_in_a_group)
{
    AUTO(device) d = task_device();
    AUTO(transformer) t = task_net(&task_nets[0], d);
    size_t vectors = 2 * 15 + 2 * (6 * 15 + 45 + 13);
    cr_assert_eq(t->n_groups, 2);
    cr_expect_eq(t->groups[0].first, 0);
    cr_expect_eq(t->groups[0].decay, 1);
    cr_expect_eq(t->groups[1].first, t->groups[0].n);
    cr_expect_eq(t->groups[1].n, vectors);
    cr_expect_eq(t->groups[1].decay, 0);
    cr_expect_eq(t->groups[0].n + t->groups[1].n, t->n_params);
}

Test(transformer, costs_are_those_of_a_known_network)
{
    const struct weights_config c = {.arch = WEIGHTS_GPT2,
                                     .dim = 256,
                                     .hidden = 1024,
                                     .layers = 4,
                                     .heads = 4,
                                     .kv_heads = 4,
                                     .head_dim = 64,
                                     .vocab = 256,
                                     .context = 128,
                                     .tied = true};
    const double weights = 4 * 12 * 256 * 256 + 256 * 256;
    struct transformer_cost step = transformer_cost_train(&c, 8, 128);
    cr_expect_eq(step.flops, 6 * 1024 * weights + 3 * 4 * 4 * 256 * (8 * 128 * 129 / 2));
    struct transformer_cost one = transformer_cost_next(&c, 1, 99);
    cr_expect_eq(one.flops, 2 * weights + 4 * 4 * 256 * 100);
    cr_expect_eq(one.bytes, 4 * (weights + 2 * 256 * 4 * 100 + 256));
}
