/* See element.h. Invariant: whole numbers are printed whole, beyond what a double holds,
 * too. */
#include "element.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const void *at(const struct reader_value *v, uint64_t i)
{
    return (const unsigned char *)v->data + i * gm_dtype_size(v->dtype);
}

static int64_t as_int(const struct reader_value *v, uint64_t i)
{
    int32_t i32;
    int64_t i64;
    switch (v->dtype) {
    case GM_U8:
        return *(const unsigned char *)at(v, i);
    case GM_I32:
        memcpy(&i32, at(v, i), sizeof(i32));
        return i32;
    default:
        memcpy(&i64, at(v, i), sizeof(i64));
        return i64;
    }
}

static float as_float(const struct reader_value *v, uint64_t i)
{
    float f;
    memcpy(&f, at(v, i), sizeof(f));
    return f;
}

static bool is_float(uint32_t dtype)
{
    return dtype == GM_F32 || dtype == GM_F64;
}

double element_double(const struct reader_value *v, uint64_t i)
{
    double d;
    if (v->dtype == GM_F32)
        return (double)as_float(v, i);
    if (v->dtype != GM_F64)
        return (double)as_int(v, i);
    memcpy(&d, at(v, i), sizeof(d));
    return d;
}

uint64_t element_count(const struct reader_value *v)
{
    size_t size = gm_dtype_size(v->dtype);
    return size > 0 ? v->nbytes / size : 0;
}

/* 0.1 and not 0.10000000149011612, which the nearest double is. */
static const char *float_text(float f, char buf[32])
{
    if (!isfinite(f) || (fabsf(f) < 1e15F && f == floorf(f)))
        return str_double((double)f, buf);
    for (int digits = fabsf(f) < 1e-30F ? 1 : 6; digits <= 9; digits++) {
        (void)snprintf(buf, 32, "%.*g", digits, (double)f);
        if (strtof(buf, NULL) == f)
            break;
    }
    return buf;
}

const char *element_text(const struct reader_value *v, uint64_t i, char buf[32])
{
    if (v->dtype == GM_F32)
        return float_text(as_float(v, i), buf);
    if (v->dtype == GM_F64)
        return str_double(element_double(v, i), buf);
    (void)snprintf(buf, 32, "%" PRId64, as_int(v, i));
    return buf;
}

void element_json(const struct reader_value *v, uint64_t i, struct json *j)
{
    char buf[32];
    if (is_float(v->dtype) && !isfinite(element_double(v, i)))
        json_null(j);
    else
        json_raw(j, element_text(v, i, buf));
}

static void
put_part(const struct reader_value *v, uint32_t dim, uint64_t *next, struct json *j)
{
    if (dim == v->ndim) {
        element_json(v, (*next)++, j);
        return;
    }
    json_begin(j, '[');
    for (uint64_t i = 0; i < v->dims[dim]; i++)
        put_part(v, dim + 1, next, j);
    json_end(j, ']');
}

void element_all_json(const struct reader_value *v, struct json *j)
{
    uint64_t next = 0;
    put_part(v, 0, &next, j);
}
