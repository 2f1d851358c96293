/* See h5.h. Invariant: no function leaves an open id behind when it fails, and every
 * failure has the system's own reason in its sentence. */
#include "h5.h"
#include "base/auto.h"
#include "base/memory.h"
#include "gridmill/types.h"
#include <stdlib.h>

_Static_assert(
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
    "results are little-endian: rows and values are written as they lie in memory");

/* H5Pset_file_locking is there. */
#define HAVE_FILE_LOCKING                                                                \
    (H5_VERSION_GE(1, 10, 7) &&                                                          \
     !(H5_VERS_MAJOR == 1 && H5_VERS_MINOR == 12 && H5_VERS_RELEASE == 0))

#define TEXT_MOST (64u << 20) /* bytes of one text that is read from a file */

void h5_release(hid_t *id)
{
    if (*id >= 0)
        (void)H5Idec_ref(*id);
    *id = -1;
}

hid_t h5_steal(hid_t *id)
{
    hid_t stolen = *id;
    *id = -1;
    return stolen;
}

void h5_begin(void)
{
    (void)H5dont_atexit();
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

struct cause {
    int code;
    char text[200]; /* of the innermost entry */
};

static herr_t visit(unsigned n, const H5E_error2_t *entry, void *ctx)
{
    struct cause *c = ctx;
    (void)n;
    if (entry->desc == NULL)
        return 0;
    const char *at = strstr(entry->desc, "errno = ");
    long code = at != NULL ? strtol(at + strlen("errno = "), NULL, 10) : 0;
    if (c->code == 0 && code > 0 && code < 4096)
        c->code = -(int)code;
    if (c->text[0] == '\0')
        (void)snprintf(c->text, sizeof(c->text), "%s", entry->desc);
    return 0;
}

/* What the library says of a damaged file, in fewer words. */
static const struct {
    const char *said, *meant;
} phrases[] = {
    {"file signature not found", "not an HDF5 file"},
    {"truncated file", "the file is cut short"},
    {"object 'job' doesn't exist", "not a results file of Gridmill"},
};

int h5_fail(struct gm_error *err, const char *fmt, ...)
{
    struct cause c = {0};
    (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, visit, &c);
    const char *reason = c.text[0] != '\0' ? c.text : "HDF5 failed and gave no reason";
    if (c.code != 0)
        reason = strerror(-c.code);
    for (size_t i = 0; c.code == 0 && i < sizeof(phrases) / sizeof(phrases[0]); i++) {
        if (strstr(c.text, phrases[i].said) != NULL) {
            reason = phrases[i].meant;
            c.code = -EINVAL;
        }
    }
    int code = c.code != 0 ? c.code : -EIO;
    if (err == NULL)
        return code;
    char what[sizeof(err->text)];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    (void)gm_fail(err, code, "%s", reason);
    return gm_prefix(err, "%s", what);
}

hid_t h5_access(bool latest)
{
    hid_t id = H5Pcreate(H5P_FILE_ACCESS);
    if (id < 0)
        return id;
#if HAVE_FILE_LOCKING
    (void)H5Pset_file_locking(id, true, true);
#endif
    if (latest)
        (void)H5Pset_libver_bounds(id, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    return id;
}

int h5_open(const char *path, unsigned flags, hid_t *ret, struct gm_error *err)
{
    AUTO_ID access = h5_access((flags & H5F_ACC_SWMR_READ) != 0);
    AUTO_FREE(char)
    real = realpath(path, NULL); /* parts lie beside it, not beside a link */
    hid_t id = H5Fopen(real != NULL ? real : path, flags, access);
    if (id < 0)
        return h5_fail(err, "%s", path);
    *ret = id;
    return 0;
}

int h5_open_unlocked(const char *path, hid_t *ret, struct gm_error *err)
{
    AUTO_ID access = h5_access(true);
#if HAVE_FILE_LOCKING
    (void)H5Pset_file_locking(access, false, true);
#endif
    hid_t id = H5Fopen(path, H5F_ACC_RDONLY | H5F_ACC_SWMR_READ, access);
    if (id < 0) /* it may be open in this process: then all open it alike */
        return h5_open(path, H5F_ACC_RDONLY | H5F_ACC_SWMR_READ, ret, err);
    *ret = id;
    return 0;
}

int h5_create(const char *path, hid_t *ret, struct gm_error *err)
{
    AUTO_ID access = h5_access(false);
    (void)H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_LATEST);
    (void)H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    hid_t id = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    if (id < 0)
        return h5_fail(err, "%s", path);
    *ret = id;
    return 0;
}

int h5_close(hid_t *file, const char *path, struct gm_error *err)
{
    hid_t id = *file;
    *file = -1;
    return H5Fclose(id) < 0 ? h5_fail(err, "%s", path) : 0;
}

int h5_group(
    hid_t at, const char *name, const char *help, hid_t *ret, struct gm_error *err)
{
    AUTO_ID how = H5Pcreate(H5P_GROUP_CREATE);
    (void)H5Pset_obj_track_times(how, false);
    AUTO_ID id = H5Gcreate2(at, name, H5P_DEFAULT, how, H5P_DEFAULT);
    if (id < 0)
        return h5_fail(err, "%s", name);
    int rc = h5_put_text(id, "description", help, err);
    if (rc == 0)
        *ret = h5_steal(&id);
    return rc;
}

int h5_open_group(hid_t at, const char *path, hid_t *ret, struct gm_error *err)
{
    hid_t id = H5Gopen2(at, path, H5P_DEFAULT);
    if (id < 0)
        return h5_fail(err, "%s", path);
    *ret = id;
    return 0;
}

hid_t h5_text_type(size_t n)
{
    hid_t id = H5Tcopy(H5T_C_S1);
    if (id >= 0) {
        (void)H5Tset_size(id, n > 0 ? n : 1);
        (void)H5Tset_cset(id, H5T_CSET_UTF8);
        (void)H5Tset_strpad(id, H5T_STR_NULLPAD);
    }
    return id;
}

hid_t h5_dtype(uint32_t dtype)
{
    switch (dtype) {
    case GM_U8:
        return H5T_NATIVE_UINT8;
    case GM_I32:
        return H5T_NATIVE_INT32;
    case GM_I64:
        return H5T_NATIVE_INT64;
    case GM_F32:
        return H5T_NATIVE_FLOAT;
    case GM_F64:
        return H5T_NATIVE_DOUBLE;
    default:
        return -1;
    }
}

static int put(hid_t at,
               const char *name,
               hid_t type,
               hid_t space,
               const void *data,
               struct gm_error *err)
{
    AUTO_ID id = H5Acreate2(at, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    return id < 0 || H5Awrite(id, type, data) < 0 ? h5_fail(err, "%s", name) : 0;
}

int h5_put_text(hid_t at, const char *name, const char *text, struct gm_error *err)
{
    AUTO_ID type = h5_text_type(strlen(text));
    AUTO_ID space = H5Screate(H5S_SCALAR);
    return put(at, name, type, space, text, err);
}

int h5_put_u64(hid_t at, const char *name, uint64_t v, struct gm_error *err)
{
    AUTO_ID space = H5Screate(H5S_SCALAR);
    return put(at, name, H5T_NATIVE_UINT64, space, &v, err);
}

int h5_put_f64(hid_t at, const char *name, double v, struct gm_error *err)
{
    AUTO_ID space = H5Screate(H5S_SCALAR);
    return put(at, name, H5T_NATIVE_DOUBLE, space, &v, err);
}

int h5_put_u64s(
    hid_t at, const char *name, const uint64_t *v, size_t n, struct gm_error *err)
{
    hsize_t dim = n;
    AUTO_ID space = n > 0 ? H5Screate_simple(1, &dim, NULL) : H5Screate(H5S_NULL);
    return put(at, name, H5T_NATIVE_UINT64, space, v, err);
}

static int open_attribute(hid_t at, const char *name, hid_t *ret, struct gm_error *err)
{
    htri_t there = H5Aexists(at, name);
    if (there == 0)
        return gm_fail(err, -ENOENT, "%s: there is no such attribute", name);
    *ret = there > 0 ? H5Aopen(at, name, H5P_DEFAULT) : -1;
    return *ret < 0 ? h5_fail(err, "%s", name) : 0;
}

int h5_get_text(hid_t at, const char *name, char **ret, struct gm_error *err)
{
    AUTO_ID id = -1;
    int rc = open_attribute(at, name, &id, err);
    if (rc != 0)
        return rc;
    AUTO_ID type = H5Aget_type(id);
    AUTO_ID space = H5Aget_space(id);
    size_t n = type >= 0 ? H5Tget_size(type) : 0;
    if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0 ||
        H5Sget_simple_extent_npoints(space) != 1 || n == 0 || n > TEXT_MOST)
        return gm_fail(err, -EINVAL, "%s: not a text of fixed length", name);
    AUTO_FREE(char) text = xcalloc(n + 1, 1);
    if (H5Aread(id, type, text) < 0)
        return h5_fail(err, "%s", name);
    *ret = steal(&text);
    return 0;
}

int h5_get_u64s(hid_t at, const char *name, uint64_t *ret, size_t n, struct gm_error *err)
{
    AUTO_ID id = -1;
    int rc = open_attribute(at, name, &id, err);
    if (rc != 0)
        return rc;
    AUTO_ID type = H5Aget_type(id);
    AUTO_ID space = H5Aget_space(id);
    if (H5Tget_class(type) != H5T_INTEGER ||
        H5Sget_simple_extent_npoints(space) != (hssize_t)n)
        return gm_fail(err, -EINVAL, "%s: not %zu integers", name, n);
    if (H5Aread(id, H5T_NATIVE_UINT64, ret) < 0)
        return h5_fail(err, "%s", name);
    return 0;
}

int h5_get_u64(hid_t at, const char *name, uint64_t *ret, struct gm_error *err)
{
    return h5_get_u64s(at, name, ret, 1, err);
}

int h5_get_f64(hid_t at, const char *name, double *ret, struct gm_error *err)
{
    AUTO_ID id = -1;
    int rc = open_attribute(at, name, &id, err);
    if (rc != 0)
        return rc;
    AUTO_ID type = H5Aget_type(id);
    AUTO_ID space = H5Aget_space(id);
    if (H5Tget_class(type) != H5T_FLOAT || H5Sget_simple_extent_npoints(space) != 1)
        return gm_fail(err, -EINVAL, "%s: not a number", name);
    return H5Aread(id, H5T_NATIVE_DOUBLE, ret) < 0 ? h5_fail(err, "%s", name) : 0;
}
