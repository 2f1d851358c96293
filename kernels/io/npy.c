/* NumPy's .npy: magic, version, header length, a Python dictionary as text, the array.
 * The header is parsed by its grammar, not searched: three known keys in any order. */
#include "format.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_MAX 65536

struct header {
    const char *path;
    const char *p;
    char descr[16];
    bool fortran, has_order;
    uint32_t ndim;
    uint64_t rows, cols;
};

#define CONVERT(name, type)                                                              \
    static void name(const unsigned char *bytes, size_t n, float *ret)                   \
    {                                                                                    \
        for (size_t i = 0; i < n; i++) {                                                 \
            type v;                                                                      \
            memcpy(&v, bytes + i * sizeof(v), sizeof(v));                                \
            ret[i] = (float)v;                                                           \
        }                                                                                \
    }

CONVERT(from_f4, float)
CONVERT(from_f8, double)
CONVERT(from_i4, int32_t)
CONVERT(from_i8, int64_t)
CONVERT(from_u1, uint8_t)
CONVERT(from_i1, int8_t)

static const struct {
    const char *descr;
    size_t element;
    void (*convert)(const unsigned char *, size_t, float *);
} types[] = {{"<f4", 4, from_f4},
             {"<f8", 8, from_f8},
             {"<i4", 4, from_i4},
             {"<i8", 8, from_i8},
             {"|u1", 1, from_u1},
             {"|i1", 1, from_i1},
             {"|b1", 1, from_u1}};

static void blanks(struct header *h)
{
    while (*h->p == ' ' || *h->p == '\t' || *h->p == '\n')
        h->p++;
}

static bool take(struct header *h, char c)
{
    blanks(h);
    if (*h->p != c)
        return false;
    h->p++;
    return true;
}

/* A quoted word of fewer than `room` characters. */
static bool word(struct header *h, char *ret, size_t room)
{
    blanks(h);
    char mark = *h->p;
    if (mark != '\'' && mark != '"')
        return false;
    const char *end = strchr(h->p + 1, mark);
    if (end == NULL || (size_t)(end - h->p - 1) >= room)
        return false;
    size_t n = (size_t)(end - h->p - 1);
    memcpy(ret, h->p + 1, n);
    ret[n] = '\0';
    h->p = end + 1;
    return true;
}

/* (1797, 64): the first is the rows, the product of the others the columns. */
static bool shape(struct header *h)
{
    if (!take(h, '('))
        return false;
    h->ndim = 0;
    h->cols = 1;
    while (!take(h, ')')) {
        blanks(h);
        if (!isdigit((unsigned char)*h->p))
            return false;
        uint64_t v = 0;
        for (; isdigit((unsigned char)*h->p); h->p++) {
            if (__builtin_mul_overflow(v, 10, &v) ||
                __builtin_add_overflow(v, (uint64_t)(*h->p - '0'), &v))
                return false;
        }
        if (h->ndim == 0)
            h->rows = v;
        else if (__builtin_mul_overflow(h->cols, v, &h->cols))
            return false;
        h->ndim++;
        blanks(h);
        if (!take(h, ',') && *h->p != ')')
            return false;
    }
    return h->ndim > 0 && h->ndim <= 32;
}

static bool truth(struct header *h, bool *ret)
{
    blanks(h);
    *ret = strncmp(h->p, "True", 4) == 0;
    if (!*ret && strncmp(h->p, "False", 5) != 0)
        return false;
    h->p += *ret ? 4 : 5;
    return true;
}

static int dictionary(struct header *h, struct gm_error *err)
{
    bool good = take(h, '{');
    while (good && !take(h, '}')) {
        char key[16];
        good = word(h, key, sizeof(key)) && take(h, ':');
        if (!good)
            break;
        if (strcmp(key, "descr") == 0)
            good = word(h, h->descr, sizeof(h->descr));
        else if (strcmp(key, "fortran_order") == 0)
            good = h->has_order = truth(h, &h->fortran);
        else if (strcmp(key, "shape") == 0)
            good = shape(h);
        else
            good = false;
        if (good && !take(h, ','))
            good = *h->p == '}';
    }
    blanks(h);
    if (!good || *h->p != '\0' || h->descr[0] == '\0' || !h->has_order || h->ndim == 0)
        return gm_fail(
            err,
            -EINVAL,
            "%s: the npy header is not {'descr': '<f4', 'fortran_order': False, "
            "'shape': (rows, columns)} or the like",
            h->path);
    return 0;
}

/* The header's text, terminated, and the offset of the array. */
static int
header_text(struct stream *s, char **ret, uint64_t *ret_data, struct gm_error *err)
{
    unsigned char head[12];
    int rc = stream_need(s, head, 8, "the npy header", err);
    if (rc != 0)
        return rc;
    unsigned version = head[6], bytes = version == 1 ? 2 : 4;
    if (version < 1 || version > 3)
        return gm_fail(err,
                       -EINVAL,
                       "%s: npy version %u.%u is not 1, 2 or 3",
                       stream_path(s),
                       version,
                       head[7]);
    rc = stream_need(s, head + 8, bytes, "the npy header", err);
    if (rc != 0)
        return rc;
    uint32_t len = (uint32_t)head[8] | (uint32_t)head[9] << 8;
    if (bytes == 4)
        len |= (uint32_t)head[10] << 16 | (uint32_t)head[11] << 24;
    if (len > HEADER_MAX)
        return gm_fail(err,
                       -EINVAL,
                       "%s: an npy header of %u bytes is past the limit of %u",
                       stream_path(s),
                       len,
                       HEADER_MAX);
    AUTO_FREE(char) text = malloc((size_t)len + 1);
    if (text == NULL)
        return gm_fail(err, -ENOMEM, "%s: out of memory", stream_path(s));
    rc = stream_need(s, text, len, "the npy header", err);
    if (rc != 0)
        return rc;
    text[len] = '\0';
    *ret_data = 8 + bytes + len;
    *ret = steal(&text);
    return 0;
}

int npy_header(struct stream *s, struct format_array *ret, struct gm_error *err)
{
    AUTO_FREE(char) text = NULL;
    uint64_t data = 0;
    int rc = header_text(s, &text, &data, err);
    if (rc != 0)
        return rc;
    struct header h = {.path = stream_path(s), .p = text};
    rc = dictionary(&h, err);
    if (rc != 0)
        return rc;
    if (h.fortran && h.ndim > 1)
        return gm_fail(err,
                       -EINVAL,
                       "%s: is in Fortran order: save numpy.ascontiguousarray(x) instead",
                       h.path);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(types[i].descr, h.descr) == 0) {
            *ret = (struct format_array){.rows = h.rows,
                                         .cols = h.cols,
                                         .data = data,
                                         .element = types[i].element,
                                         .convert = types[i].convert};
            return 0;
        }
    }
    return gm_fail(err,
                   -EINVAL,
                   "%s: element type '%s' is none of <f4 <f8 <i4 <i8 |u1 |i1 |b1",
                   h.path,
                   h.descr);
}
