/* IDX, the format of MNIST: two zero bytes, an element type, the number of dimensions,
 * each dimension and the array, all big-endian (LeCun, Cortes and Burges, "The MNIST
 * database"). */
#include "format.h"

#include <string.h>

static void from_u8(const unsigned char *bytes, size_t n, float *ret)
{
    for (size_t i = 0; i < n; i++)
        ret[i] = (float)bytes[i];
}

static void from_i8(const unsigned char *bytes, size_t n, float *ret)
{
    for (size_t i = 0; i < n; i++)
        ret[i] = (float)(int8_t)bytes[i];
}

static uint32_t big32(const unsigned char *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static uint64_t big64(const unsigned char *b)
{
    return (uint64_t)big32(b) << 32 | big32(b + 4);
}

static void from_i16(const unsigned char *bytes, size_t n, float *ret)
{
    for (size_t i = 0; i < n; i++)
        ret[i] = (float)(int16_t)((uint16_t)(bytes[2 * i] << 8) | bytes[2 * i + 1]);
}

static void from_i32(const unsigned char *bytes, size_t n, float *ret)
{
    for (size_t i = 0; i < n; i++)
        ret[i] = (float)(int32_t)big32(bytes + 4 * i);
}

static void from_f32(const unsigned char *bytes, size_t n, float *ret)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = big32(bytes + 4 * i);
        memcpy(&ret[i], &bits, sizeof(bits));
    }
}

static void from_f64(const unsigned char *bytes, size_t n, float *ret)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = big64(bytes + 8 * i);
        double v;
        memcpy(&v, &bits, sizeof(v));
        ret[i] = (float)v;
    }
}

static const struct {
    unsigned char code;
    size_t element;
    void (*convert)(const unsigned char *, size_t, float *);
} types[] = {{0x08, 1, from_u8},
             {0x09, 1, from_i8},
             {0x0B, 2, from_i16},
             {0x0C, 4, from_i32},
             {0x0D, 4, from_f32},
             {0x0E, 8, from_f64}};

int idx_header(struct stream *s, struct format_array *ret, struct gm_error *err)
{
    const char *path = stream_path(s);
    unsigned char head[4], dim[4];
    int rc = stream_need(s, head, sizeof(head), "the IDX header", err);
    if (rc != 0)
        return rc;
    struct format_array a = {.cols = 1};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (types[i].code == head[2]) {
            a.element = types[i].element;
            a.convert = types[i].convert;
        }
    }
    if (a.convert == NULL)
        return gm_fail(err,
                       -EINVAL,
                       "%s: IDX element type 0x%02x is none of 08 09 0b 0c 0d 0e",
                       path,
                       head[2]);
    if (head[3] == 0 || head[3] > GM_MAX_DIMS)
        return gm_fail(err,
                       -EINVAL,
                       "%s: %u IDX dimensions where 1 to %d are possible",
                       path,
                       head[3],
                       GM_MAX_DIMS);
    for (unsigned d = 0; d < head[3]; d++) {
        rc = stream_need(s, dim, sizeof(dim), "the IDX header", err);
        if (rc != 0)
            return rc;
        if (d == 0)
            a.rows = big32(dim);
        else if (__builtin_mul_overflow(a.cols, big32(dim), &a.cols))
            return gm_fail(
                err, -EINVAL, "%s: the IDX dimensions multiply past 2^64", path);
    }
    a.data = stream_offset(s);
    *ret = a;
    return 0;
}
