/* reader_table: rows of a dataset in any HDF5 file. Invariant: the file is anyone's. It
 * is read through once in a child process (reader_table_rows) before any rank reads rows
 * of it; types, extents and storage are looked at before a byte is read. */
#include "base/apart.h"
#include "base/auto.h"
#include "base/memory.h"
#include "h5.h"
#include "reader.h"
#include "row.h"
#include <string.h>

#define LOOK_SECONDS 60u
#define PIECE        (4u << 20) /* bytes read at once while looking */

struct table {
    hid_t file, set, type; /* type: in memory */
    uint32_t dtype;
    unsigned ndim;
    hsize_t dims[GM_MAX_DIMS];
    size_t row_bytes;
};

static void close_table(struct table *t)
{
    h5_release(&t->set);
    h5_release(&t->file);
}

/* The gm_dtype that holds every value of the file's type; 0: none does. */
static uint32_t nearest(hid_t type)
{
    size_t size = H5Tget_size(type);
    if (H5Tget_class(type) == H5T_FLOAT)
        return size <= 4 ? GM_F32 : size == 8 ? GM_F64 : 0;
    if (H5Tget_class(type) != H5T_INTEGER || size > 8)
        return 0;
    bool is_signed = H5Tget_sign(type) != H5T_SGN_NONE;
    if (size == 1 && !is_signed)
        return GM_U8;
    return size < 4 || (size == 4 && is_signed) ? GM_I32 : GM_I64;
}

/* Data in other files could be anything that this user can read. */
static int check_storage(hid_t set, struct gm_error *err)
{
    AUTO_ID how = H5Dget_create_plist(set);
    if (how < 0)
        return h5_fail(err, "its properties");
    if (H5Pget_layout(how) == H5D_VIRTUAL ||
        (H5Pget_layout(how) == H5D_CONTIGUOUS && H5Pget_external_count(how) != 0))
        return gm_fail(
            err, -EINVAL, "its data is in other files, which are not followed");
    return 0;
}

static int look_at_set(struct table *t, struct gm_error *err)
{
    AUTO_ID type = H5Dget_type(t->set);
    AUTO_ID space = H5Dget_space(t->set);
    hsize_t dims[H5S_MAX_RANK];
    int ndim = H5Sget_simple_extent_ndims(space);
    t->dtype = type >= 0 ? nearest(type) : 0;
    if (t->dtype == 0)
        return gm_fail(
            err, -EINVAL, "its elements are no integers or floats of up to 8 bytes");
    if (ndim < 1 || ndim > GM_MAX_DIMS)
        return gm_fail(err, -EINVAL, "must have 1 to %d dimensions", GM_MAX_DIMS);
    (void)H5Sget_simple_extent_dims(space, dims, NULL);
    t->type = h5_dtype(t->dtype);
    t->ndim = (unsigned)ndim;
    t->row_bytes = gm_dtype_size(t->dtype);
    for (unsigned i = 0; i < t->ndim; i++) {
        t->dims[i] = dims[i];
        if (dims[i] > INT64_MAX ||
            (i > 0 && (__builtin_mul_overflow(t->row_bytes, dims[i], &t->row_bytes) ||
                       t->row_bytes > INT64_MAX)))
            return gm_fail(err, -EINVAL, "its extent is impossible");
    }
    return check_storage(t->set, err);
}

/* path: "F.h5:/DATASET" */
static int open_table(const char *path, struct table *ret, struct gm_error *err)
{
    const char *cut = strstr(path, ":/");
    for (const char *next = cut; next != NULL; next = strstr(next + 1, ":/"))
        cut = next;
    if (cut == NULL)
        return gm_fail(err, -EINVAL, "%s: no dataset is named: FILE.h5:/DATASET", path);
    AUTO_FREE(char) file = xcalloc((size_t)(cut - path) + 1, 1);
    memcpy(file, path, (size_t)(cut - path));
    h5_begin();
    struct table t = {.file = -1, .set = -1};
    int rc = h5_open(file, H5F_ACC_RDONLY, &t.file, err);
    if (rc != 0)
        return rc;
    t.set = H5Dopen2(t.file, cut + 1, H5P_DEFAULT);
    rc = t.set < 0 ? gm_fail(err, -ENOENT, "there is no such dataset")
                   : look_at_set(&t, err);
    if (rc != 0) {
        (void)gm_prefix(err, "%s", path);
        close_table(&t);
        return rc;
    }
    *ret = t;
    return 0;
}

/* Values that the type in memory cannot hold (past 2^63) end the read. */
static H5T_conv_ret_t
refuse(H5T_conv_except_t what, hid_t from, hid_t to, void *src, void *dst, void *ctx)
{
    (void)from;
    (void)to;
    (void)src;
    (void)dst;
    bool past = what == H5T_CONV_EXCEPT_RANGE_HI || what == H5T_CONV_EXCEPT_RANGE_LOW;
    if (past)
        *(bool *)ctx = true;
    return past ? H5T_CONV_ABORT : H5T_CONV_UNHANDLED;
}

static int read_rows(const struct table *t,
                     uint64_t first,
                     uint64_t count,
                     void *out,
                     struct gm_error *err)
{
    hsize_t start[GM_MAX_DIMS] = {first}, n[GM_MAX_DIMS];
    memcpy(n, t->dims, sizeof(n));
    n[0] = count;
    bool past = false;
    AUTO_ID how = H5Pcreate(H5P_DATASET_XFER);
    (void)H5Pset_type_conv_cb(how, refuse, &past);
    AUTO_ID memory = H5Screate_simple((int)t->ndim, n, NULL);
    AUTO_ID space = H5Dget_space(t->set);
    if (H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, n, NULL) < 0 ||
        H5Dread(t->set, t->type, memory, space, how, out) < 0)
        return past ? gm_fail(err, -EINVAL, "a number is past what int64 holds")
                    : h5_fail(err, "rows from %llu", (unsigned long long)first);
    return 0;
}

/* A piece at a time through `buf`. */
static int
read_through(const struct table *t, uint64_t piece, void *buf, struct gm_error *err)
{
    int rc = 0;
    for (uint64_t row = 0; rc == 0 && t->row_bytes > 0 && row < t->dims[0];
         row += piece) {
        uint64_t left = t->dims[0] - row;
        rc = read_rows(t, row, left < piece ? left : piece, buf, err);
    }
    return rc;
}

/* Reads all of it once: truncated and damaged data shows here. */
static int look(const void *what, uint64_t *ret_rows, struct gm_error *err)
{
    const char *path = what;
    struct table t;
    int rc = open_table(path, &t, err);
    if (rc != 0)
        return rc;
    uint64_t piece = t.row_bytes > 0 && t.row_bytes < PIECE ? PIECE / t.row_bytes : 1,
             room;
    void *buf =
        __builtin_mul_overflow(piece, t.row_bytes, &room) ? NULL : malloc(room + 1);
    if (buf == NULL)
        rc = gm_fail(err, -ENOMEM, "no memory for a row of %zu bytes", t.row_bytes);
    else
        rc = read_through(&t, piece, buf, err);
    if (rc == 0)
        *ret_rows = t.dims[0];
    else
        (void)gm_prefix(err, "%s", path);
    free(buf);
    close_table(&t);
    return rc;
}

int reader_table_rows(const char *path, uint64_t *ret_rows, struct gm_error *err)
{
    const struct apart a = {look, path, path, "HDF5", LOOK_SECONDS};
    return apart_call(&a, ret_rows, err);
}

static int take_rows(const struct table *t,
                     uint64_t first,
                     uint64_t count,
                     struct reader_value *ret,
                     struct gm_error *err)
{
    uint64_t end, bytes;
    if (__builtin_add_overflow(first, count, &end) || end > t->dims[0])
        return gm_fail(err,
                       -EINVAL,
                       "has %llu rows, not %llu",
                       (unsigned long long)t->dims[0],
                       (unsigned long long)end);
    if (__builtin_mul_overflow(count, t->row_bytes, &bytes) || bytes >= INT64_MAX)
        return gm_fail(err, -EOVERFLOW, "more than memory can hold");
    struct reader_value v = {.dtype = t->dtype, .ndim = t->ndim, .nbytes = bytes};
    for (unsigned i = 0; i < t->ndim; i++)
        v.dims[i] = i == 0 ? count : t->dims[i];
    unsigned char *data = malloc(bytes + 1);
    if (data == NULL)
        return gm_fail(
            err, -ENOMEM, "no memory for %llu bytes", (unsigned long long)bytes);
    int rc = bytes > 0 ? read_rows(t, first, count, data, err) : 0;
    if (rc != 0) {
        free(data);
        return rc;
    }
    data[bytes] = '\0';
    v.data = data;
    *ret = v;
    return 0;
}

int reader_table(const char *path,
                 uint64_t first,
                 uint64_t count,
                 struct reader_value *ret,
                 struct gm_error *err)
{
    struct table t;
    int rc = open_table(path, &t, err);
    if (rc != 0)
        return rc;
    rc = take_rows(&t, first, count, ret, err);
    if (rc != 0)
        (void)gm_prefix(err, "%s", path);
    close_table(&t);
    return rc;
}
