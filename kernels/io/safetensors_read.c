/* Reading safetensors from memory. Three passes: the header's JSON into entries whose
 * offsets are still numbers, each entry against its own shape, all entries against each
 * other and the file: sorted by offset they must tile the data exactly. */
#include "safetensors.h"

#include "base/strmap.h"
#include "json_scan.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_MAX ((uint64_t)100 << 20) /* the format's own limit */

struct entry {
    struct safetensors_tensor tensor;
    uint64_t begin, end;
    bool has_dtype, has_shape, has_offsets;
    unsigned bits; /* of one element */
    size_t at;     /* its number in the header */
};

struct reader {
    const char *origin;
    struct arena *arena;
    struct json_scan scan;
    struct entry *entries;
    size_t n_entries, room;
    struct safetensors_meta *meta;
    size_t n_meta, meta_room;
    bool has_meta;
    size_t meta_at;
};

static int bad_json(const struct reader *r, struct gm_error *err)
{
    return gm_fail(err,
                   -EINVAL,
                   "%s: the safetensors header is not the JSON it should be at byte %zu",
                   r->origin,
                   r->scan.at + 8);
}

/* Memory for item n + 1 of an array in the arena, doubling. */
static void *grown(struct arena *a, void *items, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return items;
    *room = *room == 0 ? 16 : 2 * *room;
    void *bigger = arena_alloc(a, *room, size);
    if (n > 0)
        memcpy(bigger, items, n * size);
    return bigger;
}

static int read_metadata(struct reader *r, struct gm_error *err)
{
    struct json_scan *s = &r->scan;
    if (r->has_meta)
        return gm_fail(err, -EINVAL, "%s: __metadata__ is there twice", r->origin);
    if (!json_scan_take(s, '{'))
        return bad_json(r, err);
    r->has_meta = true;
    r->meta_at = r->n_entries;
    if (json_scan_take(s, '}'))
        return 0;
    AUTO(strmap) keys = strmap_make();
    do {
        struct safetensors_meta m;
        size_t at = r->n_meta;
        if (!json_scan_string(s, r->arena, &m.key) || !json_scan_take(s, ':') ||
            !json_scan_string(s, r->arena, &m.value))
            return bad_json(r, err);
        if (!strmap_add(keys, m.key, &at))
            return gm_fail(err,
                           -EINVAL,
                           "%s: the key '%.32s' of __metadata__ is there twice",
                           r->origin,
                           m.key);
        r->meta = grown(r->arena, r->meta, r->n_meta, &r->meta_room, sizeof(m));
        r->meta[r->n_meta++] = m;
    } while (json_scan_take(s, ','));
    return json_scan_take(s, '}') ? 0 : bad_json(r, err);
}

static int read_shape(struct reader *r, struct entry *e, struct gm_error *err)
{
    struct json_scan *s = &r->scan;
    if (!json_scan_take(s, '['))
        return bad_json(r, err);
    e->has_shape = true;
    if (json_scan_take(s, ']'))
        return 0;
    do {
        if (e->tensor.ndim == GM_MAX_DIMS)
            return gm_fail(err,
                           -EINVAL,
                           "%s: tensor '%s' has more than %d dimensions",
                           r->origin,
                           e->tensor.name,
                           GM_MAX_DIMS);
        if (!json_scan_u64(s, &e->tensor.dims[e->tensor.ndim++]))
            return bad_json(r, err);
    } while (json_scan_take(s, ','));
    return json_scan_take(s, ']') ? 0 : bad_json(r, err);
}

static int read_dtype(struct reader *r, struct entry *e, struct gm_error *err)
{
    const char *word;
    if (!json_scan_string(&r->scan, r->arena, &word))
        return bad_json(r, err);
    e->bits = safetensors_bits(word, &e->tensor.dtype);
    e->tensor.word = word;
    e->has_dtype = true;
    if (e->bits > 0)
        return 0;
    return gm_fail(err,
                   -EINVAL,
                   "%s: tensor '%s' has element type '%.16s', which is not known",
                   r->origin,
                   e->tensor.name,
                   word);
}

static int read_field(struct reader *r, struct entry *e, struct gm_error *err)
{
    struct json_scan *s = &r->scan;
    const char *key;
    if (!json_scan_string(s, r->arena, &key) || !json_scan_take(s, ':'))
        return bad_json(r, err);
    if (strcmp(key, "dtype") == 0 && !e->has_dtype)
        return read_dtype(r, e, err);
    if (strcmp(key, "shape") == 0 && !e->has_shape)
        return read_shape(r, e, err);
    if (strcmp(key, "data_offsets") == 0 && !e->has_offsets) {
        e->has_offsets = true;
        bool good = json_scan_take(s, '[') && json_scan_u64(s, &e->begin) &&
                    json_scan_take(s, ',') && json_scan_u64(s, &e->end) &&
                    json_scan_take(s, ']');
        return good ? 0 : bad_json(r, err);
    }
    return gm_fail(err,
                   -EINVAL,
                   "%s: tensor '%s' has the key '%.32s' where dtype, shape and "
                   "data_offsets stand once each",
                   r->origin,
                   e->tensor.name,
                   key);
}

/* An entry against its own shape and the length of the data. */
static int
check_entry(const struct reader *r, struct entry *e, uint64_t data, struct gm_error *err)
{
    const char *name = e->tensor.name;
    if (!e->has_dtype || !e->has_shape || !e->has_offsets)
        return gm_fail(err,
                       -EINVAL,
                       "%s: tensor '%s' lacks its dtype, shape or data_offsets",
                       r->origin,
                       name);
    if (e->begin > e->end || e->end > data)
        return gm_fail(err,
                       -EINVAL,
                       "%s: tensor '%s' lies at bytes %" PRIu64 " to %" PRIu64
                       " of %" PRIu64,
                       r->origin,
                       name,
                       e->begin,
                       e->end,
                       data);
    uint64_t bits = e->bits;
    bool fits = true;
    for (uint32_t d = 0; d < e->tensor.ndim; d++)
        fits = fits && !__builtin_mul_overflow(bits, e->tensor.dims[d], &bits);
    if (!fits || bits % 8 != 0 || bits / 8 != e->end - e->begin)
        return gm_fail(err,
                       -EINVAL,
                       "%s: tensor '%s' has %" PRIu64
                       " bytes, which is not what its shape says",
                       r->origin,
                       name,
                       e->end - e->begin);
    return 0;
}

static int
read_tensor(struct reader *r, const char *name, uint64_t data, struct gm_error *err)
{
    struct entry e = {.tensor.name = name};
    struct json_scan *s = &r->scan;
    if (!json_scan_take(s, '{'))
        return bad_json(r, err);
    if (!json_scan_take(s, '}')) {
        do {
            int rc = read_field(r, &e, err);
            if (rc != 0)
                return rc;
        } while (json_scan_take(s, ','));
        if (!json_scan_take(s, '}'))
            return bad_json(r, err);
    }
    int rc = check_entry(r, &e, data, err);
    if (rc != 0)
        return rc;
    r->entries = grown(r->arena, r->entries, r->n_entries, &r->room, sizeof(e));
    e.at = r->n_entries;
    r->entries[r->n_entries++] = e;
    return 0;
}

static int read_header(struct reader *r, uint64_t data, struct gm_error *err)
{
    struct json_scan *s = &r->scan;
    if (!json_scan_take(s, '{'))
        return bad_json(r, err);
    if (!json_scan_take(s, '}')) {
        do {
            const char *name;
            if (!json_scan_string(s, r->arena, &name) || !json_scan_take(s, ':'))
                return bad_json(r, err);
            int rc = strcmp(name, "__metadata__") == 0 ? read_metadata(r, err)
                                                       : read_tensor(r, name, data, err);
            if (rc != 0)
                return rc;
        } while (json_scan_take(s, ','));
        if (!json_scan_take(s, '}'))
            return bad_json(r, err);
    }
    return json_scan_over(s) ? 0 : bad_json(r, err);
}

static int by_place(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->tensor.name,
                  ((const struct entry *)b)->tensor.name);
}

/* No name twice; no overlap, no gap, nothing after the last. */
static int check_tiling(struct reader *r, uint64_t data, struct gm_error *err)
{
    if (r->n_entries > 0)
        qsort(r->entries, r->n_entries, sizeof(*r->entries), by_name);
    for (size_t i = 1; i < r->n_entries; i++) {
        if (by_name(&r->entries[i - 1], &r->entries[i]) == 0)
            return gm_fail(err,
                           -EINVAL,
                           "%s: tensor '%s' is there twice",
                           r->origin,
                           r->entries[i].tensor.name);
    }
    if (r->n_entries > 0)
        qsort(r->entries, r->n_entries, sizeof(*r->entries), by_place);
    uint64_t at = 0;
    for (size_t i = 0; i < r->n_entries; i++) {
        const struct entry *e = &r->entries[i];
        if (e->begin != at)
            return gm_fail(err,
                           -EINVAL,
                           "%s: tensor '%s' begins at byte %" PRIu64
                           " where the one before it ends at %" PRIu64,
                           r->origin,
                           e->tensor.name,
                           e->begin,
                           at);
        at = e->end;
    }
    if (at != data)
        return gm_fail(err,
                       -EINVAL,
                       "%s: has %" PRIu64 " bytes that belong to no tensor",
                       r->origin,
                       data - at);
    return 0;
}

/* The header's length, checked: 8 + *ret <= len. */
static int header_length(const char *origin,
                         const unsigned char *bytes,
                         size_t len,
                         uint64_t *ret,
                         struct gm_error *err)
{
    if (len < 8)
        return gm_fail(
            err, -EINVAL, "%s: has %zu bytes: too short for safetensors", origin, len);
    uint64_t n = 0;
    for (unsigned i = 0; i < 8; i++)
        n |= (uint64_t)bytes[i] << (8 * i);
    if (n > HEADER_MAX || n > len - 8)
        return gm_fail(err,
                       -EINVAL,
                       "%s: a safetensors header of %" PRIu64
                       " bytes is promised, the file "
                       "has %zu in all",
                       origin,
                       n,
                       len);
    *ret = n;
    return 0;
}

int safetensors_parse(const char *origin,
                      const void *bytes,
                      size_t len,
                      struct safetensors **ret,
                      struct gm_error *err)
{
    uint64_t header = 0;
    int rc = header_length(origin, bytes, len, &header, err);
    if (rc != 0)
        return rc;
    AUTO(arena) a = arena_make();
    const unsigned char *data = (const unsigned char *)bytes + 8 + header;
    struct reader r = {.origin = origin,
                       .arena = a,
                       .scan = {.text = (const char *)bytes + 8, .len = (size_t)header}};
    rc = read_header(&r, len - 8 - header, err);
    if (rc == 0)
        rc = check_tiling(&r, len - 8 - header, err);
    if (rc != 0)
        return rc;
    struct safetensors *st = arena_alloc(a, 1, sizeof(*st));
    size_t *order = arena_alloc(a, r.n_entries, sizeof(*order));
    *st = (struct safetensors){.n_tensors = r.n_entries,
                               .meta = r.meta,
                               .n_meta = r.n_meta,
                               .order = order,
                               .has_meta = r.has_meta,
                               .meta_at = r.meta_at,
                               .header = (size_t)header};
    st->tensors = arena_alloc(a, r.n_entries, sizeof(*st->tensors));
    for (size_t i = 0; i < r.n_entries; i++) {
        order[r.entries[i].at] = i;
        st->tensors[i] = r.entries[i].tensor;
        st->tensors[i].data = data + r.entries[i].begin;
        st->tensors[i].nbytes = (size_t)(r.entries[i].end - r.entries[i].begin);
    }
    st->arena = steal(&a);
    *ret = st;
    return 0;
}
