/* lm.generate: texts that a language model writes, from one prompt or from each line of a
 * shard.
 *
 * What a prompt is given does not depend on the cut into shards, the ranks or the batch:
 * a token is drawn by (seed, number of the prompt, position), and its scores have the
 * same bits in any batch. */
#include "gridmill/kernel.h"
#include "kernels/io/lines.h"
#include "kernels/io/text.h"
#include "kernels/op/threads.h"
#include "lm_decode.h"
#include "lm_text.h"
#include "stopwatch.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    P_MODEL,
    P_PROMPT,
    P_TOKENIZER,
    P_VOCABULARY,
    P_MERGES,
    P_MAX_TOKENS,
    P_STOP,
    P_TEMPERATURE,
    P_TOP_K,
    P_TOP_P,
    P_SEED,
    P_BATCH
};

enum { O_PROMPT, O_TEXT, O_BYTES, O_TOKENS, O_IDS, O_TOTAL, O_TOKENS_PER_S };

static const struct gm_param_spec params[] = {
    [P_MODEL] = {.name = "model",
                 .help =
                     "a model of lm.train, safetensors as Hugging Face has them, or a "
                     "llama2.c checkpoint",
                 .type = GM_PARAM_MODEL,
                 .flags = GM_REQUIRED},
    [P_PROMPT] = {.name = "prompt",
                  .help = "what the text goes on from, where there are no shards; \"\": "
                          "the tokenizer's begin",
                  .type = GM_PARAM_STRING},
    [P_TOKENIZER] = {.name = "tokenizer",
                     .help = "how text becomes numbers; model: as the model says",
                     .preset = "model",
                     .choices = LM_TOKENIZERS "|model",
                     .type = GM_PARAM_CHOICE},
    [P_VOCABULARY] = {.name = "vocabulary",
                      .help = LM_VOCABULARY_HELP,
                      .type = GM_PARAM_PATH},
    [P_MERGES] = {.name = "merges", .help = LM_MERGES_HELP, .type = GM_PARAM_PATH},
    [P_MAX_TOKENS] = {.name = "max-tokens",
                      .help = "new tokens of a text, as far as the model's context goes",
                      .unit = "tokens",
                      .preset = "200",
                      .min = 1,
                      .max = 1 << 20,
                      .type = GM_PARAM_INT},
    [P_STOP] = {.name = "stop",
                .help = "a text ends before this; the tokenizer's begin and end always "
                        "end it",
                .type = GM_PARAM_STRING},
    [P_TEMPERATURE] = {.name = "temperature",
                       .help = "0: the likeliest token each time",
                       .preset = "1",
                       .max = 1e6,
                       .type = GM_PARAM_FLOAT},
    [P_TOP_K] = {.name = "top-k",
                 .help = "only the k likeliest tokens; 0: all",
                 .preset = "0",
                 .max = 1 << 30,
                 .type = GM_PARAM_INT},
    [P_TOP_P] = {.name = "top-p",
                 .help = "only the likeliest tokens that have this share together",
                 .preset = "1",
                 .max = 1,
                 .type = GM_PARAM_FLOAT},
    [P_SEED] = {.name = "seed",
                .help = "a token depends on it, the prompt's number and the position",
                .preset = "0",
                .max = 9e15,
                .type = GM_PARAM_INT},
    [P_BATCH] = {.name = "batch",
                 .help = "prompts that are worked on side by side; changes no text",
                 .preset = "16",
                 .min = 1,
                 .max = 1 << 16,
                 .type = GM_PARAM_INT},
};

static const struct gm_output_spec outputs[] = {
    [O_PROMPT] = {.name = "prompt",
                  .help = "number of the prompt: its line in the source, from 0",
                  .unit = "1",
                  .shape = "[prompts]",
                  .dtype = GM_I64,
                  .ndim = 1,
                  .flags = GM_RAGGED},
    [O_TEXT] = {.name = "text",
                .help = "what was written for each prompt, without it, one behind the "
                        "other",
                .unit = "1",
                .shape = "[bytes]",
                .dtype = GM_U8,
                .ndim = 1,
                .flags = GM_RAGGED},
    [O_BYTES] = {.name = "bytes",
                 .help = "length of each prompt's text",
                 .unit = "B",
                 .shape = "[prompts]",
                 .dtype = GM_I64,
                 .ndim = 1,
                 .flags = GM_RAGGED},
    [O_TOKENS] = {.name = "tokens",
                  .help = "tokens of each prompt's text",
                  .unit = "1",
                  .shape = "[prompts]",
                  .dtype = GM_I64,
                  .ndim = 1,
                  .flags = GM_RAGGED},
    [O_IDS] = {.name = "ids",
               .help = "the tokens, one text behind the other",
               .unit = "1",
               .shape = "[tokens]",
               .dtype = GM_I32,
               .ndim = 1,
               .flags = GM_RAGGED},
    [O_TOTAL] = {.name = "new_tokens",
                 .help = "tokens of all texts",
                 .unit = "1",
                 .shape = "",
                 .dtype = GM_I64,
                 .summary = GM_SUM_TOTAL},
    [O_TOKENS_PER_S] = {.name = "tokens_per_s",
                        .help = "new tokens over the time that they took, prompts too",
                        .unit = "1/s",
                        .shape = "",
                        .dtype = GM_F64,
                        .flags = GM_MEASURED,
                        .summary = GM_SUM_MEAN},
};

struct generate {
    struct device *device;
    struct lm_model model;
    /* the task's */
    const struct gm_comm *comm;
    const struct gm_sink *sink;
    struct tokenizer *tokenizer;
    struct lm_text *texts;
    int32_t **prompts; /* [n] their ids */
    size_t n;
    struct lm_decoder *decoder;
    double seconds;
};

static int open_(const struct gm_params *common,
                 const struct gm_seat *seat,
                 void **ret,
                 struct gm_error *err)
{
    (void)common;
    struct generate *s = calloc(1, sizeof(*s));
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

static void end(void *self, int outcome)
{
    (void)outcome;
    struct generate *s = self;
    lm_decoder_free(s->decoder);
    for (size_t i = 0; i < s->n; i++)
        free(s->prompts[i]);
    free(s->prompts);
    free(s->texts);
    tokenizer_free(s->tokenizer);
    *s = (struct generate){.device = s->device, .model = s->model};
}

/* Prompt number s->n: `len` bytes of text. */
static int add_prompt(struct generate *s,
                      uint64_t number,
                      const char *text,
                      size_t len,
                      struct gm_error *err)
{
    char name[48];
    struct lm_text *t = &s->texts[s->n];
    (void)snprintf(name, sizeof(name), "prompt %" PRIu64, number);
    int rc = lm_encode(s->tokenizer,
                       name,
                       text,
                       len,
                       tokenizer_begin(s->tokenizer),
                       &s->prompts[s->n],
                       &t->n_prompt,
                       err);
    if (rc != 0)
        return rc;
    t->number = number;
    t->prompt = s->prompts[s->n++];
    return t->n_prompt > 0
               ? 0
               : gm_fail(err,
                         -EINVAL,
                         "%s: is empty, and the tokenizer %s has no id to begin with",
                         name,
                         tokenizer_name(s->tokenizer));
}

static int make_rooms(struct generate *s, uint64_t n, struct gm_error *err)
{
    s->texts = n <= SIZE_MAX / sizeof(*s->texts) ? calloc(n, sizeof(*s->texts)) : NULL;
    s->prompts = s->texts != NULL ? calloc(n, sizeof(*s->prompts)) : NULL;
    return s->prompts != NULL
               ? 0
               : gm_fail(err, -ENOMEM, "no memory for %" PRIu64 " prompts", n);
}

/* The lines of the shard, "\n" and "\r\n" taken off. */
static int
take_lines(struct generate *s, const struct gm_slice *shard, struct gm_error *err)
{
    AUTO_FREE(char) text = NULL;
    uint64_t begin = 0, past = 0;
    size_t len = 0, at = 0;
    int rc = lines_range(shard->path, shard->first, shard->count, &begin, &past, err);
    if (rc == 0)
        rc = text_read(shard->path, begin, past, &text, &len, err);
    if (rc == 0)
        rc = make_rooms(s, shard->count, err);
    for (uint64_t i = 0; rc == 0 && i < shard->count; i++) {
        const char *line = text + at, *nl = memchr(line, '\n', len - at);
        size_t n = nl == NULL ? len - at : (size_t)(nl - line);
        at += n + (nl != NULL);
        if (n > 0 && line[n - 1] == '\r')
            n--;
        rc = add_prompt(s, shard->first + i, line, n, err);
    }
    return rc;
}

static int
take_prompts(struct generate *s, const struct gm_task *task, struct gm_error *err)
{
    const char *prompt = gm_param_text(task->params, P_PROMPT);
    if (task->shard == NULL && prompt == NULL)
        return gm_fail(err, -EINVAL, "prompt: must be given where there are no shards");
    if (task->shard != NULL && prompt != NULL)
        return gm_fail(err,
                       -EINVAL,
                       "prompt: the shards have the prompts: give one of "
                       "the two");
    if (task->shard != NULL && task->shard->unit != GM_LINES)
        return gm_fail(err, -EINVAL, "shards: lm.generate takes lines, one a prompt");
    if (task->shard != NULL)
        return take_lines(s, task->shard, err);
    int rc = make_rooms(s, 1, err);
    return rc == 0 ? add_prompt(s, 0, prompt, strlen(prompt), err) : rc;
}

static int prepare(struct generate *s, const struct gm_task *task, struct gm_error *err)
{
    const struct gm_params *p = task->params;
    int rc = lm_model_open(&s->model, task, P_MODEL, s->device, err);
    const struct lm_words words = {.kind = gm_param_text(p, P_TOKENIZER),
                                   .vocabulary = gm_param_text(p, P_VOCABULARY),
                                   .merges = gm_param_text(p, P_MERGES),
                                   .model = s->model.weights};
    if (rc == 0)
        rc = lm_tokenizer(&words, &s->tokenizer, err);
    if (rc == 0)
        rc = lm_check_vocabulary(
            s->tokenizer, s->model.name, s->model.network->config.vocab, err);
    if (rc == 0)
        rc = take_prompts(s, task, err);
    const struct lm_decode_options how = {
        .sampler = {.temperature = gm_param_float(p, P_TEMPERATURE),
                    .top_k = (uint64_t)gm_param_int(p, P_TOP_K),
                    .top_p = gm_param_float(p, P_TOP_P),
                    .seed = (uint64_t)gm_param_int(p, P_SEED)},
        .max_tokens = (size_t)gm_param_int(p, P_MAX_TOKENS),
        .batch = (size_t)gm_param_int(p, P_BATCH),
        .stop = gm_param_text(p, P_STOP)};
    if (rc == 0)
        rc = lm_decoder_make(
            s->model.network, s->tokenizer, &how, s->texts, s->n, &s->decoder, err);
    return rc;
}

static int begin(void *self,
                 const struct gm_task *task,
                 const struct gm_sink *sink,
                 struct gm_error *err)
{
    struct generate *s = self;
    s->comm = task->comm;
    s->sink = sink;
    int rc = prepare(s, task, err);
    if (rc != 0)
        end(s, rc);
    return rc;
}

struct written {
    struct str text;
    int64_t *number, *bytes, *tokens; /* [n] */
    int32_t *ids;
    size_t n_ids;
};

static void written_free(struct written *w)
{
    str_free(&w->text);
    free(w->number);
    free(w->bytes);
    free(w->tokens);
    free(w->ids);
}

static int collect(const struct generate *s, struct written *w, struct gm_error *err)
{
    size_t total = 0;
    for (size_t i = 0; i < s->n; i++)
        total += s->texts[i].n;
    w->number = calloc(s->n + 1, sizeof(*w->number));
    w->bytes = calloc(s->n + 1, sizeof(*w->bytes));
    w->tokens = calloc(s->n + 1, sizeof(*w->tokens));
    w->ids = calloc(total + 1, sizeof(*w->ids));
    if (w->number == NULL || w->bytes == NULL || w->tokens == NULL || w->ids == NULL)
        return gm_fail(err, -ENOMEM, "no memory for the texts of %zu prompts", s->n);
    for (size_t i = 0; i < s->n; i++) {
        const struct lm_text *t = &s->texts[i];
        size_t before = w->text.len;
        int rc = lm_decoder_text(s->decoder, t, &w->text, err);
        if (rc != 0)
            return rc;
        w->number[i] = (int64_t)t->number;
        w->bytes[i] = (int64_t)(w->text.len - before);
        w->tokens[i] = (int64_t)t->n;
        memcpy(w->ids + w->n_ids, t->ids, t->n * sizeof(*t->ids));
        w->n_ids += t->n;
    }
    return 0;
}

static int put_texts(const struct generate *s, struct gm_error *err)
{
    const struct gm_sink *sink = s->sink;
    struct written w = {0};
    int rc = collect(s, &w, err);
    const uint64_t n[1] = {s->n}, bytes[1] = {w.text.len}, ids[1] = {w.n_ids};
    if (rc == 0)
        rc = sink->put(sink, O_PROMPT, 1, n, w.number, err);
    if (rc == 0)
        rc = sink->put(sink, O_TEXT, 1, bytes, str_text(&w.text), err);
    if (rc == 0)
        rc = sink->put(sink, O_BYTES, 1, n, w.bytes, err);
    if (rc == 0)
        rc = sink->put(sink, O_TOKENS, 1, n, w.tokens, err);
    if (rc == 0)
        rc = sink->put(sink, O_IDS, 1, ids, w.ids, err);
    if (rc == 0)
        rc = gm_put_i64(sink, O_TOTAL, (int64_t)w.n_ids, err);
    if (rc == 0 && s->seconds > 0)
        rc = gm_put_f64(sink, O_TOKENS_PER_S, (double)w.n_ids / s->seconds, err);
    written_free(&w);
    return rc;
}

static int step(void *self, struct gm_error *err)
{
    struct generate *s = self;
    if (s->comm->cancelled(s->comm))
        return gm_fail(err,
                       -ECANCELED,
                       "stopped after %zu of %zu prompts",
                       lm_decoder_done(s->decoder),
                       s->n);
    double begun = stopwatch_now();
    int more = lm_decoder_step(s->decoder, err);
    s->seconds += stopwatch_now() - begun;
    return more != 0 ? more : put_texts(s, err);
}

static void work(void *self, struct gm_work *ret)
{
    const struct generate *s = self;
    const struct transformer_cost c = lm_decoder_cost(s->decoder);
    ret->flops = c.flops;
    ret->bytes = c.bytes;
}

static void close_(void *self)
{
    struct generate *s = self;
    lm_model_close(&s->model);
    device_close(s->device);
    free(s);
}

const struct gm_kernel lm_generate_kernel = {
    .abi = GM_KERNEL_ABI,
    .size = sizeof(struct gm_kernel),
    .name = "lm.generate",
    .summary = "text that a language model writes from prompts",
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .outputs = outputs,
    .n_outputs = sizeof(outputs) / sizeof(outputs[0]),
    .traits = GM_BOUND_MEMORY | GM_ON_CPU | GM_TAKES_SHARDS,
    .open = open_,
    .begin = begin,
    .step = step,
    .end = end,
    .close = close_,
    .work = work};
