/* Outputs, series, logs and texts of a packed file: the second way through the tasks.
 * Invariant: the members together write each byte of a stream once, whatever value it is
 * of; where a value is cut, the member that has its first byte checks all of it. */
#include "base/memory.h"
#include "column.h"
#include "packing.h"
#include <math.h>

/* A place among a heap's rows: a task. */
struct cursor {
    unsigned stage;
    uint64_t task;
};

static struct cursor
cursor_at(const struct packing *p, const struct heap *h, uint64_t row)
{
    struct cursor c = {h->stage, row};
    if (h->stage != PACKING_ALL)
        return c;
    for (c.stage = 0; c.task >= p->n[c.stage]; c.stage++)
        c.task -= p->n[c.stage];
    return c;
}

static void cursor_next(const struct packing *p, const struct heap *h, struct cursor *c)
{
    c->task++;
    while (h->stage == PACKING_ALL && c->stage + 1 < p->head->n_stages &&
           c->task >= p->n[c->stage]) {
        c->stage++;
        c->task = 0;
    }
}

static uint64_t heap_rows(const struct packing *p, const struct heap *h)
{
    return h->stage == PACKING_ALL ? p->n_rows : p->n[h->stage];
}

/* The first row of a block, as the heap counts them. */
static uint64_t block_row(const struct packing *p, const struct heap *h, uint64_t block)
{
    uint64_t first = h->stage == PACKING_ALL ? 0 : p->first[h->stage];
    uint64_t row = (h->first_block + block) * PACKING_BLOCK;
    return row > first ? row - first : 0;
}

static bool in_rows(const struct heap *h) /* of a series; else in elements */
{
    return h->kind == RESULT_SERIES && !h->ragged;
}

static uint64_t sum_at(const struct heap *h, uint64_t block)
{
    return in_rows(h) ? h->sums[block].rows : h->sums[block].elements;
}

/* Of a value, in the stream's unit. */
static uint64_t length_of(const struct heap *h, const struct source_value *v)
{
    return in_rows(h) ? v->dims[0] : v->nbytes / gm_dtype_size(v->dtype);
}

static const struct result_field *
field_of(const struct shards_run *run, uint32_t index, size_t *ret_offset)
{
    size_t at = 0;
    for (unsigned i = 0; i < run->n_fields; i++) {
        if (run->fields[i].index == index) {
            *ret_offset = at;
            return &run->fields[i];
        }
        at += run->fields[i].nbytes;
    }
    return NULL;
}

/* One output of tasks [task, end) of a run, all of the same length. */
static int copy_run(struct packing *p,
                    const struct shards_run *run,
                    const struct result_field *f,
                    size_t offset,
                    uint64_t end,
                    struct bulk *to,
                    struct gm_error *err)
{
    uint64_t most = f->nbytes > 0 ? PACKING_SCRATCH / run->row_bytes : 0;
    int rc = 0;
    for (uint64_t task = run->task, n; rc == 0 && most > 0 && task < end; task += n) {
        n = end - task < most ? end - task : most;
        rc = shards_run_rows(p->shards, run, task, n, p->scratch, err);
        if (rc == 0 && f->nbytes == run->row_bytes) {
            rc = bulk_add(to, p->scratch, n * f->nbytes, err);
            continue;
        }
        const unsigned char *at = p->scratch + offset;
        for (uint64_t i = 0; rc == 0 && i < n; i++, at += run->row_bytes)
            rc = bulk_add(to, at, f->nbytes, err);
    }
    return rc;
}

/* [n_tasks, ...]: a task without a value reads as NaN, or 0. */
static int fill_stacked(struct packing *p,
                        const struct heap *h,
                        struct bulk *to,
                        struct gm_error *err)
{
    int rc = 0;
    for (uint64_t task = to->first; rc == 0 && task < to->end;) {
        struct shards_run run;
        struct source_value v;
        size_t offset = 0;
        rc = packing_run(p, h->stage, task, &run, err);
        const struct result_field *f = rc == 0 && run.row_bytes <= PACKING_SCRATCH
                                           ? field_of(&run, h->index, &offset)
                                           : NULL;
        if (f != NULL) {
            uint64_t end = run.end < to->end ? run.end : to->end;
            rc = copy_run(p, &run, f, offset, end, to, err);
            task = end;
            continue;
        }
        if (rc == 0 || rc == -ENOENT)
            rc = packing_find(p, h, h->stage, task, &v, err);
        if (rc == 0)
            rc = packing_copy(p, to, &v, 0, v.nbytes, err);
        else if (rc == -ENOENT)
            rc = bulk_add_fill(to, to->row_bytes, err);
        task++;
    }
    return rc;
}

static int
put_layout(hid_t at, const struct heap *h, const char *layout, struct gm_error *err)
{
    int rc = h5_put_text(at, "layout", layout, err);
    return rc == 0 ? h5_put_text(at, "dtype", gm_dtype_name(h->dtype), err) : rc;
}

/* Rank 0: the attributes of a dataset that is made. */
static int label_set(struct packing *p,
                     const char *group,
                     const struct heap *h,
                     const char *layout,
                     struct gm_error *err)
{
    if (p->out.file < 0)
        return 0;
    AUTO_ID at = -1;
    AUTO_ID set = -1;
    int rc = h5_open_group(p->out.file, group, &at, err);
    if (rc == 0 && (set = H5Dopen2(at, h->name, H5P_DEFAULT)) < 0)
        rc = h5_fail(err, "%s", h->name);
    return rc == 0 ? put_layout(set, h, layout, err) : rc;
}

static int put_stacked(struct packing *p,
                       const struct heap *h,
                       const char *group,
                       struct gm_error *err)
{
    static const double nan64 = NAN;
    static const float nan32 = NAN;
    struct bulk_spec spec = {.group = group,
                             .column = {.name = h->name,
                                        .unit = h->unit,
                                        .help = h->help,
                                        .type = h5_dtype(h->dtype),
                                        .ndim = h->ndim + 1,
                                        .dims = {p->n[h->stage]}}};
    spec.column.fill = h->dtype == GM_F64   ? &nan64
                       : h->dtype == GM_F32 ? (const void *)&nan32
                                            : NULL;
    memcpy(spec.column.dims + 1, h->one, h->one_ndim * sizeof(h->one[0]));
    spec.sparse = h->n_values == 0;
    struct bulk to = {0};
    int rc = bulk_open(&p->out, &spec, &to, err);
    if (rc == 0 && h->n_values > 0)
        rc = fill_stacked(p, h, &to, err);
    else
        bulk_leave(&to);
    rc = output_settle(&p->out, rc, err);
    rc = bulk_close(&to, rc, err);
    rc = rc == 0 ? label_set(p, group, h, "stacked", err) : rc;
    return team_agree(p->team, rc, err);
}

/* Of a value that begins at `at` of the stream, what is this member's. */
static int copy_part(struct packing *p,
                     const struct source_value *v,
                     uint64_t at,
                     uint64_t n,
                     struct bulk *to,
                     struct gm_error *err)
{
    uint64_t from = at > to->first ? at : to->first;
    uint64_t end = at + n < to->end ? at + n : to->end;
    if (from >= end)
        return 0;
    return packing_copy(
        p, to, v, (from - at) * to->row_bytes, (end - from) * to->row_bytes, err);
}

static int
fill_data(struct packing *p, const struct heap *h, struct bulk *to, struct gm_error *err)
{
    uint64_t block = 0;
    if (to->first == to->end || to->row_bytes == 0)
        return 0;
    while (block + 1 < h->n_blocks && sum_at(h, block + 1) <= to->first)
        block++;
    uint64_t at = sum_at(h, block);
    struct cursor c = cursor_at(p, h, block_row(p, h, block));
    int rc = 0;
    while (rc == 0 && at < to->end) {
        struct source_value v;
        rc = packing_find(p, h, c.stage, c.task, &v, err);
        if (rc == 0) {
            uint64_t n = length_of(h, &v);
            rc = copy_part(p, &v, at, n, to, err);
            at += n;
        } else if (rc == -ENOENT) {
            rc = 0;
        }
        cursor_next(p, h, &c);
    }
    return rc;
}

/* Row i is where task i's value begins. */
static int fill_offsets(struct packing *p,
                        const struct heap *h,
                        struct bulk *to,
                        struct gm_error *err)
{
    uint64_t n = heap_rows(p, h), block = 0;
    int rc = 0;
    if (to->first == to->end)
        return 0;
    while (block + 1 < h->n_blocks && block_row(p, h, block + 1) <= to->first)
        block++;
    uint64_t row = block_row(p, h, block), at = sum_at(h, block);
    struct cursor c = row < n ? cursor_at(p, h, row) : (struct cursor){0, 0};
    for (; rc == 0 && row < to->end; row++) {
        struct source_value v;
        if (row >= to->first)
            rc = bulk_add(to, &at, sizeof(at), err);
        if (rc != 0 || row >= n)
            continue;
        rc = packing_find(p, h, c.stage, c.task, &v, err);
        at += rc == 0 ? length_of(h, &v) : 0;
        rc = rc == -ENOENT ? 0 : rc;
        cursor_next(p, h, &c);
    }
    return rc;
}

static int fill_shapes(struct packing *p,
                       const struct heap *h,
                       struct bulk *to,
                       struct gm_error *err)
{
    int rc = 0;
    for (uint64_t task = to->first; rc == 0 && task < to->end; task++) {
        struct source_value v = {0};
        rc = packing_find(p, h, h->stage, task, &v, err);
        if (rc == -ENOENT) {
            rc = 0;
            memset(v.dims, 0xff, sizeof(v.dims)); /* no value */
        }
        rc = rc == 0 ? bulk_add(to, v.dims, to->row_bytes, err) : rc;
    }
    return rc;
}

enum { DATA, OFFSET, SHAPE, STREAMS };

static void describe_streams(const struct packing *p,
                             const struct heap *h,
                             const char *layout,
                             struct bulk_spec spec[STREAMS])
{
    static const uint64_t none = UINT64_MAX;
    bool series = in_rows(h), text = strcmp(layout, "heap") == 0;
    uint64_t n = heap_rows(p, h);
    spec[DATA].column = (struct column){.name = "data",
                                        .unit = h->unit,
                                        .help = h->help,
                                        .type = h5_dtype(h->dtype),
                                        .ndim = series ? h->ndim + 1 : 1,
                                        .dims = {sum_at(h, h->n_blocks)}};
    if (series)
        memcpy(spec[DATA].column.dims + 1, h->one, h->one_ndim * sizeof(h->one[0]));
    spec[OFFSET].column =
        (struct column){.name = "offset",
                        .unit = series ? "row"
                                : text ? "byte"
                                       : "element",
                        .help = "task i has data[offset[i]:offset[i + 1]]",
                        .type = H5T_NATIVE_UINT64,
                        .ndim = 1,
                        .dims = {n + 1}};
    spec[SHAPE].column =
        (struct column){.name = "shape",
                        .unit = "element",
                        .help = "the shape of task i's value; 2^64 - 1: it has none",
                        .type = H5T_NATIVE_UINT64,
                        .ndim = 2,
                        .fill = &none,
                        .dims = {n, h->ndim + (h->kind == RESULT_SERIES ? 1u : 0u)}};
    spec[OFFSET].sparse = spec[SHAPE].sparse = h->n_values == 0;
}

/* Rank 0: the group that the streams go into. */
static int make_group(struct packing *p,
                      const char *parent,
                      const struct heap *h,
                      const char *layout,
                      struct gm_error *err)
{
    if (p->out.file < 0)
        return 0;
    AUTO_ID at = -1;
    AUTO_ID group = -1;
    int rc = h5_open_group(p->out.file, parent, &at, err);
    rc = rc == 0 ? h5_group(at, h->name, h->help, &group, err) : rc;
    rc = rc == 0 ? h5_put_text(group, "unit", h->unit, err) : rc;
    return rc == 0 ? put_layout(group, h, layout, err) : rc;
}

/* A group: data, offset, and shape where the shapes are not simply the lengths. */
static int put_heap(struct packing *p,
                    const struct heap *h,
                    const char *parent,
                    const char *layout,
                    struct gm_error *err)
{
    typedef int fill_fn(
        struct packing *, const struct heap *, struct bulk *, struct gm_error *);
    static fill_fn *const fill[STREAMS] = {fill_data, fill_offsets, fill_shapes};
    unsigned n = strcmp(layout, "ragged") == 0 ? STREAMS : SHAPE;
    struct bulk_spec spec[STREAMS] = {{0}};
    struct bulk s[STREAMS];
    AUTO_STR group = {0};
    memset(s, 0, sizeof(s));
    str_printf(&group, "%s/%s", parent, h->name);
    describe_streams(p, h, layout, spec);
    int rc = team_agree(p->team, make_group(p, parent, h, layout, err), err);
    for (unsigned i = 0; rc == 0 && i < n; i++) {
        spec[i].group = group.text;
        rc = bulk_open(&p->out, &spec[i], &s[i], err);
    }
    for (unsigned i = 0; i < n; i++) {
        if (h->n_values == 0) /* the fill values say it all */
            bulk_leave(&s[i]);
        else
            rc = rc == 0 ? fill[i](p, h, &s[i], err) : rc;
    }
    rc = output_settle(&p->out, rc, err);
    for (unsigned i = 0; i < n; i++)
        rc = bulk_close(&s[i], rc, err);
    return team_agree(p->team, rc, err);
}

static int put_values(struct packing *p, const struct heap *h, struct gm_error *err)
{
    AUTO_STR group = {0};
    if (h->stage == PACKING_ALL)
        return put_heap(p, h, "tasks", "heap", err);
    const char *stage = p->head->stages[h->stage].name;
    switch (h->kind) {
    case RESULT_OUTPUT:
        str_printf(&group, "stages/%s/outputs", stage);
        return h->ragged ? put_heap(p, h, group.text, "ragged", err)
                         : put_stacked(p, h, group.text, err);
    case RESULT_SERIES:
        str_printf(&group, "series/%s", stage);
        return put_heap(p, h, group.text, h->ragged ? "ragged" : "series", err);
    default:
        str_printf(&group, "logs/%s", stage);
        return put_heap(p, h, group.text, "heap", err);
    }
}

/* Rank 0: a stage's groups. */
static int make_stage(
    struct packing *p, unsigned stage, hid_t series, hid_t logs, struct gm_error *err)
{
    const char *name = p->head->stages[stage].name;
    AUTO_ID stages = -1;
    AUTO_ID at = -1;
    AUTO_ID outputs = -1;
    AUTO_ID series_at = -1;
    AUTO_ID logs_at = -1;
    uint64_t rows[2] = {p->first[stage], p->first[stage] + p->n[stage]};
    int rc = h5_open_group(p->out.file, "stages", &stages, err);
    rc = rc == 0 ? h5_open_group(stages, name, &at, err) : rc;
    rc = rc == 0 ? h5_put_u64s(at, "task_rows", rows, 2, err) : rc;
    rc = rc == 0 ? h5_group(at, "outputs", "what the tasks computed", &outputs, err) : rc;
    if (rc != 0 || p->n[stage] == 0)
        return rc;
    rc = h5_group(series, name, "rows appended as the tasks went", &series_at, err);
    return rc == 0 ? h5_group(logs, name, "what the tasks wrote", &logs_at, err) : rc;
}

static int make_groups(struct packing *p, struct gm_error *err)
{
    hid_t file = p->out.file;
    AUTO_ID series = -1;
    AUTO_ID logs = -1;
    if (file < 0)
        return 0;
    int rc = h5_group(file, "series", "rows a task appended, by stage", &series, err);
    rc = rc == 0
             ? h5_group(file, "logs", "standard output and error, by stage", &logs, err)
             : rc;
    for (unsigned s = 0; rc == 0 && s < p->head->n_stages; s++) {
        rc = make_stage(p, s, series, logs, err);
        if (rc != 0)
            (void)gm_prefix(err, "stage %s", p->head->stages[s].name);
    }
    return rc;
}

int packing_values(struct packing *p, struct gm_error *err)
{
    int rc = team_agree(p->team, make_groups(p, err), err);
    for (unsigned i = 0; rc == 0 && i < p->n_heaps; i++) {
        const struct heap *h = &p->heaps[i];
        if (h->stage != PACKING_ALL && p->n[h->stage] == 0)
            continue;
        rc = put_values(p, h, err);
        if (rc != 0 && h->stage != PACKING_ALL)
            (void)gm_prefix(err, "stage %s", p->head->stages[h->stage].name);
    }
    return rc;
}
