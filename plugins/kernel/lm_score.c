/* lm.score: how well a language model foretells text.
 *
 * A document is a line, or all of the text. It is read in windows of `window` tokens that
 * begin `stride` tokens apart, and a token is scored in the first window that foretells
 * it, from the tokens before it there; so each is scored once. A document's first token
 * is scored where the tokenizer has an id to begin with, else it is only read. A
 * document's score does not depend on what stands beside it: lines have the same for any
 * cut. */
#include "gridmill/kernel.h"
#include "kernels/io/lines.h"
#include "kernels/io/text.h"
#include "kernels/op/real.h"
#include "kernels/op/threads.h"
#include "lm_text.h"
#include "stopwatch.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    P_MODEL,
    P_DATA,
    P_DOCUMENT,
    P_TOKENIZER,
    P_VOCABULARY,
    P_MERGES,
    P_WINDOW,
    P_STRIDE,
    P_BATCH
};

enum {
    O_NATS,
    O_TOKENS,
    O_BYTES,
    O_NATS_PER_TOKEN,
    O_BITS_PER_BYTE,
    O_PERPLEXITY,
    O_DOCUMENT_NATS,
    O_DOCUMENT_TOKENS,
    O_TOKENS_PER_S
};

static const struct gm_param_spec params[] = {
    [P_MODEL] = {.name = "model",
                 .help =
                     "a model of lm.train, safetensors as Hugging Face has them, or a "
                     "llama2.c checkpoint",
                 .type = GM_PARAM_MODEL,
                 .flags = GM_REQUIRED},
    [P_DATA] = {.name = "data",
                .help = "the text, plain or gzip; not needed where `shards` say which",
                .type = GM_PARAM_PATH},
    [P_DOCUMENT] = {.name = "document",
                    .help =
                        "what is scored by itself: all of the text (of the shard), or "
                        "each line, without its end",
                    .preset = "text",
                    .choices = "text|line",
                    .type = GM_PARAM_CHOICE},
    [P_TOKENIZER] = {.name = "tokenizer",
                     .help = "how text becomes numbers; model: as the model says",
                     .preset = "model",
                     .choices = LM_TOKENIZERS "|model",
                     .type = GM_PARAM_CHOICE},
    [P_VOCABULARY] = {.name = "vocabulary",
                      .help = LM_VOCABULARY_HELP,
                      .type = GM_PARAM_PATH},
    [P_MERGES] = {.name = "merges", .help = LM_MERGES_HELP, .type = GM_PARAM_PATH},
    [P_WINDOW] = {.name = "window",
                  .help = "tokens that are read at once; 0: the model's context",
                  .unit = "tokens",
                  .preset = "0",
                  .max = 1 << 20,
                  .type = GM_PARAM_INT},
    [P_STRIDE] =
        {.name = "stride",
         .help =
             "from one window's beginning to the next one's; 0: the window. Below it, "
             "a token has window - stride tokens before it at least",
         .unit = "tokens",
         .preset = "0",
         .max = 1 << 20,
         .type = GM_PARAM_INT},
    [P_BATCH] = {.name = "batch",
                 .help = "windows that are worked on side by side; changes no score",
                 .preset = "8",
                 .min = 1,
                 .max = 1 << 16,
                 .type = GM_PARAM_INT},
};

static const struct gm_output_spec outputs[] = {
    [O_NATS] = {.name = "nats",
                .help = "cross-entropy of all tokens that were scored, added up",
                .unit = "nat",
                .shape = "",
                .dtype = GM_F64,
                .summary = GM_SUM_TOTAL},
    [O_TOKENS] = {.name = "tokens",
                  .help = "that were scored",
                  .unit = "1",
                  .shape = "",
                  .dtype = GM_I64,
                  .summary = GM_SUM_TOTAL},
    [O_BYTES] = {.name = "bytes",
                 .help = "of the documents",
                 .unit = "B",
                 .shape = "",
                 .dtype = GM_I64,
                 .summary = GM_SUM_TOTAL},
    [O_NATS_PER_TOKEN] = {.name = "nats_per_token",
                          .help = "nats / tokens; NaN for none",
                          .unit = "nat",
                          .shape = "",
                          .weight = "tokens",
                          .dtype = GM_F64,
                          .summary = GM_SUM_MEAN},
    [O_BITS_PER_BYTE] = {.name = "bits_per_byte",
                         .help = "nats / log(2) / bytes; NaN for none",
                         .unit = "bit",
                         .shape = "",
                         .weight = "bytes",
                         .dtype = GM_F64,
                         .summary = GM_SUM_MEAN},
    [O_PERPLEXITY] = {.name = "perplexity",
                      .help = "exp(nats_per_token): of several shards, exp of their mean",
                      .unit = "1",
                      .shape = "",
                      .dtype = GM_F64},
    [O_DOCUMENT_NATS] = {.name = "document_nats",
                         .help = "nats of each document",
                         .unit = "nat",
                         .shape = "[documents]",
                         .dtype = GM_F64,
                         .ndim = 1,
                         .flags = GM_RAGGED},
    [O_DOCUMENT_TOKENS] = {.name = "document_tokens",
                           .help = "tokens of each document that were scored",
                           .unit = "1",
                           .shape = "[documents]",
                           .dtype = GM_I64,
                           .ndim = 1,
                           .flags = GM_RAGGED},
    [O_TOKENS_PER_S] = {.name = "tokens_per_s",
                        .help = "tokens scored over the time that they took",
                        .unit = "1/s",
                        .shape = "",
                        .dtype = GM_F64,
                        .flags = GM_MEASURED,
                        .summary = GM_SUM_MEAN},
};

struct window {
    size_t document, from; /* its first id's place in s->ids */
    size_t n, skip;        /* tokens that it foretells; of them scored before */
};

struct score {
    struct device *device;
    struct lm_model model;
    /* the task's */
    const struct gm_comm *comm;
    const struct gm_sink *sink;
    struct tokenizer *tokenizer;
    int32_t *ids; /* of all documents, one behind the other */
    size_t n_ids, bytes;
    struct window *windows;
    size_t n_windows, room, done;
    double *nats; /* [documents] */
    int64_t *tokens;
    size_t documents;
    size_t batch, window, stride;
    struct transformer_work *work;
    int32_t *in, *labels; /* [batch][window] */
    float *losses;
    double seconds;
};

static int open_(const struct gm_params *common,
                 const struct gm_seat *seat,
                 void **ret,
                 struct gm_error *err)
{
    (void)common;
    struct score *s = calloc(1, sizeof(*s));
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
    struct score *s = self;
    transformer_work_free(s->work);
    tokenizer_free(s->tokenizer);
    free(s->ids);
    free(s->windows);
    free(s->nats);
    free(s->tokens);
    free(s->in);
    free(s->labels);
    free(s->losses);
    *s = (struct score){.device = s->device, .model = s->model};
}

/* The text of the shard or the file. */
static int
read_text(const struct gm_task *task, char **ret, size_t *ret_len, struct gm_error *err)
{
    const char *path = gm_param_text(task->params, P_DATA);
    const struct gm_slice *shard = task->shard;
    uint64_t begin = 0, past = TEXT_ALL;
    if (shard == NULL && path == NULL)
        return gm_fail(err, -EINVAL, "data: must be given where there are no shards");
    if (shard == NULL)
        return text_read(path, 0, TEXT_ALL, ret, ret_len, err);
    if (shard->unit != GM_LINES)
        return gm_fail(err, -EINVAL, "shards: lm.score takes lines");
    if (path != NULL && strcmp(path, shard->path) != 0)
        return gm_fail(
            err, -EINVAL, "data: is %s, but the shards are of %s", path, shard->path);
    int rc = lines_range(shard->path, shard->first, shard->count, &begin, &past, err);
    return rc == 0 ? text_read(shard->path, begin, past, ret, ret_len, err) : rc;
}

/* The windows of a document whose n ids begin at `from`. */
static int cut(struct score *s, size_t from, size_t n, struct gm_error *err)
{
    size_t scored = 0, want = n > 0 ? n - 1 : 0;
    for (size_t at = 0; scored < want; at += s->stride) {
        struct window w = {.document = s->documents, .from = from + at};
        w.n = want - at < s->window ? want - at : s->window;
        w.skip = scored - at;
        scored = at + w.n;
        if (s->n_windows == s->room) {
            size_t room = s->room == 0 ? 64 : 2 * s->room;
            struct window *grown = realloc(s->windows, room * sizeof(*grown));
            if (grown == NULL)
                return gm_fail(err, -ENOMEM, "no memory for %zu windows", room);
            s->room = room;
            s->windows = grown;
        }
        s->windows[s->n_windows++] = w;
    }
    return 0;
}

static int
add_document(struct score *s, const char *text, size_t len, struct gm_error *err)
{
    AUTO_FREE(int32_t) ids = NULL;
    size_t n = 0;
    int rc = lm_encode(
        s->tokenizer, "text", text, len, tokenizer_begin(s->tokenizer), &ids, &n, err);
    if (rc != 0)
        return rc;
    int32_t *all = realloc(s->ids, (s->n_ids + n + 1) * sizeof(*ids));
    if (all == NULL)
        return gm_fail(err, -ENOMEM, "no memory for %zu tokens", s->n_ids + n);
    s->ids = all;
    memcpy(all + s->n_ids, ids, n * sizeof(*ids));
    rc = cut(s, s->n_ids, n, err);
    s->n_ids += n;
    s->bytes += len;
    s->documents++;
    return rc;
}

static int add_lines(struct score *s, const char *text, size_t len, struct gm_error *err)
{
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < len;) {
        const char *line = text + at, *nl = memchr(line, '\n', len - at);
        size_t n = nl == NULL ? len - at : (size_t)(nl - line);
        at += n + (nl != NULL);
        if (n > 0 && line[n - 1] == '\r')
            n--;
        rc = add_document(s, line, n, err);
    }
    return rc;
}

static int take_windows(struct score *s, const struct gm_params *p, struct gm_error *err)
{
    const size_t context = s->model.network->config.context;
    s->batch = (size_t)gm_param_int(p, P_BATCH);
    s->window = (size_t)gm_param_int(p, P_WINDOW);
    s->stride = (size_t)gm_param_int(p, P_STRIDE);
    if (s->window > context)
        return gm_fail(err,
                       -EINVAL,
                       "window: %zu tokens, where the model's context is %zu",
                       s->window,
                       context);
    if (s->window == 0)
        s->window = context;
    if (s->stride > s->window)
        return gm_fail(err,
                       -EINVAL,
                       "stride: %zu tokens is more than the window's %zu: some would not "
                       "be scored",
                       s->stride,
                       s->window);
    if (s->stride == 0)
        s->stride = s->window;
    return 0;
}

/* Buffers for the widest window that there is. */
static int make_rooms(struct score *s, struct gm_error *err)
{
    size_t longest = 1, room;
    for (size_t i = 0; i < s->n_windows; i++)
        longest = s->windows[i].n > longest ? s->windows[i].n : longest;
    if (s->batch > s->n_windows)
        s->batch = s->n_windows > 0 ? s->n_windows : 1;
    if (__builtin_mul_overflow(s->batch, longest, &room))
        return gm_fail(err, -ENOMEM, "batch: %zu windows", s->batch);
    s->nats = calloc(s->documents + 1, sizeof(*s->nats));
    s->tokens = calloc(s->documents + 1, sizeof(*s->tokens));
    s->in = calloc(room, sizeof(*s->in));
    s->labels = calloc(room, sizeof(*s->labels));
    s->losses = calloc(room, sizeof(*s->losses));
    if (s->nats == NULL || s->tokens == NULL || s->in == NULL || s->labels == NULL ||
        s->losses == NULL)
        return gm_fail(
            err, -ENOMEM, "no memory for %zu windows of %zu tokens", s->batch, longest);
    return transformer_work_make(
        s->model.network, s->batch, longest, false, &s->work, err);
}

static int prepare(struct score *s, const struct gm_task *task, struct gm_error *err)
{
    const struct gm_params *p = task->params;
    AUTO_FREE(char) text = NULL;
    size_t len = 0;
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
        rc = take_windows(s, p, err);
    if (rc == 0)
        rc = read_text(task, &text, &len, err);
    if (rc == 0)
        rc = strcmp(gm_param_text(p, P_DOCUMENT), "line") == 0
                 ? add_lines(s, text, len, err)
                 : add_document(s, text, len, err);
    return rc == 0 ? make_rooms(s, err) : rc;
}

static int begin(void *self,
                 const struct gm_task *task,
                 const struct gm_sink *sink,
                 struct gm_error *err)
{
    struct score *s = self;
    s->comm = task->comm;
    s->sink = sink;
    int rc = prepare(s, task, err);
    if (rc != 0)
        end(s, rc);
    return rc;
}

/* The next windows, padded to the longest of them; each token's loss goes to its
 * document. */
static int score_batch(struct score *s, struct gm_error *err)
{
    const struct window *w = s->windows + s->done;
    const size_t left = s->n_windows - s->done, n = left < s->batch ? left : s->batch;
    size_t tokens = 1;
    struct xent_tokens all;
    for (size_t i = 0; i < n; i++)
        tokens = w[i].n > tokens ? w[i].n : tokens;
    memset(s->in, 0, n * tokens * sizeof(*s->in));
    memset(s->labels, 0xFF, n * tokens * sizeof(*s->labels)); /* -1: does not count */
    for (size_t i = 0; i < n; i++) {
        const int32_t *ids = s->ids + w[i].from;
        memcpy(s->in + i * tokens, ids, w[i].n * sizeof(*ids));
        memcpy(s->labels + i * tokens + w[i].skip,
               ids + 1 + w[i].skip,
               (w[i].n - w[i].skip) * sizeof(*ids));
    }
    int rc = transformer_loss(
        s->model.network, s->work, n, tokens, s->in, s->labels, s->losses, &all, err);
    for (size_t i = 0; i < n && rc == 0; i++) {
        for (size_t t = w[i].skip; t < w[i].n; t++)
            s->nats[w[i].document] += (double)s->losses[i * tokens + t];
        s->tokens[w[i].document] += (int64_t)(w[i].n - w[i].skip);
    }
    s->done += n;
    return rc;
}

static int put_scores(const struct score *s, struct gm_error *err)
{
    const struct gm_sink *sink = s->sink;
    const uint64_t n[1] = {s->documents};
    double nats = 0;
    int64_t tokens = 0;
    for (size_t i = 0; i < s->documents; i++) {
        nats += s->nats[i];
        tokens += s->tokens[i];
    }
    const double mean = tokens > 0 ? nats / (double)tokens : (double)NAN;
    const double bits = s->bytes > 0 ? nats / M_LN2 / (double)s->bytes : (double)NAN;
    int rc = gm_put_f64(sink, O_NATS, nats, err);
    if (rc == 0)
        rc = gm_put_i64(sink, O_TOKENS, tokens, err);
    if (rc == 0)
        rc = gm_put_i64(sink, O_BYTES, (int64_t)s->bytes, err);
    if (rc == 0)
        rc = gm_put_f64(sink, O_NATS_PER_TOKEN, mean, err);
    if (rc == 0)
        rc = gm_put_f64(sink, O_BITS_PER_BYTE, bits, err);
    if (rc == 0)
        rc = gm_put_f64(
            sink, O_PERPLEXITY, tokens > 0 ? real_exp(mean) : (double)NAN, err);
    if (rc == 0)
        rc = sink->put(sink, O_DOCUMENT_NATS, 1, n, s->nats, err);
    if (rc == 0)
        rc = sink->put(sink, O_DOCUMENT_TOKENS, 1, n, s->tokens, err);
    if (rc == 0 && s->seconds > 0)
        rc = gm_put_f64(sink, O_TOKENS_PER_S, (double)tokens / s->seconds, err);
    return rc;
}

static int step(void *self, struct gm_error *err)
{
    struct score *s = self;
    if (s->comm->cancelled(s->comm))
        return gm_fail(
            err, -ECANCELED, "stopped after %zu of %zu windows", s->done, s->n_windows);
    if (s->done == s->n_windows)
        return put_scores(s, err);
    double begun = stopwatch_now();
    int rc = score_batch(s, err);
    s->seconds += stopwatch_now() - begun;
    return rc == 0 ? 1 : rc;
}

/* Forward alone: a third of a training step. */
static void work(void *self, struct gm_work *ret)
{
    const struct score *s = self;
    for (size_t i = 0; i < s->n_windows; i++) {
        const struct transformer_cost c =
            transformer_cost_train(&s->model.network->config, 1, s->windows[i].n);
        ret->flops += c.flops / 3;
        ret->bytes += c.bytes / 3 / (double)s->batch;
    }
}

static void close_(void *self)
{
    struct score *s = self;
    lm_model_close(&s->model);
    device_close(s->device);
    free(s);
}

const struct gm_kernel lm_score_kernel = {
    .abi = GM_KERNEL_ABI,
    .size = sizeof(struct gm_kernel),
    .name = "lm.score",
    .summary = "how well a language model foretells text: nats and perplexity",
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .outputs = outputs,
    .n_outputs = sizeof(outputs) / sizeof(outputs[0]),
    .traits = GM_BOUND_COMPUTE | GM_ON_CPU | GM_TAKES_SHARDS,
    .open = open_,
    .begin = begin,
    .step = step,
    .end = end,
    .close = close_,
    .work = work};
