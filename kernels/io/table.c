/* One front for the table formats. A format is a function that reads a header, or a whole
 * table; the file's first bytes choose. */
#include "table.h"

#include "format.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 65536 /* bytes converted at a time */

enum kind { KIND_CSV, KIND_NPY, KIND_IDX };

void table_free(struct table *t)
{
    free(t->values);
    *t = (struct table){0};
}

int format_alloc(
    const char *path, uint64_t rows, uint64_t cols, struct table *t, struct gm_error *err)
{
    size_t n, bytes;
    if (__builtin_mul_overflow(rows, cols, &n) ||
        __builtin_mul_overflow(n, sizeof(float), &bytes) || bytes > PTRDIFF_MAX)
        return gm_fail(err,
                       -EOVERFLOW,
                       "%s: %" PRIu64 " x %" PRIu64 " values do not fit into memory",
                       path,
                       rows,
                       cols);
    float *values = malloc(bytes == 0 ? 1 : bytes);
    if (values == NULL)
        return gm_fail(err,
                       -ENOMEM,
                       "%s: no memory for %" PRIu64 " x %" PRIu64 " floats",
                       path,
                       rows,
                       cols);
    *t = (struct table){.values = values, .rows = rows, .cols = cols};
    return 0;
}

static int kind_of(struct stream *s, enum kind *ret, struct gm_error *err)
{
    unsigned char head[6] = {0};
    size_t n = 0;
    int rc = stream_peek(s, head, sizeof(head), &n, err);
    if (rc != 0)
        return rc;
    if (n == 0)
        return gm_fail(err, -EINVAL, "%s: is empty", stream_path(s));
    *ret = KIND_CSV;
    if (n == 6 && memcmp(head, "\x93NUMPY", 6) == 0)
        *ret = KIND_NPY;
    else if (n >= 4 && head[0] == 0 && head[1] == 0)
        *ret = KIND_IDX;
    return 0;
}

int table_rows(const char *path, uint64_t *ret_rows, struct gm_error *err)
{
    AUTO(stream) s = NULL;
    enum kind kind = KIND_CSV;
    int rc = stream_open(path, &s, err);
    if (rc == 0)
        rc = kind_of(s, &kind, err);
    if (rc != 0)
        return rc;
    if (kind == KIND_CSV)
        return csv_rows(s, ret_rows, err);
    struct format_array a = {0};
    rc = kind == KIND_NPY ? npy_header(s, &a, err) : idx_header(s, &a, err);
    if (rc == 0)
        rc = format_check_size(s, &a, err);
    if (rc == 0)
        *ret_rows = a.rows;
    return rc;
}

int table_read(const char *path,
               uint64_t first,
               uint64_t count,
               struct table *ret,
               struct gm_error *err)
{
    AUTO(stream) s = NULL;
    enum kind kind = KIND_CSV;
    int rc = stream_open(path, &s, err);
    if (rc == 0)
        rc = kind_of(s, &kind, err);
    if (rc != 0)
        return rc;
    if (kind == KIND_CSV)
        return csv_read(s, first, count, ret, err);
    struct format_array a = {0};
    rc = kind == KIND_NPY ? npy_header(s, &a, err) : idx_header(s, &a, err);
    if (rc == 0)
        rc = format_check_size(s, &a, err);
    return rc == 0 ? format_read(s, &a, first, count, ret, err) : rc;
}

int format_check_size(const struct stream *s,
                      const struct format_array *a,
                      struct gm_error *err)
{
    uint64_t n, bytes, end, size;
    if (__builtin_mul_overflow(a->rows, a->cols, &n) ||
        __builtin_mul_overflow(n, a->element, &bytes) ||
        __builtin_add_overflow(bytes, a->data, &end))
        return gm_fail(
            err, -EINVAL, "%s: the header's sizes multiply past 2^64", stream_path(s));
    if (!stream_size(s, &size))
        return 0;
    if (size < end)
        return gm_fail(err,
                       -EINVAL,
                       "%s: has %" PRIu64 " bytes where its header promises %" PRIu64
                       ": the file is truncated",
                       stream_path(s),
                       size,
                       end);
    if (size > end)
        return gm_fail(err,
                       -EINVAL,
                       "%s: has %" PRIu64 " bytes after its last row",
                       stream_path(s),
                       size - end);
    return 0;
}

/* The first value of row `row` that is not finite, or nothing: 0. */
static int check_finite(const char *path,
                        const float *v,
                        uint64_t n,
                        uint64_t cols,
                        uint64_t row,
                        struct gm_error *err)
{
    for (uint64_t i = 0; i < n; i++) {
        if (!isfinite(v[i]))
            return gm_fail(err,
                           -EINVAL,
                           "%s: row %" PRIu64 ", column %" PRIu64
                           ": the value is not a finite number",
                           path,
                           row + i / cols,
                           i % cols + 1);
    }
    return 0;
}

/* Reads past `n` bytes. */
static int skip(struct stream *s, uint64_t n, struct gm_error *err)
{
    unsigned char buf[4096];
    while (n > 0) {
        size_t part = n < sizeof(buf) ? (size_t)n : sizeof(buf);
        int rc = stream_need(s, buf, part, "the array", err);
        if (rc != 0)
            return rc;
        n -= part;
    }
    return 0;
}

int format_read(struct stream *s,
                const struct format_array *a,
                uint64_t first,
                uint64_t count,
                struct table *ret,
                struct gm_error *err)
{
    const char *path = stream_path(s);
    if (first > a->rows || (count != TABLE_ALL && count > a->rows - first))
        return gm_fail(err,
                       -EINVAL,
                       "%s: has %" PRIu64 " rows, row %" PRIu64 " is asked for",
                       path,
                       a->rows,
                       count == TABLE_ALL ? first : first + count - 1);
    uint64_t rows = count == TABLE_ALL ? a->rows - first : count;
    /* a gzipped file cannot be measured, so memory is only taken as data comes */
    struct table t = {0};
    int rc = skip(s, first * a->cols * a->element, err);
    if (rc == 0)
        rc = format_alloc(path, rows, a->cols, &t, err);
    unsigned char block[BLOCK];
    uint64_t total = rows * a->cols, per = BLOCK / a->element;
    for (uint64_t at = 0; at < total && rc == 0; at += per) {
        size_t n = (size_t)(total - at < per ? total - at : per);
        rc = stream_need(s, block, n * a->element, "the array", err);
        if (rc == 0)
            a->convert(block, n, t.values + at);
    }
    if (rc == 0)
        rc = check_finite(path, t.values, total, a->cols, first, err);
    if (rc != 0)
        table_free(&t);
    else
        *ret = t;
    return rc;
}

static void from_tensor(uint32_t dtype, const void *data, uint64_t n, float *ret)
{
    for (uint64_t i = 0; i < n; i++) {
        switch (dtype) {
        case GM_U8:
            ret[i] = (float)((const uint8_t *)data)[i];
            break;
        case GM_I32:
            ret[i] = (float)((const int32_t *)data)[i];
            break;
        case GM_I64:
            ret[i] = (float)((const int64_t *)data)[i];
            break;
        case GM_F32:
            ret[i] = ((const float *)data)[i];
            break;
        default:
            ret[i] = (float)((const double *)data)[i];
            break;
        }
    }
}

int table_convert(const char *origin,
                  uint32_t dtype,
                  uint32_t ndim,
                  const uint64_t *dims,
                  const void *data,
                  struct table *ret,
                  struct gm_error *err)
{
    if (gm_dtype_size(dtype) == 0)
        return gm_fail(err, -EINVAL, "%s: element type %u is not known", origin, dtype);
    if (ndim == 0)
        return gm_fail(err, -EINVAL, "%s: is a scalar where a table is wanted", origin);
    uint64_t cols = 1;
    for (uint32_t d = 1; d < ndim; d++) {
        if (__builtin_mul_overflow(cols, dims[d], &cols))
            return gm_fail(err, -EINVAL, "%s: its dimensions multiply past 2^64", origin);
    }
    struct table t = {0};
    int rc = format_alloc(origin, dims[0], cols, &t, err);
    if (rc != 0)
        return rc;
    from_tensor(dtype, data, t.rows * t.cols, t.values);
    rc = check_finite(origin, t.values, t.rows * t.cols, cols, 0, err);
    if (rc != 0)
        table_free(&t);
    else
        *ret = t;
    return rc;
}
