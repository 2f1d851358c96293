/* See bulk.h. */
#include "bulk.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/memory.h"
#include "fletcher.h"
#include "reserve.h"
#include <zlib.h>

/* This member's rows: chunks are dealt out in runs as even as can be, and never cut. */
static void deal(const struct bulk *b,
                 unsigned member,
                 unsigned n_members,
                 uint64_t *ret_first,
                 uint64_t *ret_end)
{
    uint64_t rows = b->dims[0], grain = b->axis == 0 && !b->small ? b->chunk[0] : 1;
    if (b->small) {
        *ret_first = 0;
        *ret_end = member == 0 ? rows : 0;
        return;
    }
    uint64_t n = (rows + grain - 1) / grain;
    uint64_t each = n / n_members, more = n % n_members;
    uint64_t first = member * each + (member < more ? member : more);
    uint64_t end = first + each + (member < more);
    *ret_first = first * grain < rows ? first * grain : rows;
    *ret_end = end * grain < rows ? end * grain : rows;
}

static uint64_t chunks_of_row(const struct bulk *b)
{
    uint64_t n = (b->dims[b->axis] + b->chunk[b->axis] - 1) / b->chunk[b->axis];
    for (unsigned i = 1; i < b->axis; i++)
        n *= b->dims[i];
    return n;
}

/* The first chunk that begins at or behind a row that a member begins with. */
static uint64_t chunk_of_row(const struct bulk *b, uint64_t row)
{
    return b->axis == 0 ? (row + b->chunk[0] - 1) / b->chunk[0] : row * chunks_of_row(b);
}

void bulk_place(const struct bulk *b, uint64_t chunk, hsize_t *ret)
{
    uint64_t cut = (b->dims[b->axis] + b->chunk[b->axis] - 1) / b->chunk[b->axis];
    uint64_t outer = b->axis == 0 ? 0 : chunk / cut;
    for (unsigned i = 0; i < b->ndim; i++)
        ret[i] = 0;
    ret[b->axis] = (b->axis == 0 ? chunk : chunk % cut) * b->chunk[b->axis];
    for (unsigned i = b->axis; i-- > 0; outer /= b->dims[i])
        ret[i] = i > 0 ? outer % b->dims[i] : outer;
}

/* Bytes of the stream that lie in a chunk: fewer at the end of the axis. */
static size_t chunk_span(const struct bulk *b, uint64_t chunk)
{
    uint64_t cut = (b->dims[b->axis] + b->chunk[b->axis] - 1) / b->chunk[b->axis];
    uint64_t first = (b->axis == 0 ? chunk : chunk % cut) * b->chunk[b->axis];
    uint64_t left = b->dims[b->axis] - first;
    return (left < b->chunk[b->axis] ? left : b->chunk[b->axis]) * b->unit;
}

static int
measure(struct bulk *b, const struct column *c, bool *ret_chunked, struct gm_error *err)
{
    int rc = column_chunks(c, b->chunk, ret_chunked, err);
    if (rc != 0)
        return rc;
    b->ndim = c->ndim;
    b->element = b->row_bytes = b->unit = H5Tget_size(c->type);
    for (unsigned i = 0; i < c->ndim; i++)
        b->dims[i] = c->dims[i];
    for (unsigned i = 1; i < c->ndim; i++)
        b->row_bytes *= c->dims[i];
    if (!*ret_chunked)
        return 0;
    b->chunk_bytes = b->element;
    for (unsigned i = 0; i < c->ndim; i++) {
        b->chunk_bytes *= b->chunk[i];
        if (b->chunk[i] != b->dims[i])
            b->axis = i;
    }
    for (unsigned i = b->axis + 1; i < c->ndim; i++)
        b->unit *= c->dims[i];
    return 0;
}

/* FILE's dataset over the parts of all members. */
static int
make_virtual(struct bulk *b, const struct bulk_spec *spec, struct gm_error *err)
{
    const struct output *o = b->out;
    const struct column *c = &spec->column;
    hsize_t dims[GM_MAX_DIMS + 1], start[GM_MAX_DIMS + 1] = {0};
    AUTO_ID how = H5Pcreate(H5P_DATASET_CREATE);
    AUTO_STR path = {0};
    str_printf(&path, "/%s/%s", spec->group, c->name);
    for (unsigned i = 0; i < c->ndim; i++)
        dims[i] = c->dims[i];
    AUTO_ID space = H5Screate_simple((int)c->ndim, dims, NULL);
    for (unsigned m = 0; m < o->team->n; m++) {
        uint64_t first, end;
        deal(b, m, o->team->n, &first, &end);
        if (first == end)
            continue;
        AUTO_STR name = {0};
        str_printf(&name, "%s/part-%05u.h5", o->parts.text, m);
        start[0] = first;
        dims[0] = end - first;
        AUTO_ID source = H5Screate_simple((int)c->ndim, dims, NULL);
        (void)H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, dims, NULL);
        if (H5Pset_virtual(how, space, name.text, path.text, source) < 0)
            return h5_fail(err, "%s", c->name);
    }
    hid_t set = -1;
    int rc = column_create_as(b->group, c, how, &set, err);
    return rc == 0 ? column_close(&set, c->name, err) : rc;
}

static int make_part(struct bulk *b, const struct bulk_spec *spec, struct gm_error *err)
{
    if (b->first == b->end)
        return 0;
    AUTO_STR path = {0};
    str_printf(&path, "%s/%s", spec->group, spec->column.name);
    struct column part = spec->column;
    part.name = path.text;
    part.dims[0] = b->end - b->first;
    part.most_rows = b->chunk[0];
    AUTO_ID how = H5Pcreate(H5P_DATASET_CREATE);
    column_set_chunks(how, &part, b->chunk);
    return column_create_as(b->out->part_file, &part, how, &b->set, err);
}

static int make(struct bulk *b, const struct bulk_spec *spec, struct gm_error *err)
{
    const struct output *o = b->out;
    int rc = 0;
    if (o->file >= 0)
        rc = h5_open_group(o->file, spec->group, &b->group, err);
    if (o->sharded && !b->small) {
        if (o->file >= 0)
            rc = rc == 0 ? make_virtual(b, spec, err) : rc;
        return rc == 0 ? make_part(b, spec, err) : rc;
    }
    return rc == 0 && o->file >= 0 ? column_create(b->group, &spec->column, &b->set, err)
                                   : rc;
}

/* Chunks of a known size get their places at once, so that each is written when it is
 * there. */
static int reserve_all(struct bulk *b, struct gm_error *err)
{
    const struct team *t = b->out->team;
    uint64_t n = chunk_of_row(b, b->dims[0]), mine = chunk_of_row(b, b->first);
    AUTO_FREE(uint64_t) all = xcalloc(n + 1, sizeof(*all));
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && t->rank == 0 && i < n; i++) {
        hsize_t offset[GM_MAX_DIMS + 1];
        bulk_place(b, i, offset);
        uint32_t bytes = (uint32_t)b->chunk_bytes + sizeof(uint32_t);
        rc = reserve_chunk(b->out->file, b->set, offset, bytes, &all[i], err);
    }
    rc = team_agree(t, rc, err);
    rc = rc == 0 ? team_share(t, all, n * sizeof(*all), err) : rc;
    if (rc != 0)
        return rc;
    uint64_t count = chunk_of_row(b, b->end) - mine;
    b->places = xcalloc(count + 1, sizeof(*b->places));
    memcpy(b->places, all + mine, count * sizeof(*b->places));
    b->places_first = mine;
    return 0;
}

static size_t work_bytes(const struct bulk *b)
{
    return b->out->gzip ? compressBound(b->chunk_bytes) + sizeof(uint32_t) : 0;
}

static int make_buffers(struct bulk *b, struct gm_error *err)
{
    if (b->first == b->end || b->row_bytes == 0)
        return 0;
    size_t bytes = b->small ? b->dims[0] * b->row_bytes : b->chunk_bytes;
    b->buf = malloc(bytes + sizeof(uint32_t));
    if (!b->small && b->out->gzip)
        b->work = malloc(b->chunk_bytes + work_bytes(b));
    if (b->buf == NULL || (!b->small && b->out->gzip && b->work == NULL))
        return gm_fail(err, -ENOMEM, "%s: no memory for a write buffer", b->name);
    b->span = b->small ? bytes : chunk_span(b, b->at);
    return 0;
}

static void number(struct bulk *b)
{
    struct output *o = b->out;
    b->id = o->n_sets;
    o->sets = xrealloc(o->sets, o->n_sets + 1u, sizeof(struct bulk *));
    o->sets[o->n_sets++] = b;
}

int bulk_open(struct output *o,
              const struct bulk_spec *spec,
              struct bulk *ret,
              struct gm_error *err)
{
    struct bulk *b = ret;
    struct column column = spec->column;
    bool chunked = false;
    column.gzip = o->gzip;
    column.chunk_rows = spec->chunk_rows;
    struct bulk_spec full = *spec;
    full.column = column;
    *b = (struct bulk){
        .out = o, .name = column.name, .group = -1, .set = -1, .sparse = spec->sparse};
    if (column.fill != NULL)
        memcpy(b->fill, column.fill, H5Tget_size(column.type));
    number(b);
    int rc = measure(b, &column, &chunked, err); /* alike on all members */
    if (rc != 0)
        return rc;
    b->small = !chunked;
    deal(b, o->team->rank, o->team->n, &b->first, &b->end);
    b->at = b->small ? 0 : chunk_of_row(b, b->first);
    b->left = (b->end - b->first) * b->row_bytes;
    rc = make(b, &full, err);
    rc = rc == 0 ? make_buffers(b, err) : rc;
    rc = team_agree(o->team, rc, err);
    if (rc == 0 && o->fd >= 0 && !b->small && !o->gzip && !b->sparse)
        rc = reserve_all(b, err);
    return rc;
}

static bool all_fill(const struct bulk *b)
{
    return memcmp(b->buf, b->fill, b->element) == 0 &&
           memcmp(b->buf, b->buf + b->element, b->span - b->element) == 0;
}

static void pad(struct bulk *b)
{
    for (size_t i = b->span; i < b->chunk_bytes; i += b->element)
        memcpy(b->buf + i, b->fill, b->element);
}

/* HDF5's shuffle filter: the first bytes of all elements, then their second ones... */
static void shuffle(const struct bulk *b, unsigned char *out)
{
    size_t n = b->chunk_bytes / b->element;
    for (size_t k = 0; k < b->element; k++) {
        const unsigned char *in = b->buf + k;
        for (size_t i = 0; i < n; i++, in += b->element)
            *out++ = *in;
    }
}

/* The chunk as the filters would leave it. */
static int
filter(struct bulk *b, unsigned char **ret, size_t *ret_n, struct gm_error *err)
{
    unsigned char *data = b->buf;
    size_t n = b->chunk_bytes;
    if (b->out->gzip) {
        unsigned char *shuffled = b->work, *packed = b->work + n;
        uLongf size = work_bytes(b);
        shuffle(b, shuffled);
        int rc = compress2(packed, &size, shuffled, n, COLUMN_DEFLATE);
        if (rc != Z_OK)
            return gm_fail(err, -EIO, "%s: zlib failed (%d)", b->name, rc);
        data = packed;
        n = size;
    }
    uint32_t sum = fletcher32(data, n);
    memcpy(data + n, &sum, sizeof(sum));
    *ret = data;
    *ret_n = n + sizeof(sum);
    return 0;
}

static int write_chunk(struct bulk *b, struct gm_error *err)
{
    unsigned char *data = NULL;
    size_t n = 0;
    if (b->sparse && all_fill(b))
        return 0;
    double began = clock_monotonic();
    pad(b);
    int rc = filter(b, &data, &n, err);
    rc = rc == 0 ? output_put(b->out, b, b->at, data, (uint32_t)n, err) : rc;
    b->out->write_seconds += clock_monotonic() - began;
    return rc;
}

void *bulk_room(struct bulk *b, size_t *ret)
{
    *ret = b->left > 0 ? b->span - b->n : 0;
    return b->buf + b->n;
}

int bulk_advance(struct bulk *b, size_t n, struct gm_error *err)
{
    b->n += n;
    b->left -= n;
    if (b->n < b->span || b->small)
        return 0;
    int rc = write_chunk(b, err);
    b->at++;
    b->n = 0;
    b->span = b->left > 0 ? chunk_span(b, b->at) : 0;
    return rc;
}

int bulk_add(struct bulk *b, const void *data, uint64_t n, struct gm_error *err)
{
    const unsigned char *from = data;
    int rc = 0;
    while (rc == 0 && n > 0) {
        size_t room;
        void *to = bulk_room(b, &room);
        if (room == 0)
            return gm_fail(err, -EINVAL, "%s: more rows than it has", b->name);
        size_t now = n < room ? n : room;
        memcpy(to, from, now);
        rc = bulk_advance(b, now, err);
        from += now;
        n -= now;
    }
    return rc;
}

int bulk_add_fill(struct bulk *b, uint64_t n, struct gm_error *err)
{
    int rc = 0;
    while (rc == 0 && n > 0) {
        size_t room;
        unsigned char *to = bulk_room(b, &room);
        if (room == 0)
            return gm_fail(err, -EINVAL, "%s: more rows than it has", b->name);
        size_t now = n < room ? n : room;
        for (size_t i = 0; i < now; i++) /* whole elements, from a chunk's begin on */
            to[i] = b->fill[(b->n + i) % b->element];
        rc = bulk_advance(b, now, err);
        n -= now;
    }
    return rc;
}

void bulk_leave(struct bulk *b)
{
    b->left = 0;
}

/* A small dataset is written whole. */
static int write_small(struct bulk *b, hid_t type, struct gm_error *err)
{
    if (b->set < 0 || b->n == 0)
        return 0;
    return H5Dwrite(b->set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, b->buf) < 0
               ? h5_fail(err, "%s", b->name)
               : 0;
}

int bulk_close(struct bulk *b, int rc, struct gm_error *err)
{
    if (b->out == NULL)
        return rc;
    if (rc == 0 && b->left > 0)
        rc = gm_fail(err, -EINVAL, "%s: fewer rows than it has", b->name);
    if (rc == 0 && b->small && b->set >= 0) {
        AUTO_ID type = H5Dget_type(b->set);
        rc = write_small(b, type, err);
    }
    int closed = column_close(&b->set, b->name, rc == 0 ? err : NULL);
    h5_release(&b->group);
    b->out->n_sets--; /* they are closed in groups, all of them */
    free(b->buf);
    free(b->work);
    free(b->places);
    *b = (struct bulk){0};
    return rc == 0 ? closed : rc;
}
