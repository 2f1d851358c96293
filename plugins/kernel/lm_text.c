/* A reference's bytes live as long as the task, a mapped file as long as its weights: so
 * the network, which copies, is what is kept, and the weights of a reference are let go.
 */
#include "lm_text.h"

#include "kernels/io/text.h"
#include <stdlib.h>
#include <string.h>

static int
need(const char *file, const char *name, const char *kind, struct gm_error *err)
{
    return file != NULL
               ? 0
               : gm_fail(err, -EINVAL, "%s: tokenizer %s needs this file", name, kind);
}

/* The characters: of the file, of the model, or of the text that is trained on. */
static int chars(const struct lm_words *w, struct tokenizer **ret, struct gm_error *err)
{
    if (w->vocabulary != NULL) {
        AUTO_FREE(char) text = NULL;
        size_t len = 0;
        int rc = text_read(w->vocabulary, 0, TEXT_ALL, &text, &len, err);
        return rc == 0 ? tokenizer_char(w->vocabulary, text, len, ret, err) : rc;
    }
    if (w->model != NULL && w->model->vocabulary != NULL)
        return tokenizer_char("the model's vocabulary",
                              w->model->vocabulary,
                              strlen(w->model->vocabulary),
                              ret,
                              err);
    if (w->text == NULL)
        return need(NULL, "vocabulary", "char", err);
    return tokenizer_char("data", w->text, w->text_len, ret, err);
}

int lm_tokenizer(const struct lm_words *w, struct tokenizer **ret, struct gm_error *err)
{
    const char *kind = w->kind;
    if (strcmp(kind, "model") == 0)
        kind = w->model == NULL ? NULL : w->model->tokenizer;
    if (kind == NULL)
        return gm_fail(err,
                       -EINVAL,
                       "tokenizer: the model does not say which is its own: say "
                       "byte, char, gpt2 or llama2.c");
    if (strcmp(kind, "byte") == 0) {
        *ret = tokenizer_byte();
        return 0;
    }
    if (strcmp(kind, "char") == 0)
        return chars(w, ret, err);
    int rc = need(w->vocabulary, "vocabulary", kind, err);
    if (rc == 0 && strcmp(kind, "llama2.c") == 0)
        return tokenizer_llama2c_open(w->vocabulary, ret, err);
    if (rc == 0 && strcmp(kind, "gpt2") != 0)
        return gm_fail(
            err, -EINVAL, "tokenizer: the model's is '%.40s': not known", kind);
    if (rc == 0)
        rc = need(w->merges, "merges", kind, err);
    return rc == 0 ? tokenizer_gpt2_open(w->vocabulary, w->merges, ret, err) : rc;
}

int lm_encode(struct tokenizer *t,
              const char *origin,
              const char *text,
              size_t len,
              int32_t begin,
              int32_t **ret,
              size_t *ret_n,
              struct gm_error *err)
{
    size_t most = tokenizer_most(t, len), room, n = 0;
    size_t first = begin != TOKENIZER_NONE ? 1 : 0;
    int32_t *ids = NULL;
    if (!__builtin_add_overflow(most, first + 1, &room))
        ids = calloc(room, sizeof(*ids));
    if (ids == NULL)
        return gm_fail(err, -ENOMEM, "%s: no memory for its %zu tokens", origin, most);
    ids[0] = begin;
    int rc = len == 0 ? 0 : tokenizer_encode(t, text, len, ids + first, &n, err);
    if (rc != 0) {
        free(ids);
        (void)gm_prefix(err, "%s", origin);
        return rc;
    }
    int32_t *fit = realloc(ids, (first + n + 1) * sizeof(*ids));
    *ret = fit != NULL ? fit : ids;
    *ret_n = first + n;
    return 0;
}

int lm_weights(const struct gm_task *task,
               unsigned param,
               struct weights **ret,
               struct gm_error *err)
{
    const struct gm_input *input = gm_task_input(task, param);
    AUTO(weights) w = NULL;
    const char *name = input != NULL ? input->origin : gm_param_text(task->params, param);
    int rc;
    if (input == NULL)
        rc = weights_open(name, &w, err);
    else if (input->dtype != GM_U8 || input->ndim != 1)
        rc = gm_fail(err, -EINVAL, "%s is not a model", name);
    else
        rc = weights_parse(name, input->data, input->nbytes, &w, err);
    if (rc == 0 && w->config.arch == WEIGHTS_NO_ARCH)
        rc = gm_fail(err,
                     -EINVAL,
                     "%s: does not say what network it is: it has no `config` in its "
                     "metadata, and no config.json beside it",
                     name);
    if (rc == 0)
        *ret = steal(&w);
    return rc;
}

int lm_model_open(struct lm_model *m,
                  const struct gm_task *task,
                  unsigned param,
                  struct device *device,
                  struct gm_error *err)
{
    const struct gm_input *input = gm_task_input(task, param);
    const char *name = input != NULL ? input->origin : gm_param_text(task->params, param);
    if (m->name != NULL && strcmp(m->name, name) == 0)
        return 0;
    lm_model_close(m);
    int rc = lm_weights(task, param, &m->weights, err);
    if (rc == 0)
        rc = transformer_load(m->weights, device, &m->network, err);
    if (rc == 0 && (m->name = strdup(name)) == NULL)
        rc = gm_fail(err, -ENOMEM, "out of memory");
    if (rc != 0)
        lm_model_close(m);
    return rc;
}

void lm_model_close(struct lm_model *m)
{
    transformer_free(m->network);
    weights_free(m->weights);
    free(m->name);
    *m = (struct lm_model){0};
}

int lm_check_vocabulary(const struct tokenizer *t,
                        const char *model,
                        size_t vocab,
                        struct gm_error *err)
{
    if (tokenizer_vocab(t) <= vocab)
        return 0;
    return gm_fail(err,
                   -EINVAL,
                   "tokenizer: %s has %zu ids, but %s knows %zu",
                   tokenizer_name(t),
                   tokenizer_vocab(t),
                   model,
                   vocab);
}
