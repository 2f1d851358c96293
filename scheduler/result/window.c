/* See window.h. Invariant: a row is handed out only when it lies inside the dataset's
 * extent as it was last seen. */
#include "window.h"
#include "storage.h"
#include <stdlib.h>

/* Bytes under one index of the first dimension. */
static bool row_size(const hsize_t *dims, unsigned ndim, size_t element, size_t *ret)
{
    size_t n = element;
    for (unsigned i = 1; i < ndim; i++) {
        if (__builtin_mul_overflow(n, dims[i], &n) || n > SSIZE_MAX)
            return false;
    }
    *ret = n;
    return true;
}

static int get_dims(struct window *w, struct gm_error *err)
{
    AUTO_ID space = H5Dget_space(w->set);
    if (H5Sget_simple_extent_ndims(space) != (int)w->ndim)
        return gm_fail(err, -EINVAL, "must have %u dimensions", w->ndim);
    (void)H5Sget_simple_extent_dims(space, w->dims, NULL);
    if (!row_size(w->dims, w->ndim, H5Tget_size(w->type), &w->row_bytes))
        return gm_fail(err, -EINVAL, "its extent is impossible");
    return 0;
}

static int check_type(const struct window *w, struct gm_error *err)
{
    AUTO_ID type = H5Dget_type(w->set);
    H5T_class_t class = H5Tget_class(type);
    bool same = class == H5T_COMPOUND ? H5Tequal(type, w->type) > 0
                                      : class == H5Tget_class(w->type) &&
                                            H5Tget_size(type) == H5Tget_size(w->type);
    return same ? 0 : gm_fail(err, -EINVAL, "its type is not what this version writes");
}

int window_open(struct window *w,
                hid_t at,
                const char *name,
                hid_t access,
                hid_t type,
                unsigned ndim,
                size_t bytes,
                struct gm_error *err)
{
    struct window made = {.type = type, .ndim = ndim, .first = UINT64_MAX};
    AUTO_ID set = H5Dopen2(at, name, access);
    if (set < 0)
        return h5_fail(err, "%s", name);
    made.set = set; /* borrowed until it is whole */
    int rc = storage_check(set, err);
    rc = rc == 0 ? check_type(&made, err) : rc;
    rc = rc == 0 ? get_dims(&made, err) : rc;
    if (rc != 0) {
        (void)gm_prefix(err, "%s", name);
        return rc;
    }
    made.room = made.row_bytes > 0 ? bytes / made.row_bytes : 1;
    made.set = h5_steal(&set);
    *w = made;
    return 0;
}

int window_refresh(struct window *w, struct gm_error *err)
{
    if (H5Drefresh(w->set) < 0)
        return h5_fail(err, "refresh");
    w->n = 0;
    return get_dims(w, err);
}

static int select_rows(
    const hsize_t *dims, unsigned ndim, uint64_t first, uint64_t count, hid_t *ret)
{
    hsize_t start[GM_MAX_DIMS + 1] = {first}, n[GM_MAX_DIMS + 1];
    memcpy(n, dims, ndim * sizeof(n[0]));
    n[0] = count;
    *ret = H5Screate_simple((int)ndim, dims, NULL);
    return H5Sselect_hyperslab(*ret, H5S_SELECT_SET, start, NULL, n, NULL) < 0 ? -1 : 0;
}

static int read_rows(
    struct window *w, uint64_t first, uint64_t count, void *out, struct gm_error *err)
{
    hsize_t n = count * (w->row_bytes / H5Tget_size(w->type));
    AUTO_ID memory = H5Screate_simple(1, &n, NULL);
    AUTO_ID space = -1;
    if (select_rows(w->dims, w->ndim, first, count, &space) != 0 ||
        H5Dread(w->set, w->type, memory, space, H5P_DEFAULT, out) < 0)
        return h5_fail(err, "read");
    return 0;
}

int window_read(
    struct window *w, uint64_t first, uint64_t count, void *out, struct gm_error *err)
{
    uint64_t end;
    if (__builtin_add_overflow(first, count, &end) || end > w->dims[0])
        return gm_fail(err, -EINVAL, "rows that are not there");
    if (count == 0 || w->row_bytes == 0)
        return 0;
    if (count > w->room / 2)
        return read_rows(w, first, count, out, err);
    if (w->n == 0 || first < w->first || end > w->first + w->n) {
        uint64_t n = w->dims[0] - first < w->room ? w->dims[0] - first : w->room;
        if (w->buf == NULL && (w->buf = malloc(w->room * w->row_bytes)) == NULL)
            return gm_fail(err, -ENOMEM, "no memory for a read buffer");
        w->n = 0;
        int rc = read_rows(w, first, n, w->buf, err);
        if (rc != 0)
            return rc;
        w->first = first;
        w->n = n;
    }
    memcpy(out, w->buf + (first - w->first) * w->row_bytes, count * w->row_bytes);
    return 0;
}

void window_close(struct window *w)
{
    if (w->ndim > 0)
        h5_release(&w->set);
    free(w->buf);
    *w = (struct window){0};
}
