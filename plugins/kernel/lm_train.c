/* lm.train: the way from parameters to a network and a trainer, and from them to outputs.
 * The declaration is lm_train_table.c, the training itself lm_trainer.c. */
#include "lm_train.h"

#include "kernels/io/text.h"
#include "kernels/op/threads.h"
#include "lm_decode.h"
#include "lm_text.h"
#include "lm_trainer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Tokens of a leaf where micro-batch is 0: enough for products at full speed, and few
 * enough that small steps feed several ranks. */
#define LEAF_TOKENS 512

struct train {
    struct device *device;
    /* the task's */
    const struct gm_params *params;
    const struct gm_comm *comm;
    const struct gm_sink *sink;
    struct tokenizer *tokenizer;
    int32_t *ids;
    struct transformer *model;
    struct lm_trainer *trainer;
    int32_t *prompt;
    struct lm_text sample;
    struct lm_decoder *decoder;
};

static int open_(const struct gm_params *common,
                 const struct gm_seat *seat,
                 void **ret,
                 struct gm_error *err)
{
    (void)common;
    struct train *s = calloc(1, sizeof(*s));
    int rc = s == NULL ? gm_fail(err, -ENOMEM, "out of memory")
                       : device_open("cpu", &s->device, err);
    if (rc != 0) {
        free(s);
        return rc;
    }
    threads_set(seat->n_threads);
    *ret = s;
    return 0;
}

static uint64_t count(const struct gm_params *p, unsigned i)
{
    return (uint64_t)gm_param_int(p, i);
}

/* The network that the parameters describe; lm_config_check has the rest. */
static void describe(const struct gm_params *p, size_t vocab, struct weights_config *ret)
{
    const bool llama = strcmp(gm_param_text(p, LM_ARCH), "llama") == 0;
    const size_t dim = count(p, LM_DIM), heads = count(p, LM_HEADS);
    struct weights_config c = {.arch = llama ? WEIGHTS_LLAMA : WEIGHTS_GPT2,
                               .dim = dim,
                               .layers = count(p, LM_LAYERS),
                               .heads = heads,
                               .kv_heads = count(p, LM_KV_HEADS),
                               .hidden = count(p, LM_HIDDEN),
                               .vocab = vocab,
                               .context = count(p, LM_CONTEXT),
                               .tied = gm_param_bool(p, LM_TIED),
                               .rope_theta = 10000,
                               .norm_eps = 1e-5};
    c.head_dim = dim / heads;
    if (c.kv_heads == 0)
        c.kv_heads = heads;
    if (c.hidden == 0) /* a Llama's has three matrices where GPT-2's has two */
        c.hidden = llama ? (8 * dim / 3 + 31) / 32 * 32 : 4 * dim;
    *ret = c;
}

static int make_model(struct train *s,
                      const struct gm_task *task,
                      const struct weights *from,
                      struct gm_error *err)
{
    const struct gm_params *p = task->params;
    struct weights_config c;
    if (from != NULL) {
        int rc = transformer_load(from, s->device, &s->model, err);
        return rc == 0 ? lm_check_vocabulary(
                             s->tokenizer, "init-from", s->model->config.vocab, err)
                       : rc;
    }
    describe(p, tokenizer_vocab(s->tokenizer), &c);
    int rc = weights_config_check("lm.train", &c, err);
    if (rc == 0)
        rc = transformer_make(&c, s->device, &s->model, err);
    if (rc == 0)
        transformer_init(s->model, count(p, LM_INIT_SEED));
    return rc;
}

/* Both texts, one after the other; *ret_train: bytes of the first. */
static int read_texts(const struct gm_params *p,
                      struct str *ret,
                      size_t *ret_train,
                      struct gm_error *err)
{
    AUTO_FREE(char) text = NULL;
    AUTO_FREE(char) valid = NULL;
    size_t len = 0, more = 0;
    const char *path = gm_param_text(p, LM_DATA),
               *other = gm_param_text(p, LM_VALID_DATA);
    int rc = text_read(path, 0, TEXT_ALL, &text, &len, err);
    if (rc == 0 && other != NULL)
        rc = text_read(other, 0, TEXT_ALL, &valid, &more, err);
    if (rc != 0)
        return rc;
    str_add_n(ret, text, len);
    if (more > 0)
        str_add_n(ret, valid, more);
    *ret_train = len;
    return 0;
}

static int make_tokenizer(struct train *s,
                          const struct str *text,
                          const struct weights *from,
                          struct gm_error *err)
{
    const struct gm_params *p = s->params;
    const struct lm_words words = {.kind = gm_param_text(p, LM_TOKENIZER),
                                   .vocabulary = gm_param_text(p, LM_VOCABULARY),
                                   .merges = gm_param_text(p, LM_MERGES),
                                   .model = from,
                                   .text = str_text(text),
                                   .text_len = text->len};
    int rc = lm_tokenizer(&words, &s->tokenizer, err);
    size_t len = 0;
    const char *saved = rc == 0 ? tokenizer_saved(s->tokenizer, &len) : NULL;
    if (saved != NULL && memchr(saved, '\0', len) != NULL)
        rc = gm_fail(
            err, -EINVAL, "data: has a character NUL: the byte tokenizer takes any text");
    return rc;
}

/* The ids of both texts, and where the held-out part begins. */
static int make_tokens(struct train *s,
                       const struct str *text,
                       size_t train_bytes,
                       struct lm_tokens *ret,
                       struct gm_error *err)
{
    const char *path = gm_param_text(s->params, LM_DATA),
               *other = gm_param_text(s->params, LM_VALID_DATA);
    int32_t *held = NULL;
    size_t n = 0, more = 0;
    int rc = lm_encode(s->tokenizer,
                       path,
                       str_text(text),
                       train_bytes,
                       TOKENIZER_NONE,
                       &s->ids,
                       &n,
                       err);
    if (rc == 0 && other != NULL)
        rc = lm_encode(s->tokenizer,
                       other,
                       str_text(text) + train_bytes,
                       text->len - train_bytes,
                       TOKENIZER_NONE,
                       &held,
                       &more,
                       err);
    if (rc != 0)
        return rc;
    if (other != NULL) {
        int32_t *both = realloc(s->ids, (n + more + 1) * sizeof(*both));
        if (both == NULL) {
            free(held);
            return gm_fail(err, -ENOMEM, "no memory for %zu tokens", n + more);
        }
        s->ids = both;
        memcpy(s->ids + n, held, more * sizeof(*held));
        free(held);
        *ret = (struct lm_tokens){.ids = s->ids, .n_train = n, .n = n + more};
        return 0;
    }
    const double share = gm_param_float(s->params, LM_VALID_SHARE);
    *ret = (struct lm_tokens){
        .ids = s->ids, .n_train = (size_t)((double)n * (1 - share)), .n = n};
    return 0;
}

static int options(const struct gm_params *p,
                   size_t context,
                   struct lm_trainer_options *ret,
                   struct gm_error *err)
{
    static const char *const forms[] = {"constant", "linear", "cosine"};
    const char *form = gm_param_text(p, LM_SCHEDULE);
    struct lm_trainer_options o = {.adamw = {.beta1 = gm_param_float(p, LM_BETA1),
                                             .beta2 = gm_param_float(p, LM_BETA2),
                                             .eps = gm_param_float(p, LM_EPS),
                                             .decay = gm_param_float(p, LM_WEIGHT_DECAY)},
                                   .schedule = {.peak = gm_param_float(p, LM_LR),
                                                .last = gm_param_float(p, LM_LR_LAST),
                                                .warmup = count(p, LM_WARMUP),
                                                .steps = count(p, LM_STEPS)},
                                   .clip = gm_param_float(p, LM_CLIP),
                                   .dropout = gm_param_float(p, LM_DROPOUT),
                                   .steps = count(p, LM_STEPS),
                                   .seed = count(p, LM_DATA_SEED),
                                   .valid_every = count(p, LM_VALID_EVERY),
                                   .micro_batch = count(p, LM_MICRO_BATCH),
                                   .context = context};
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(form, forms[i]) == 0)
            o.schedule.form = (enum schedule_form)i;
    }
    if (o.micro_batch == 0)
        o.micro_batch = lm_train_micro_batch(context);
    if (__builtin_mul_overflow(count(p, LM_BATCH), count(p, LM_ACCUMULATION), &o.batch) ||
        o.batch > SIZE_MAX / sizeof(size_t) / context)
        return gm_fail(err, -EOVERFLOW, "batch: times accumulation is too much");
    *ret = o;
    return 0;
}

static int prepare(struct train *s, const struct gm_task *task, struct gm_error *err)
{
    AUTO(weights) from = NULL;
    AUTO_STR text = {0};
    size_t train_bytes = 0;
    struct lm_tokens tokens;
    struct lm_trainer_options opt;
    int rc = options(s->params, count(s->params, LM_CONTEXT), &opt, err);
    if (rc == 0 && (gm_task_input(task, LM_INIT_FROM) != NULL ||
                    gm_param_given(s->params, LM_INIT_FROM)))
        rc = lm_weights(task, LM_INIT_FROM, &from, err);
    if (rc == 0)
        rc = read_texts(s->params, &text, &train_bytes, err);
    if (rc == 0)
        rc = make_tokenizer(s, &text, from, err);
    if (rc == 0)
        rc = make_tokens(s, &text, train_bytes, &tokens, err);
    if (rc == 0)
        rc = make_model(s, task, from, err);
    if (rc == 0)
        rc = lm_trainer_make(&opt, &tokens, s->model, s->comm, &s->trainer, err);
    return rc;
}

static void end(void *self, int outcome)
{
    (void)outcome;
    struct train *s = self;
    lm_decoder_free(s->decoder);
    lm_trainer_free(s->trainer);
    transformer_free(s->model);
    tokenizer_free(s->tokenizer);
    free(s->ids);
    free(s->prompt);
    *s = (struct train){.device = s->device};
}

/* A text to go on from is refused before the training, not after it. */
static int prepare_sample(struct train *s, struct gm_error *err)
{
    const struct gm_params *p = s->params;
    const char *prompt = gm_param_text(p, LM_PROMPT);
    const int32_t begin = tokenizer_begin(s->tokenizer);
    if (prompt == NULL && begin == TOKENIZER_NONE) {
        s->sample.prompt = s->ids;
        s->sample.n_prompt = 1;
    } else {
        const char *text = prompt == NULL ? "" : prompt;
        int rc = lm_encode(s->tokenizer,
                           "prompt",
                           text,
                           strlen(text),
                           begin,
                           &s->prompt,
                           &s->sample.n_prompt,
                           err);
        if (rc != 0)
            return rc;
        s->sample.prompt = s->prompt;
    }
    const struct lm_decode_options how = {
        .sampler = {.temperature = gm_param_float(p, LM_TEMPERATURE),
                    .top_k = count(p, LM_TOP_K),
                    .top_p = gm_param_float(p, LM_TOP_P),
                    .seed = count(p, LM_INIT_SEED)},
        .max_tokens = count(p, LM_SAMPLE_TOKENS),
        .batch = 1};
    return lm_decoder_make(s->model, s->tokenizer, &how, &s->sample, 1, &s->decoder, err);
}

static int begin(void *self,
                 const struct gm_task *task,
                 const struct gm_sink *sink,
                 struct gm_error *err)
{
    struct train *s = self;
    s->params = task->params;
    s->comm = task->comm;
    s->sink = sink;
    int rc = prepare(s, task, err);
    if (rc == 0 && count(s->params, LM_SAMPLE_TOKENS) > 0)
        rc = prepare_sample(s, err);
    if (rc != 0)
        end(s, rc);
    return rc;
}

static int put_valid(const struct train *s, struct gm_error *err)
{
    const struct lm_trainer *t = s->trainer;
    const int64_t step = (int64_t)t->step;
    int rc = s->sink->append(s->sink, LM_O_VALID_STEP, 1, &step, err);
    if (rc == 0)
        rc = s->sink->append(s->sink, LM_O_VALID_LOSS, 1, &t->valid_loss, err);
    return rc;
}

static int put_step(const struct train *s, struct gm_error *err)
{
    const struct lm_trainer *t = s->trainer;
    int rc = s->sink->append(s->sink, LM_O_LOSS, 1, &t->loss, err);
    if (rc == 0)
        rc = s->sink->append(s->sink, LM_O_STEP_SECONDS, 1, &t->step_seconds, err);
    return rc;
}

/* The network's safetensors, which say the tokenizer too. */
static int put_model(const struct train *s, struct gm_error *err)
{
    AUTO_FREE(unsigned char) plain = NULL;
    AUTO_FREE(unsigned char) bytes = NULL;
    AUTO(weights) w = NULL;
    size_t len = 0, saved_len = 0;
    int rc = transformer_format(s->model, &plain, &len, err);
    if (rc == 0)
        rc = weights_parse("model", plain, len, &w, err);
    if (rc != 0)
        return rc;
    AUTO_STR vocabulary = {0};
    const char *saved = tokenizer_saved(s->tokenizer, &saved_len);
    if (saved != NULL)
        str_add_n(&vocabulary, saved, saved_len);
    weights_set_tokenizer(w, tokenizer_name(s->tokenizer), vocabulary.text);
    rc = weights_format(w, &bytes, &len, err);
    const uint64_t dims[1] = {len};
    return rc == 0 ? s->sink->put(s->sink, LM_O_MODEL, 1, dims, bytes, err) : rc;
}

static int put_sample(const struct train *s, struct gm_error *err)
{
    AUTO_STR text = {0};
    if (s->decoder == NULL)
        return 0;
    int rc = lm_decoder_text(s->decoder, &s->sample, &text, err);
    const uint64_t dims[1] = {text.len};
    return rc == 0 ? s->sink->put(s->sink, LM_O_SAMPLE, 1, dims, str_text(&text), err)
                   : rc;
}

static int put_results(const struct train *s, struct gm_error *err)
{
    const struct lm_trainer *t = s->trainer;
    const double tokens = (double)t->step * (double)t->opt.batch * (double)t->opt.context;
    int rc = put_model(s, err);
    if (rc == 0)
        rc = put_sample(s, err);
    if (rc == 0)
        rc = gm_put_i64(s->sink, LM_O_PARAMETERS, (int64_t)s->model->n_params, err);
    if (rc == 0 && t->text.n > t->text.n_train)
        rc = gm_put_f64(s->sink, LM_O_FINAL_LOSS, t->valid_loss, err);
    if (rc == 0 && t->text.n > t->text.n_train)
        rc = gm_put_f64(s->sink, LM_O_ACCURACY, t->valid_correct, err);
    if (rc == 0 && t->seconds > 0)
        rc = gm_put_f64(s->sink, LM_O_TOKENS_PER_S, tokens / t->seconds, err);
    return rc;
}

/* After the last step a text is drawn, by each rank alike, a token a call. */
static int sample_or_end(const struct train *s, struct gm_error *err)
{
    if (s->comm->cancelled(s->comm))
        return gm_fail(err, -ECANCELED, "stopped while a sample was drawn");
    int more = s->decoder == NULL ? 0 : lm_decoder_step(s->decoder, err);
    return more != 0 ? more : put_results(s, err);
}

static int step(void *self, struct gm_error *err)
{
    const struct train *s = self;
    int state = lm_trainer_step(s->trainer, err), rc = state;
    if (state == LM_TRAINER_OVER)
        return sample_or_end(s, err);
    if (state == LM_TRAINER_STEP)
        rc = put_step(s, err);
    if (state == LM_TRAINER_VALID)
        rc = put_valid(s, err);
    return rc < 0 ? rc : 1;
}

/* All ranks of a group have the same state: the first one's does for all. */
static int save(void *self, const struct gm_saver *saver, struct gm_error *err)
{
    const struct train *s = self;
    return s->comm->rank == 0 ? lm_trainer_save(s->trainer, saver, err) : 0;
}

static int load(void *self, const struct gm_loader *loader, struct gm_error *err)
{
    const struct train *s = self;
    return lm_trainer_load(s->trainer, loader, err);
}

/* Of the steps that this attempt took. */
static void work(void *self, struct gm_work *ret)
{
    const struct train *s = self;
    const struct lm_trainer *t = s->trainer;
    const struct transformer_cost c =
        transformer_cost_train(&s->model->config, t->opt.batch, t->opt.context);
    ret->flops = c.flops * (double)t->taken;
    /* AdamW reads four arrays and writes three */
    ret->bytes = (c.bytes + 28 * (double)s->model->n_params) * (double)t->taken;
}

static void close_(void *self)
{
    struct train *s = self;
    device_close(s->device);
    free(s);
}

uint64_t lm_train_micro_batch(uint64_t context)
{
    return context < LEAF_TOKENS ? LEAF_TOKENS / context : 1;
}

/* Micro-shards of a step. */
static uint64_t width(const struct gm_params *p)
{
    static const unsigned needed[] = {
        LM_BATCH, LM_MICRO_BATCH, LM_ACCUMULATION, LM_CONTEXT};
    for (unsigned i = 0; i < 4; i++) {
        if (!gm_param_given(p, needed[i]))
            return 0;
    }
    uint64_t micro = count(p, LM_MICRO_BATCH), batch;
    if (micro == 0)
        micro = lm_train_micro_batch(count(p, LM_CONTEXT));
    if (__builtin_mul_overflow(count(p, LM_BATCH), count(p, LM_ACCUMULATION), &batch))
        return 0;
    return batch / micro + (batch % micro != 0);
}

const struct gm_kernel lm_train_kernel = {
    .abi = GM_KERNEL_ABI,
    .size = sizeof(struct gm_kernel),
    .name = "lm.train",
    .summary = "train a language model on a text, data-parallel over its ranks",
    .params = lm_train_params,
    .n_params = LM_N_PARAMS,
    .outputs = lm_train_outputs,
    .n_outputs = LM_N_OUTPUTS,
    .traits = GM_BOUND_COMPUTE | GM_ON_CPU | GM_TAKES_GROUP,
    .open = open_,
    .begin = begin,
    .step = step,
    .end = end,
    .save = save,
    .load = load,
    .close = close_,
    .width = width,
    .work = work};
