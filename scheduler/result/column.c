/* See column.h. Invariant: no text or column is read into memory before its type, its
 * extent and a bound on its size have been looked at. */
#include "column.h"
#include "base/memory.h"

#define SMALL     65536u       /* bytes: contiguous up to here */
#define CHUNK     (256u << 10) /* bytes of a chunk, at most: four fit the library's cache */
#define TEXT_MOST (256u << 20) /* bytes of one column of texts that is read */

/* Chunks of whole rows; of parts of a row where one alone is larger. */
static void chunk_shape(const struct column *c, uint64_t bytes, uint64_t *ret)
{
    for (unsigned i = 0; i < c->ndim; i++)
        ret[i] = c->dims[i];
    if (c->chunk_rows > 0) {
        ret[0] = c->chunk_rows < c->dims[0] ? c->chunk_rows : c->dims[0];
        return;
    }
    for (unsigned i = 0; i < c->ndim && bytes > CHUNK; i++) {
        uint64_t below = bytes / ret[i];
        ret[i] = below >= CHUNK ? 1 : CHUNK / below;
        bytes = below * ret[i];
    }
}

int column_chunks(const struct column *c,
                  uint64_t *ret_chunk,
                  bool *ret_chunked,
                  struct gm_error *err)
{
    uint64_t bytes = H5Tget_size(c->type);
    for (unsigned i = 0; i < c->ndim; i++) {
        if (__builtin_mul_overflow(bytes, c->dims[i], &bytes))
            return gm_fail(err, -EOVERFLOW, "%s: larger than a file can be", c->name);
    }
    /* Columns of one table are alike, whatever their types. */
    *ret_chunked = c->chunk_rows > 0 ? c->dims[0] > SMALL / 8 : bytes > SMALL;
    if (*ret_chunked)
        chunk_shape(c, bytes, ret_chunk);
    return 0;
}

void column_set_chunks(hid_t how, const struct column *c, const uint64_t *chunk)
{
    hsize_t extent[GM_MAX_DIMS + 1];
    for (unsigned i = 0; i < c->ndim; i++)
        extent[i] = chunk[i];
    (void)H5Pset_chunk(how, (int)c->ndim, extent);
    if (c->gzip && H5Tget_size(c->type) > 1)
        (void)H5Pset_shuffle(how);
    if (c->gzip)
        (void)H5Pset_deflate(how, COLUMN_DEFLATE);
    (void)H5Pset_fletcher32(how);
}

static int set_layout(hid_t how, const struct column *c, struct gm_error *err)
{
    uint64_t chunk[GM_MAX_DIMS + 1];
    bool chunked = false;
    int rc = column_chunks(c, chunk, &chunked, err);
    if (rc == 0 && chunked)
        column_set_chunks(how, c, chunk);
    return rc;
}

static int describe(hid_t set, const char *unit, const char *help, struct gm_error *err)
{
    int rc = h5_put_text(set, "unit", unit != NULL ? unit : "1", err);
    return rc == 0 ? h5_put_text(set, "description", help != NULL ? help : "", err) : rc;
}

int column_create_as(
    hid_t at, const struct column *c, hid_t how, hid_t *ret, struct gm_error *err)
{
    (void)H5Pset_obj_track_times(how, false);
    if (c->fill != NULL)
        (void)H5Pset_fill_value(how, c->type, c->fill);
    hsize_t dims[GM_MAX_DIMS + 1], most[GM_MAX_DIMS + 1];
    for (unsigned i = 0; i < c->ndim; i++)
        dims[i] = most[i] = c->dims[i];
    most[0] = c->most_rows > dims[0] ? c->most_rows : dims[0];
    AUTO_ID space = H5Screate_simple((int)c->ndim, dims, most);
    AUTO_ID links = H5Pcreate(H5P_LINK_CREATE);
    (void)H5Pset_create_intermediate_group(links, 1);
    AUTO_ID set = H5Dcreate2(at, c->name, c->type, space, links, how, H5P_DEFAULT);
    if (set < 0)
        return h5_fail(err, "%s", c->name);
    int rc = describe(set, c->unit, c->help, err);
    if (rc == 0)
        *ret = h5_steal(&set);
    return rc;
}

int column_create(hid_t at, const struct column *c, hid_t *ret, struct gm_error *err)
{
    AUTO_ID how = H5Pcreate(H5P_DATASET_CREATE);
    int rc = set_layout(how, c, err);
    return rc == 0 ? column_create_as(at, c, how, ret, err) : rc;
}

int column_close(hid_t *set, const char *name, struct gm_error *err)
{
    hid_t id = *set;
    *set = -1;
    return id >= 0 && H5Dclose(id) < 0 ? h5_fail(err, "%s", name) : 0;
}

int column_put(hid_t at,
               const char *name,
               hid_t type,
               uint64_t n,
               const void *data,
               const char *unit,
               const char *help,
               struct gm_error *err)
{
    struct column c = {
        .name = name, .unit = unit, .help = help, .type = type, .ndim = 1, .dims = {n}};
    AUTO_ID set = -1;
    int rc = column_create(at, &c, &set, err);
    if (rc != 0)
        return rc;
    if (n > 0 && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        return h5_fail(err, "%s", name);
    return column_close(&set, name, err);
}

int column_put_text(hid_t at,
                    const char *name,
                    const char *text,
                    size_t len,
                    const char *help,
                    struct gm_error *err)
{
    AUTO_ID type = h5_text_type(len);
    AUTO_ID space = H5Screate(H5S_SCALAR);
    AUTO_ID how = H5Pcreate(H5P_DATASET_CREATE);
    (void)H5Pset_obj_track_times(how, false);
    AUTO_ID set = H5Dcreate2(at, name, type, space, H5P_DEFAULT, how, H5P_DEFAULT);
    if (set < 0 ||
        H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, len > 0 ? text : "") < 0)
        return h5_fail(err, "%s", name);
    int rc = describe(set, "text", help, err);
    return rc == 0 ? column_close(&set, name, err) : rc;
}

int column_put_texts(hid_t at,
                     const char *name,
                     const char *const *texts,
                     size_t n,
                     const char *help,
                     struct gm_error *err)
{
    size_t longest = 1;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(texts[i]);
        longest = len > longest ? len : longest;
    }
    AUTO_FREE(char) all = xcalloc(n + 1, longest);
    for (size_t i = 0; i < n; i++)
        memcpy(all + i * longest, texts[i], strlen(texts[i]));
    AUTO_ID type = h5_text_type(longest);
    return column_put(at, name, type, n, all, "text", help, err);
}

/* Opens a dataset and says how many elements it has. */
static int
open_set(hid_t at, const char *name, hid_t *ret, uint64_t *ret_n, struct gm_error *err)
{
    AUTO_ID set = H5Dopen2(at, name, H5P_DEFAULT);
    if (set < 0)
        return h5_fail(err, "%s", name);
    AUTO_ID space = H5Dget_space(set);
    hssize_t n = H5Sget_simple_extent_npoints(space);
    if (n < 0)
        return h5_fail(err, "%s", name);
    *ret = h5_steal(&set);
    *ret_n = (uint64_t)n;
    return 0;
}

/* All of a dataset of fixed-length texts, each of `size` bytes. */
static int read_texts(hid_t at,
                      const char *name,
                      char **ret,
                      size_t *ret_size,
                      uint64_t *ret_n,
                      struct gm_error *err)
{
    AUTO_ID set = -1;
    uint64_t n = 0, bytes;
    int rc = open_set(at, name, &set, &n, err);
    if (rc != 0)
        return rc;
    AUTO_ID type = H5Dget_type(set);
    size_t size = type >= 0 ? H5Tget_size(type) : 0;
    if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0 || size == 0 ||
        __builtin_mul_overflow(n, size, &bytes) || bytes > TEXT_MOST)
        return gm_fail(err, -EINVAL, "%s: not a column of texts of fixed length", name);
    AUTO_FREE(char) all = xcalloc(bytes + 1, 1);
    if (n > 0 && H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, all) < 0)
        return h5_fail(err, "%s", name);
    *ret = steal(&all);
    *ret_size = size;
    *ret_n = n;
    return 0;
}

int column_get_text(
    hid_t at, const char *name, struct arena *a, const char **ret, struct gm_error *err)
{
    AUTO_FREE(char) all = NULL;
    size_t size = 0;
    uint64_t n = 0;
    int rc = read_texts(at, name, &all, &size, &n, err);
    if (rc == 0 && n != 1)
        return gm_fail(err, -EINVAL, "%s: not one text", name);
    if (rc == 0)
        *ret = arena_copy(a, all, strnlen(all, size));
    return rc;
}

int column_get_texts(hid_t at,
                     const char *name,
                     struct arena *a,
                     const char *const **ret,
                     size_t *ret_n,
                     struct gm_error *err)
{
    AUTO_FREE(char) all = NULL;
    size_t size = 0;
    uint64_t n = 0;
    int rc = read_texts(at, name, &all, &size, &n, err);
    if (rc != 0)
        return rc;
    const char **texts = arena_alloc(a, n, sizeof(*texts));
    for (uint64_t i = 0; i < n; i++)
        texts[i] = arena_copy(a, all + i * size, strnlen(all + i * size, size));
    *ret = texts;
    *ret_n = n;
    return 0;
}

int column_get(
    hid_t at, const char *name, hid_t type, size_t n, void *ret, struct gm_error *err)
{
    AUTO_ID set = -1;
    uint64_t there = 0;
    int rc = open_set(at, name, &set, &there, err);
    if (rc != 0)
        return rc;
    AUTO_ID file_type = H5Dget_type(set);
    if (there != n || H5Tget_class(file_type) != H5Tget_class(type))
        return gm_fail(err, -EINVAL, "%s: not a column of %zu numbers", name, n);
    if (n > 0 && H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, ret) < 0)
        return h5_fail(err, "%s", name);
    return 0;
}

int column_rows(hid_t at, const char *name, uint64_t *ret, struct gm_error *err)
{
    AUTO_ID set = H5Dopen2(at, name, H5P_DEFAULT);
    if (set < 0)
        return h5_fail(err, "%s", name);
    AUTO_ID space = H5Dget_space(set);
    hsize_t dims[H5S_MAX_RANK] = {0};
    int ndim = H5Sget_simple_extent_dims(space, dims, NULL);
    if (ndim < 1)
        return gm_fail(err, -EINVAL, "%s: has no rows", name);
    *ret = dims[0];
    return 0;
}
