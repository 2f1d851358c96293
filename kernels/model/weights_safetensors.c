/* Weights from safetensors and to it. */
#include "weights_source.h"

#include "base/memory.h"
#include "kernels/io/safetensors.h"
#include <stdlib.h>
#include <string.h>

bool weights_is_safetensors(const void *bytes, size_t len)
{
    return len > 8 && ((const char *)bytes)[8] == '{';
}

int weights_read_safetensors(const char *origin,
                             const void *bytes,
                             size_t len,
                             struct weights *w,
                             struct gm_error *err)
{
    AUTO(safetensors) st = NULL;
    int rc = safetensors_parse(origin, bytes, len, &st, err);
    for (size_t i = 0; rc == 0 && i < st->n_tensors; i++) {
        const struct safetensors_tensor *from = &st->tensors[i];
        struct weights_tensor t = {.name = from->name,
                                   .word = from->word,
                                   .ndim = from->ndim,
                                   .data = from->data,
                                   .nbytes = from->nbytes};
        memcpy(t.dims, from->dims, sizeof(t.dims));
        rc = weights_add(w, &t, err);
    }
    const char *config = rc == 0 ? safetensors_value(st, "config") : NULL;
    if (config != NULL)
        rc = weights_config_parse(origin, config, strlen(config), &w->config, err);
    if (rc == 0)
        weights_set_tokenizer(
            w, safetensors_value(st, "tokenizer"), safetensors_value(st, "vocabulary"));
    return rc;
}

int weights_format(const struct weights *w,
                   unsigned char **ret,
                   size_t *ret_len,
                   struct gm_error *err)
{
    AUTO_FREE(struct safetensors_tensor)
    tensors = xcalloc(w->n_tensors + 1, sizeof(*tensors));
    for (size_t i = 0; i < w->n_tensors; i++) {
        const struct weights_tensor *t = &w->tensors[i];
        tensors[i] = (struct safetensors_tensor){
            .name = t->name, .word = t->word, .ndim = t->ndim, .data = t->data};
        memcpy(tensors[i].dims, t->dims, sizeof(t->dims));
    }
    AUTO_STR config = {0};
    if (w->config.arch != WEIGHTS_NO_ARCH)
        weights_config_format(&w->config, &config);
    struct safetensors_meta meta[4] = {{"format", "pt"}};
    size_t n_meta = 1;
    if (config.text != NULL)
        meta[n_meta++] = (struct safetensors_meta){"config", config.text};
    if (w->tokenizer != NULL)
        meta[n_meta++] = (struct safetensors_meta){"tokenizer", w->tokenizer};
    if (w->vocabulary != NULL)
        meta[n_meta++] = (struct safetensors_meta){"vocabulary", w->vocabulary};
    return safetensors_format(tensors, w->n_tensors, meta, n_meta, ret, ret_len, err);
}
