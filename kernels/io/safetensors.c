/* Writing safetensors, and asking one that was read. */
#include "safetensors.h"

#include "base/json.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN 8

static const char *dtype_word(uint32_t dtype)
{
    switch (dtype) {
    case GM_U8:
        return "U8";
    case GM_I32:
        return "I32";
    case GM_I64:
        return "I64";
    case GM_F32:
        return "F32";
    default:
        assert(dtype == GM_F64);
        return "F64";
    }
}

static size_t shape_bytes(const struct safetensors_tensor *t)
{
    size_t n = gm_dtype_size(t->dtype);
    for (uint32_t d = 0; d < t->ndim; d++)
        n *= t->dims[d];
    return n;
}

static void put_tensor(struct json *j, const struct safetensors_tensor *t, size_t begin)
{
    json_key(j, t->name);
    json_begin(j, '{');
    json_put_string(j, "dtype", dtype_word(t->dtype));
    json_key(j, "shape");
    json_begin(j, '[');
    for (uint32_t d = 0; d < t->ndim; d++)
        json_uint(j, t->dims[d]);
    json_end(j, ']');
    json_key(j, "data_offsets");
    json_begin(j, '[');
    json_uint(j, begin);
    json_uint(j, begin + shape_bytes(t));
    json_end(j, ']');
    json_end(j, '}');
}

int safetensors_format(const struct safetensors_tensor *tensors,
                       size_t n_tensors,
                       const struct safetensors_meta *meta,
                       size_t n_meta,
                       unsigned char **ret,
                       size_t *ret_len,
                       struct gm_error *err)
{
    AUTO_JSON j = {0};
    size_t data = 0;
    json_begin(&j, '{');
    if (n_meta > 0) {
        json_key(&j, "__metadata__");
        json_begin(&j, '{');
        for (size_t i = 0; i < n_meta; i++)
            json_put_string(&j, meta[i].key, meta[i].value);
        json_end(&j, '}');
    }
    for (size_t i = 0; i < n_tensors; i++) {
        put_tensor(&j, &tensors[i], data);
        data += shape_bytes(&tensors[i]);
    }
    json_end(&j, '}');
    size_t header = (j.out.len + ALIGN - 1) / ALIGN * ALIGN;
    unsigned char *out = malloc(8 + header + data), *at = out;
    if (out == NULL)
        return gm_fail(
            err, -ENOMEM, "no memory for a model of %zu bytes", 8 + header + data);
    for (unsigned i = 0; i < 8; i++)
        *at++ = (unsigned char)((uint64_t)header >> (8 * i));
    memcpy(at, j.out.text, j.out.len);
    memset(at + j.out.len, ' ', header - j.out.len);
    at += header;
    for (size_t i = 0; i < n_tensors; i++) {
        memcpy(at, tensors[i].data, shape_bytes(&tensors[i]));
        at += shape_bytes(&tensors[i]);
    }
    *ret = out;
    *ret_len = 8 + header + data;
    return 0;
}

const struct safetensors_tensor *safetensors_find(const struct safetensors *st,
                                                  const char *name)
{
    for (size_t i = 0; i < st->n_tensors; i++) {
        if (strcmp(st->tensors[i].name, name) == 0)
            return &st->tensors[i];
    }
    return NULL;
}

const char *safetensors_value(const struct safetensors *st, const char *key)
{
    for (size_t i = 0; i < st->n_meta; i++) {
        if (strcmp(st->meta[i].key, key) == 0)
            return st->meta[i].value;
    }
    return NULL;
}

void safetensors_free(struct safetensors *st)
{
    if (st != NULL)
        arena_free(st->arena);
}
