/* Outputs, series and logs of a packed file. First the record rows of a stage are looked
 * at, which tells each output's layout and size; then each output is written from its
 * first task to its last. Invariant: a value's bytes are compared with their checksum on
 * their way. */
#include "base/memory.h"
#include "column.h"
#include "crc.h"
#include "packing.h"
#include <assert.h>
#include <math.h>

#define PIECE (4u << 20) /* bytes of a value in memory at once */

struct values { /* of one output, series or log of a stage */
    struct packing *p;
    unsigned stage;
    uint32_t kind, index, dtype, ndim;
    const char *name, *unit, *help;
    bool ragged;       /* its shapes differ, or a task that is done has none */
    uint64_t n_values; /* tasks that have one */
    uint64_t elements, rows;
    uint32_t one_ndim; /* the shape of the first; of a row, for a series */
    uint64_t one[GM_MAX_DIMS];
};

/* A value in pieces of at most PIECE bytes, each of whole units of `unit` bytes. */
typedef int
piece_fn(void *ctx, uint64_t first, const void *data, uint64_t n, struct gm_error *);

static int each_piece(struct packing *p,
                      const struct source_value *v,
                      uint64_t unit,
                      piece_fn *fn,
                      void *ctx,
                      struct gm_error *err)
{
    uint64_t most = unit >= PIECE ? unit : PIECE / unit * unit;
    uint64_t room = v->nbytes < most ? v->nbytes : most;
    unsigned char small[512];
    unsigned char *buf = room <= sizeof(small) ? small : malloc(room);
    if (buf == NULL)
        return gm_fail(
            err, -ENOMEM, "no memory for %llu bytes", (unsigned long long)room);
    uint32_t crc = 0;
    int rc = 0;
    for (uint64_t at = 0; rc == 0 && at < v->nbytes; at += room) {
        uint64_t n = v->nbytes - at < room ? v->nbytes - at : room;
        rc = shards_part(p->shards, v, at, n, buf, err);
        if (rc == 0) {
            crc = crc_extend(crc, buf, n);
            rc = fn(ctx, at / unit, buf, n / unit, err);
        }
    }
    if (buf != small)
        free(buf);
    return rc == 0 && crc != v->crc ? shards_damaged(p->shards, v, err) : rc;
}

static int append_piece(
    void *ctx, uint64_t first, const void *data, uint64_t n, struct gm_error *err)
{
    (void)first;
    return feed_add(ctx, data, n, err);
}

int packing_copy(struct packing *p,
                 struct feed *to,
                 const struct source_value *v,
                 struct gm_error *err)
{
    if (v->nbytes == 0)
        return 0;
    return each_piece(p, v, to->row_bytes, append_piece, to, err);
}

/* A row that is too large to hold: boxes along its first dimension that does not fit
 * whole. */
struct boxes {
    struct feed *to;
    unsigned axis;      /* boxes span part of this one, one index of those before it */
    uint64_t per_outer; /* units along axis */
    const uint64_t *dims;
};

static int write_box(
    struct boxes *b, uint64_t first, const void *data, uint64_t n, struct gm_error *err)
{
    hsize_t start[GM_MAX_DIMS] = {0}, count[GM_MAX_DIMS];
    uint64_t outer = first / b->per_outer;
    for (unsigned i = b->axis; i-- > 0; outer /= b->dims[i]) {
        start[i] = outer % b->dims[i];
        count[i] = 1;
    }
    start[b->axis] = first % b->per_outer;
    count[b->axis] = n;
    for (unsigned i = b->axis + 1; i + 1 < b->to->ndim; i++)
        count[i] = b->dims[i];
    return feed_part(b->to, start, count, data, err);
}

/* A piece may go over the end of the axis: then it is more than one box. */
static int
write_piece(void *ctx, uint64_t first, const void *data, uint64_t n, struct gm_error *err)
{
    struct boxes *b = ctx;
    const unsigned char *at = data;
    uint64_t unit = gm_dtype_size(GM_U8);
    for (unsigned i = b->axis + 1; i + 1 < b->to->ndim; i++)
        unit *= b->dims[i];
    unit *= H5Tget_size(b->to->type);
    int rc = 0;
    while (rc == 0 && n > 0) {
        uint64_t left = b->per_outer - first % b->per_outer;
        uint64_t now = n < left ? n : left;
        rc = write_box(b, first, at, now, err);
        first += now;
        at += now * unit;
        n -= now;
    }
    return rc;
}

static int copy_row(struct packing *p,
                    struct feed *to,
                    const struct source_value *v,
                    struct gm_error *err)
{
    if (v->nbytes <= PIECE || v->ndim == 0)
        return each_piece(p, v, v->nbytes > 0 ? v->nbytes : 1, append_piece, to, err);
    struct boxes b = {.to = to, .dims = v->dims};
    assert(v->dims[0] > 0); /* it has bytes */
    uint64_t unit = v->nbytes / v->dims[0];
    for (; unit > PIECE && b.axis + 1 < v->ndim; unit /= v->dims[b.axis]) {
        b.axis++;
        assert(v->dims[b.axis] > 0);
    }
    b.per_outer = v->dims[b.axis];
    int rc = feed_skip(to, 0, err); /* what is buffered comes before this row */
    rc = rc == 0 ? each_piece(p, v, unit, write_piece, &b, err) : rc;
    return rc == 0 ? feed_skip(to, 1, err) : rc;
}

static int
find(const struct values *o, uint64_t task, struct source_value *v, struct gm_error *err)
{
    return shards_find(o->p->shards, o->stage, task, o->kind, o->index, v, err);
}

/* One more value: does it fit the shape that all had so far? */
static int look_at(struct values *o,
                   uint64_t task,
                   const struct source_value *v,
                   struct gm_error *err)
{
    bool series = o->kind == RESULT_SERIES;
    unsigned skip = series ? 1 : 0;
    if (v->dtype != o->dtype || v->ndim != o->ndim + skip)
        return gm_fail(err,
                       -EINVAL,
                       "%s[%llu].%s: %s of %u dimensions, declared as %s of %u",
                       o->p->head->stages[o->stage].name,
                       (unsigned long long)task,
                       o->name,
                       gm_dtype_name(v->dtype),
                       v->ndim,
                       gm_dtype_name(o->dtype),
                       o->ndim + skip);
    if (o->n_values++ == 0) {
        o->one_ndim = v->ndim - skip;
        memcpy(o->one, v->dims + skip, o->one_ndim * sizeof(o->one[0]));
    }
    if (memcmp(o->one, v->dims + skip, o->one_ndim * sizeof(o->one[0])) != 0)
        o->ragged = true;
    o->rows += series ? v->dims[0] : 1;
    size_t size = gm_dtype_size(v->dtype);
    assert(size > 0); /* row_record_ok */
    if (__builtin_add_overflow(o->elements, v->nbytes / size, &o->elements))
        return gm_fail(err, -EOVERFLOW, "%s: more than a file can hold", o->name);
    return 0;
}

/* Looks at the record rows of all tasks of a stage once. */
static int look(struct packing *p,
                unsigned stage,
                struct values *all,
                unsigned n,
                struct gm_error *err)
{
    for (uint64_t i = 0; i < p->n[stage]; i++) {
        struct reader_task t;
        int rc = shards_task(p->shards, stage, i, &t, err);
        for (unsigned k = 0; rc == 0 && k < n; k++) {
            struct source_value v;
            rc = find(&all[k], i, &v, err);
            if (rc == 0) {
                rc = look_at(&all[k], i, &v, err);
            } else if (rc == -ENOENT) {
                rc = 0;
                all[k].ragged |= t.status == RESULT_DONE && all[k].kind == RESULT_OUTPUT;
            }
        }
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int
put_layout(hid_t at, const struct values *o, const char *layout, struct gm_error *err)
{
    int rc = h5_put_text(at, "layout", layout, err);
    return rc == 0 ? h5_put_text(at, "dtype", gm_dtype_name(o->dtype), err) : rc;
}

/* [n_tasks, ...]: a task without a value reads as NaN, or 0. */
static int put_stacked(struct values *o, hid_t group, struct gm_error *err)
{
    static const double nan64 = NAN;
    static const float nan32 = NAN;
    struct column c = {.name = o->name,
                       .unit = o->unit,
                       .help = o->help,
                       .type = h5_dtype(o->dtype),
                       .ndim = o->ndim + 1,
                       .dims = {o->p->n[o->stage]}};
    c.fill = o->dtype == GM_F64   ? &nan64
             : o->dtype == GM_F32 ? (const void *)&nan32
                                  : NULL;
    memcpy(c.dims + 1, o->one, o->one_ndim * sizeof(o->one[0]));
    struct feed to = {0};
    int rc = feed_open(&to, group, &c, err);
    rc = rc == 0 ? put_layout(to.set, o, "stacked", err) : rc;
    for (uint64_t i = 0; rc == 0 && o->n_values > 0 && i < c.dims[0]; i++) {
        struct source_value v;
        rc = find(o, i, &v, err);
        if (rc == -ENOENT)
            rc = feed_skip(&to, 1, err);
        else if (rc == 0)
            rc = copy_row(o->p, &to, &v, err);
    }
    if (rc == 0)
        return feed_close(&to, err);
    feed_drop(&to);
    return rc;
}

static int fill_heap(struct values *o, struct feed s[3], struct gm_error *err)
{
    uint64_t at = 0, each = s[0].row_bytes;
    int rc = feed_add(&s[1], &at, 1, err);
    for (uint64_t i = 0; rc == 0 && i < o->p->n[o->stage]; i++) {
        struct source_value v = {0};
        rc = find(o, i, &v, err);
        if (rc == -ENOENT) {
            rc = 0;
            memset(v.dims, 0xff, sizeof(v.dims)); /* no value */
        } else if (rc == 0) {
            rc = packing_copy(o->p, &s[0], &v, err);
            at += each > 0 ? v.nbytes / each : 0;
        }
        rc = rc == 0 ? feed_add(&s[1], &at, 1, err) : rc;
        if (rc == 0 && s[2].ndim > 0)
            rc = feed_add(&s[2], v.dims, 1, err);
    }
    return rc;
}

/* A group: data, offset, and shape where the shapes are not simply the lengths. */
static int put_heap(struct values *o, hid_t at, const char *layout, struct gm_error *err)
{
    bool series = strcmp(layout, "series") == 0, shaped = strcmp(layout, "ragged") == 0;
    static const uint64_t none = UINT64_MAX;
    uint64_t n = o->p->n[o->stage];
    AUTO_ID group = -1;
    struct feed s[3] = {{0}, {0}, {0}};
    struct column data = {.name = "data",
                          .unit = o->unit,
                          .help = o->help,
                          .type = h5_dtype(o->dtype),
                          .ndim = series ? o->ndim + 1 : 1,
                          .dims = {series ? o->rows : o->elements}};
    if (series)
        memcpy(data.dims + 1, o->one, o->one_ndim * sizeof(o->one[0]));
    struct column offset = {.name = "offset",
                            .unit = series ? "row" : "element",
                            .help = "task i has data[offset[i]:offset[i + 1]]",
                            .type = H5T_NATIVE_UINT64,
                            .ndim = 1,
                            .dims = {n + 1}};
    struct column shape = {.name = "shape",
                           .unit = "element",
                           .help = "the shape of task i's value; 2^64 - 1: it has none",
                           .type = H5T_NATIVE_UINT64,
                           .ndim = 2,
                           .fill = &none,
                           .dims = {n, o->ndim + (o->kind == RESULT_SERIES ? 1u : 0u)}};
    int rc = h5_group(at, o->name, o->help, &group, err);
    rc = rc == 0 ? h5_put_text(group, "unit", o->unit, err) : rc;
    rc = rc == 0 ? put_layout(group, o, layout, err) : rc;
    rc = rc == 0 ? feed_open(&s[0], group, &data, err) : rc;
    rc = rc == 0 ? feed_open(&s[1], group, &offset, err) : rc;
    rc = rc == 0 && shaped ? feed_open(&s[2], group, &shape, err) : rc;
    rc = rc == 0 ? fill_heap(o, s, err) : rc;
    for (unsigned i = 0; i < 3; i++) {
        if (rc == 0)
            rc = feed_close(&s[i], err);
        else
            feed_drop(&s[i]);
    }
    return rc;
}

static int put_values(
    struct values *o, hid_t outputs, hid_t series, hid_t logs, struct gm_error *err)
{
    switch (o->kind) {
    case RESULT_OUTPUT:
        return o->ragged ? put_heap(o, outputs, "ragged", err)
                         : put_stacked(o, outputs, err);
    case RESULT_SERIES:
        return put_heap(o, series, o->ragged ? "ragged" : "series", err);
    default:
        return put_heap(o, logs, "heap", err);
    }
}

/* A stage's outputs and logs in the order in which they are looked for. */
static struct values *list(struct packing *p, unsigned stage, unsigned *ret_n)
{
    const struct reader_stage *st = &p->head->stages[stage];
    struct values *all = xcalloc(st->n_outputs + 2u, sizeof(*all));
    unsigned n = 0;
    for (; n < st->n_outputs; n++) {
        const struct reader_output *o = &st->outputs[n];
        bool series = (o->flags & GM_SERIES) != 0;
        all[n] = (struct values){.kind = series ? RESULT_SERIES : RESULT_OUTPUT,
                                 .index = n,
                                 .dtype = o->dtype,
                                 .ndim = o->ndim,
                                 .one_ndim = o->ndim,
                                 .name = o->name,
                                 .unit = o->unit,
                                 .help = o->help,
                                 .ragged = !series && (o->flags & GM_RAGGED) != 0};
    }
    static const struct values logs[2] = {
        {.kind = RESULT_STDOUT,
         .name = "stdout",
         .help = "what it wrote to standard output"},
        {.kind = RESULT_STDERR,
         .name = "stderr",
         .help = "what it wrote to standard error"},
    };
    for (unsigned i = 0; i < 2; i++) {
        all[n] = logs[i];
        all[n].dtype = GM_U8;
        all[n].ndim = 1;
        all[n++].unit = "byte";
    }
    for (unsigned i = 0; i < n; i++) {
        all[i].p = p;
        all[i].stage = stage;
    }
    *ret_n = n;
    return all;
}

static int put_stage(
    struct packing *p, unsigned stage, hid_t series, hid_t logs, struct gm_error *err)
{
    const char *name = p->head->stages[stage].name;
    unsigned n = 0;
    AUTO_ID stages = -1;
    AUTO_ID at = -1;
    AUTO_ID outputs = -1;
    AUTO_ID series_at = -1;
    AUTO_ID logs_at = -1;
    uint64_t rows[2] = {p->first[stage], p->first[stage] + p->n[stage]};
    int rc = h5_open_group(p->file, "stages", &stages, err);
    rc = rc == 0 ? h5_open_group(stages, name, &at, err) : rc;
    rc = rc == 0 ? h5_put_u64s(at, "task_rows", rows, 2, err) : rc;
    rc = rc == 0 ? h5_group(at, "outputs", "what the tasks computed", &outputs, err) : rc;
    if (rc != 0 || p->n[stage] == 0)
        return rc;
    AUTO_FREE(struct values) all = list(p, stage, &n);
    rc = look(p, stage, all, n, err);
    rc = rc == 0
             ? h5_group(series, name, "rows appended as the tasks went", &series_at, err)
             : rc;
    rc = rc == 0 ? h5_group(logs, name, "what the tasks wrote", &logs_at, err) : rc;
    for (unsigned i = 0; rc == 0 && i < n; i++)
        rc = put_values(&all[i], outputs, series_at, logs_at, err);
    return rc;
}

int packing_values(struct packing *p, struct gm_error *err)
{
    AUTO_ID series = -1;
    AUTO_ID logs = -1;
    int rc = h5_group(p->file, "series", "rows a task appended, by stage", &series, err);
    rc =
        rc == 0
            ? h5_group(p->file, "logs", "standard output and error, by stage", &logs, err)
            : rc;
    for (unsigned s = 0; rc == 0 && s < p->head->n_stages; s++) {
        rc = put_stage(p, s, series, logs, err);
        if (rc != 0)
            (void)gm_prefix(err, "stage %s", p->head->stages[s].name);
    }
    return rc;
}
