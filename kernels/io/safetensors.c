/* Writing safetensors, and asking one that was read. */
#include "safetensors.h"

#include "base/memory.h"
#include "base/str.h"
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN 8

static const struct {
    const char *word;
    uint32_t dtype;
    unsigned bits;
} types[] = {
    {"F32", GM_F32, 32}, {"F64", GM_F64, 64}, {"I64", GM_I64, 64}, {"I32", GM_I32, 32},
    {"U8", GM_U8, 8},    {"BF16", 0, 16},     {"F16", 0, 16},      {"BOOL", 0, 8},
    {"I8", 0, 8},        {"I16", 0, 16},      {"U16", 0, 16},      {"U32", 0, 32},
    {"U64", 0, 64},      {"F8_E4M3", 0, 8},   {"F8_E5M2", 0, 8},   {"F8_E8M0", 0, 8},
    {"F6_E2M3", 0, 6},   {"F6_E3M2", 0, 6},   {"F4", 0, 4},        {"C64", 0, 64}};

#define N_TYPES (sizeof(types) / sizeof(types[0]))

unsigned safetensors_bits(const char *word, uint32_t *ret_dtype)
{
    for (size_t i = 0; i < N_TYPES; i++) {
        if (strcmp(types[i].word, word) == 0) {
            *ret_dtype = types[i].dtype;
            return types[i].bits;
        }
    }
    return 0;
}

static const char *word_of(const struct safetensors_tensor *t)
{
    size_t i = 0;
    if (t->word != NULL)
        return t->word;
    while (i < N_TYPES && types[i].dtype != t->dtype)
        i++;
    assert(t->dtype != 0 && i < N_TYPES);
    return types[i].word;
}

static size_t shape_bytes(const struct safetensors_tensor *t)
{
    uint32_t dtype;
    size_t n = safetensors_bits(word_of(t), &dtype);
    for (uint32_t d = 0; d < t->ndim; d++)
        n *= t->dims[d];
    return n / 8;
}

/* A string with no escape but those that JSON demands. */
static void put_string(struct str *s, const char *text)
{
    static const char *const names[] = {['"'] = "\\\"",
                                        ['\\'] = "\\\\",
                                        ['\b'] = "\\b",
                                        ['\f'] = "\\f",
                                        ['\n'] = "\\n",
                                        ['\r'] = "\\r",
                                        ['\t'] = "\\t"};
    str_add(s, "\"");
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < sizeof(names) / sizeof(names[0]) && names[c] != NULL)
            str_add(s, names[c]);
        else if (c < 0x20)
            str_printf(s, "\\u%04x", c);
        else
            str_add_n(s, p, 1);
    }
    str_add(s, "\"");
}

static void put_meta(struct str *s, const struct safetensors *st)
{
    str_add(s, "\"__metadata__\":{");
    for (size_t i = 0; i < st->n_meta; i++) {
        str_add(s, i == 0 ? "" : ",");
        put_string(s, st->meta[i].key);
        str_add(s, ":");
        put_string(s, st->meta[i].value);
    }
    str_add(s, "}");
}

static void put_tensor(struct str *s, const struct safetensors_tensor *t, size_t begin)
{
    put_string(s, t->name);
    str_printf(s, ":{\"dtype\":\"%s\",\"shape\":[", word_of(t));
    for (uint32_t d = 0; d < t->ndim; d++)
        str_printf(s, d == 0 ? "%" PRIu64 : ",%" PRIu64, t->dims[d]);
    str_printf(s, "],\"data_offsets\":[%zu,%zu]}", begin, begin + shape_bytes(t));
}

/* begins[i]: where tensor i lies. */
static void put_header(struct str *s, const struct safetensors *st, const size_t *begins)
{
    bool first = true;
    str_add(s, "{");
    for (size_t i = 0; i <= st->n_tensors; i++) {
        if (st->has_meta && i == st->meta_at) {
            str_add(s, first ? "" : ",");
            put_meta(s, st);
            first = false;
        }
        if (i == st->n_tensors)
            break;
        size_t t = st->order == NULL ? i : st->order[i];
        str_add(s, first ? "" : ",");
        put_tensor(s, &st->tensors[t], begins[t]);
        first = false;
    }
    str_add(s, "}");
}

int safetensors_rewrite(const struct safetensors *st,
                        unsigned char **ret,
                        size_t *ret_len,
                        struct gm_error *err)
{
    AUTO_STR text = {0};
    AUTO_FREE(size_t) begins = xcalloc(st->n_tensors + 1, sizeof(*begins));
    size_t data = 0;
    for (size_t i = 0; i < st->n_tensors; i++) {
        begins[i] = data;
        data += shape_bytes(&st->tensors[i]);
    }
    put_header(&text, st, begins);
    size_t header = (text.len + ALIGN - 1) / ALIGN * ALIGN;
    if (st->header >= text.len)
        header = st->header;
    unsigned char *out = malloc(8 + header + data), *at = out;
    if (out == NULL)
        return gm_fail(
            err, -ENOMEM, "no memory for a model of %zu bytes", 8 + header + data);
    for (unsigned i = 0; i < 8; i++)
        *at++ = (unsigned char)((uint64_t)header >> (8 * i));
    memcpy(at, text.text, text.len);
    memset(at + text.len, ' ', header - text.len);
    at += header;
    for (size_t i = 0; i < st->n_tensors; i++) {
        size_t n = shape_bytes(&st->tensors[i]);
        if (n > 0)
            memcpy(at + begins[i], st->tensors[i].data, n);
    }
    *ret = out;
    *ret_len = 8 + header + data;
    return 0;
}

int safetensors_format(const struct safetensors_tensor *tensors,
                       size_t n_tensors,
                       const struct safetensors_meta *meta,
                       size_t n_meta,
                       unsigned char **ret,
                       size_t *ret_len,
                       struct gm_error *err)
{
    const struct safetensors st = {.tensors = (struct safetensors_tensor *)tensors,
                                   .n_tensors = n_tensors,
                                   .meta = (struct safetensors_meta *)meta,
                                   .n_meta = n_meta,
                                   .has_meta = n_meta > 0};
    return safetensors_rewrite(&st, ret, ret_len, err);
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
