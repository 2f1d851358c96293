/* The texts of a batch stand at one position, as the cache wants it: the shortest prompt
 * is taken at once, and then a token a text and call, which a longer prompt gives and a
 * shorter one draws. So nothing is padded; batches are made of prompts of like length. */
#include "lm_decode.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct lm_decoder {
    const struct transformer *network;
    const struct tokenizer *tokenizer;
    struct lm_decode_options how;
    size_t stop_len;
    struct lm_text *texts;
    struct lm_text **order; /* [n] by the length of their prompts */
    size_t n, done;         /* of order[], in batches that are over */
    size_t rows;            /* of the cache */
    size_t in_batch, at;    /* texts of the batch that runs; tokens in the cache */
    size_t most;            /* tokens that the cache holds */
    struct transformer_cache *cache;
    struct sampler *sampler;
    int32_t *ids; /* [rows][most]: what is fed */
    int32_t end, begin;
    struct transformer_cost cost;
};

static int by_length(const void *a, const void *b)
{
    const struct lm_text *x = *(struct lm_text *const *)a,
                         *y = *(struct lm_text *const *)b;
    if (x->n_prompt != y->n_prompt)
        return x->n_prompt < y->n_prompt ? -1 : 1;
    return x < y ? -1 : x > y;
}

static int order_texts(struct lm_decoder *d, struct gm_error *err)
{
    const size_t context = d->network->config.context;
    size_t longest = 0;
    for (size_t i = 0; i < d->n; i++) {
        struct lm_text *t = &d->texts[i];
        if (t->n_prompt == 0 || t->n_prompt > context)
            return gm_fail(err,
                           -EINVAL,
                           "prompt %" PRIu64
                           " has %zu tokens where the network takes 1 to %zu",
                           t->number,
                           t->n_prompt,
                           context);
        longest = t->n_prompt > longest ? t->n_prompt : longest;
        d->order[i] = t;
    }
    /* the last token that is made is not fed */
    d->most =
        d->how.max_tokens > context - longest ? context : longest + d->how.max_tokens - 1;
    qsort(d->order, d->n, sizeof(struct lm_text *), by_length);
    return 0;
}

static int make_rooms(struct lm_decoder *d, struct gm_error *err)
{
    size_t room, fed;
    for (size_t i = 0; i < d->n; i++) {
        struct lm_text *t = &d->texts[i];
        room = d->network->config.context + 1 - t->n_prompt;
        room = d->how.max_tokens < room ? d->how.max_tokens : room;
        t->ids = calloc(room + 1, sizeof(*t->ids));
        if (t->ids == NULL)
            return gm_fail(err, -ENOMEM, "no memory for a text of %zu tokens", room);
    }
    if (__builtin_mul_overflow(d->rows, d->most, &fed) ||
        (d->ids = calloc(fed, sizeof(*d->ids))) == NULL)
        return gm_fail(err,
                       -ENOMEM,
                       "no memory for %zu texts of %zu tokens: lower batch or max-tokens",
                       d->rows,
                       d->most);
    return 0;
}

int lm_decoder_make(const struct transformer *t,
                    const struct tokenizer *k,
                    const struct lm_decode_options *how,
                    struct lm_text *texts,
                    size_t n,
                    struct lm_decoder **ret,
                    struct gm_error *err)
{
    const size_t vocab =
        tokenizer_vocab(k) < t->config.vocab ? tokenizer_vocab(k) : t->config.vocab;
    AUTO(lm_decoder) d = calloc(1, sizeof(*d));
    if (d == NULL)
        return gm_fail(err, -ENOMEM, "out of memory");
    d->network = t;
    d->tokenizer = k;
    d->how = *how;
    d->stop_len = how->stop == NULL ? 0 : strlen(how->stop);
    d->texts = texts;
    d->n = n;
    d->rows = how->batch < n ? how->batch : n;
    d->order = calloc(n + 1, sizeof(struct lm_text *));
    if (d->order == NULL)
        return gm_fail(err, -ENOMEM, "no memory for %zu prompts", n);
    d->begin = tokenizer_begin(k);
    d->end = tokenizer_end(k);
    int rc = sampler_make(&how->sampler, vocab, &d->sampler, err);
    if (rc == 0)
        rc = order_texts(d, err);
    if (rc == 0 && n > 0)
        rc = make_rooms(d, err);
    if (rc == 0 && n > 0)
        rc = transformer_cache_make(t, d->rows, d->most, &d->cache, err);
    if (rc == 0)
        *ret = steal(&d);
    return rc;
}

void lm_decoder_free(struct lm_decoder *d)
{
    if (d == NULL)
        return;
    for (size_t i = 0; i < d->n; i++) {
        free(d->texts[i].ids);
        d->texts[i].ids = NULL;
        str_free(&d->texts[i].tail);
    }
    transformer_cache_free(d->cache);
    sampler_free(d->sampler);
    free(d->order);
    free(d->ids);
    free(d);
}

/* The next batch's prompts, as far as all of them go. Returns how many tokens. */
static size_t begin_batch(struct lm_decoder *d)
{
    const size_t left = d->n - d->done;
    struct lm_text **batch = d->order + d->done;
    d->in_batch = left < d->rows ? left : d->rows;
    d->at = 0;
    transformer_cache_cut(d->cache, 0);
    const size_t common = batch[0]->n_prompt;
    memset(d->ids, 0, d->rows * common * sizeof(*d->ids));
    for (size_t i = 0; i < d->in_batch; i++) {
        memcpy(d->ids + i * common, batch[i]->prompt, common * sizeof(*d->ids));
        tokenizer_stream_begin(&batch[i]->stream, d->tokenizer);
    }
    return common;
}

/* Whether the text has come to its stop; keeps what the stop may have begun in. */
static int
meets_stop(struct lm_decoder *d, struct lm_text *t, int32_t id, struct gm_error *err)
{
    if (d->stop_len == 0)
        return 0;
    for (size_t i = 0; t->n == 0 && i < t->n_prompt; i++) {
        int rc = tokenizer_stream_put(&t->stream, t->prompt[i], &t->tail, err);
        str_clear(&t->tail);
        if (rc != 0)
            return rc;
    }
    int rc = tokenizer_stream_put(&t->stream, id, &t->tail, err);
    if (rc != 0 || t->tail.len < d->stop_len)
        return rc;
    if (memmem(t->tail.text, t->tail.len, d->how.stop, d->stop_len) != NULL)
        return 1;
    size_t keep = d->stop_len - 1;
    memmove(t->tail.text, t->tail.text + t->tail.len - keep, keep);
    t->tail.text[keep] = '\0';
    t->tail.len = keep;
    return 0;
}

/* The token of `t` at position d->at: its prompt's, or a new one. */
static int next_id(struct lm_decoder *d,
                   struct lm_text *t,
                   const float *logits,
                   struct gm_error *err)
{
    if (t->over)
        return 0;
    if (d->at < t->n_prompt)
        return t->prompt[d->at];
    int32_t id = sampler_pick(d->sampler, logits, t->number, d->at);
    if (id < 0)
        return gm_fail(err,
                       -EDOM,
                       "prompt %" PRIu64
                       ": token %zu: the network's scores are not finite: its "
                       "weights are damaged, or its training diverged",
                       t->number,
                       d->at);
    if (id == d->end || id == d->begin) {
        t->over = true;
        return id;
    }
    int met = meets_stop(d, t, id, err);
    if (met < 0)
        return met;
    t->ids[t->n++] = id;
    t->over =
        met == 1 || t->n == d->how.max_tokens || d->at == d->network->config.context;
    return id;
}

int lm_decoder_step(struct lm_decoder *d, struct gm_error *err)
{
    if (d->done == d->n || d->how.max_tokens == 0)
        return 0;
    const size_t tokens = d->in_batch == 0 ? begin_batch(d) : 1;
    const size_t vocab = d->network->config.vocab;
    const float *logits = NULL;
    int rc = transformer_next(d->network, d->cache, tokens, d->ids, &logits, err);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < tokens; i++) {
        struct transformer_cost c =
            transformer_cost_next(&d->network->config, d->rows, d->at + i);
        d->cost.flops += c.flops;
        d->cost.bytes += i == 0 ? c.bytes : 0; /* the weights serve all of a call's */
    }
    d->at += tokens;
    bool more = false;
    for (size_t i = 0; i < d->in_batch; i++) {
        struct lm_text *t = d->order[d->done + i];
        int id = next_id(d, t, logits + i * vocab, err);
        if (id < 0)
            return id;
        d->ids[i] = id;
        more = more || !t->over;
    }
    if (more)
        return 1;
    d->done += d->in_batch;
    d->in_batch = 0;
    return d->done < d->n;
}

int lm_decoder_text(const struct lm_decoder *d,
                    const struct lm_text *text,
                    struct str *ret,
                    struct gm_error *err)
{
    AUTO_STR all = {0};
    struct tokenizer_stream s;
    int rc = 0;
    tokenizer_stream_begin(&s, d->tokenizer);
    for (size_t i = 0; rc == 0 && i < text->n_prompt; i++)
        rc = tokenizer_stream_put(&s, text->prompt[i], &all, err);
    str_clear(&all);
    for (size_t i = 0; rc == 0 && i < text->n; i++)
        rc = tokenizer_stream_put(&s, text->ids[i], &all, err);
    if (rc != 0)
        return rc;
    tokenizer_stream_end(&s, &all);
    const char *stop = d->stop_len == 0 || all.len == 0
                           ? NULL
                           : memmem(all.text, all.len, d->how.stop, d->stop_len);
    str_add_n(ret, str_text(&all), stop != NULL ? (size_t)(stop - all.text) : all.len);
    return 0;
}

size_t lm_decoder_done(const struct lm_decoder *d)
{
    return d->done;
}

struct transformer_cost lm_decoder_cost(const struct lm_decoder *d)
{
    return d->cost;
}
