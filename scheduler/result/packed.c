/* See packed.h. Invariant: nothing that the file says of offsets and shapes is believed:
 * each value's range is checked against its dataset before it is handed out. Datasets are
 * opened when first asked for. */
#include "packed.h"
#include "base/memory.h"
#include "base/str.h"
#include "column.h"
#include "row.h"
#include "window.h"

#define BUFFER (256u << 10)

enum layout { UNKNOWN = 0, ABSENT, STACKED, HEAP, SERIES };

struct values { /* of one output, series or kind of text */
    enum layout layout;
    const char *path;
    uint32_t dtype, ndim; /* of one value; of one row for a series */
    struct window data, offset, shape;
};

enum column_of_tasks {
    STATUS,
    REASON,
    EXIT,
    SIGNAL,
    ATTEMPTS,
    RANK,
    N_RANKS,
    START,
    END,
    TIMED_WITH,
    DIGEST,
    N_COLUMNS
};

struct packed {
    hid_t file;
    const struct head *head;
    struct window columns[N_COLUMNS];
    uint64_t *first, *n;    /* a stage's rows of /tasks */
    unsigned *values_first; /* a stage's in `values`: its outputs, stdout, stderr */
    struct values
        *values; /* 0: parameters, 1: messages (by row of /tasks), then the stages' */
    unsigned n_values;
    struct reader_rank *ranks;
    unsigned n_ranks;
};

static int open_columns(struct packed *p, struct gm_error *err)
{
    const struct {
        const char *name;
        hid_t type;
    } columns[N_COLUMNS] = {
        [STATUS] = {"tasks/status", H5T_NATIVE_UINT8},
        [REASON] = {"tasks/reason", H5T_NATIVE_UINT8},
        [EXIT] = {"tasks/exit_code", H5T_NATIVE_INT32},
        [SIGNAL] = {"tasks/signal", H5T_NATIVE_INT32},
        [ATTEMPTS] = {"tasks/attempts", H5T_NATIVE_UINT32},
        [RANK] = {"tasks/rank", H5T_NATIVE_INT32},
        [N_RANKS] = {"tasks/n_ranks", H5T_NATIVE_UINT32},
        [START] = {"tasks/start", H5T_NATIVE_DOUBLE},
        [END] = {"tasks/end", H5T_NATIVE_DOUBLE},
        [TIMED_WITH] = {"tasks/timed_with", H5T_NATIVE_UINT32},
        [DIGEST] = {"tasks/digest", H5T_NATIVE_UINT64},
    };
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < N_COLUMNS; i++) {
        if (i >= TIMED_WITH && H5Lexists(p->file, columns[i].name, H5P_DEFAULT) <= 0)
            continue; /* a file of an earlier version */
        rc = window_open(&p->columns[i],
                         p->file,
                         columns[i].name,
                         H5P_DEFAULT,
                         columns[i].type,
                         1,
                         BUFFER / 4,
                         err);
        if (rc == 0 && p->columns[i].dims[0] != p->columns[0].dims[0])
            rc =
                gm_fail(err, -EINVAL, "%s: not as long as tasks/status", columns[i].name);
    }
    return rc;
}

static void set_values(struct values *v, uint32_t dtype, uint32_t ndim, const char *path)
{
    *v = (struct values){.path = path, .dtype = dtype, .ndim = ndim};
}

/* Names every group of values that the file may have; opens none. */
static void name_values(struct packed *p)
{
    const struct head *h = p->head;
    unsigned n = 2;
    for (unsigned s = 0; s < h->n_stages; s++)
        n += h->stages[s].n_outputs + 2;
    p->values = xcalloc(n, sizeof(*p->values));
    p->n_values = n;
    set_values(&p->values[0], GM_U8, 1, "tasks/params");
    set_values(&p->values[1], GM_U8, 1, "tasks/message");
    n = 2;
    for (unsigned s = 0; s < h->n_stages; s++) {
        const struct reader_stage *stage = &h->stages[s];
        p->values_first[s] = n;
        for (unsigned i = 0; i < stage->n_outputs; i++) {
            const struct reader_output *o = &stage->outputs[i];
            bool series = (o->flags & GM_SERIES) != 0;
            set_values(&p->values[n++],
                       o->dtype,
                       o->ndim,
                       series
                           ? arena_printf(h->arena, "series/%s/%s", stage->name, o->name)
                           : arena_printf(
                                 h->arena, "stages/%s/outputs/%s", stage->name, o->name));
        }
        set_values(&p->values[n++],
                   GM_U8,
                   1,
                   arena_printf(h->arena, "logs/%s/stdout", stage->name));
        set_values(&p->values[n++],
                   GM_U8,
                   1,
                   arena_printf(h->arena, "logs/%s/stderr", stage->name));
    }
}

static int load_stage_rows(struct packed *p, unsigned s, struct gm_error *err)
{
    AUTO_ID stages = -1;
    AUTO_ID group = -1;
    uint64_t rows[2];
    int rc = h5_open_group(p->file, "stages", &stages, err);
    rc = rc == 0 ? h5_open_group(stages, p->head->stages[s].name, &group, err) : rc;
    rc = rc == 0 ? h5_get_u64s(group, "task_rows", rows, 2, err) : rc;
    if (rc != 0)
        return rc;
    uint64_t n = rows[1] - rows[0];
    if (rows[1] < rows[0] || rows[1] > p->columns[0].dims[0] ||
        (n != 0 && n != p->head->stages[s].n_tasks))
        return gm_fail(err, -EINVAL, "task_rows: not rows of /tasks");
    p->first[s] = rows[0];
    p->n[s] = n;
    return 0;
}

/* Not in a file of an earlier version: nobody was lost. */
static int load_losses(hid_t at,
                       struct arena *a,
                       size_t n,
                       double *lost,
                       const char *const **ret_why,
                       struct gm_error *err)
{
    size_t n_why;
    if (H5Lexists(at, "lost", H5P_DEFAULT) <= 0)
        return 0;
    int rc = column_get(at, "lost", H5T_NATIVE_DOUBLE, n, lost, err);
    rc = rc == 0 ? column_get_texts(at, "lost_why", a, ret_why, &n_why, err) : rc;
    return rc == 0 && n_why != n
               ? gm_fail(err, -EINVAL, "ranks: columns of different length")
               : rc;
}

static int load_ranks(struct packed *p, struct gm_error *err)
{
    static const char *const names[RESULT_RANK_TEXTS] = {
        "host", "device", "planned", "inherited", "seen", "memory", "gpus", "mismatch"};
    const char *const *texts[RESULT_RANK_TEXTS] = {NULL};
    struct arena *a = p->head->arena;
    AUTO_ID at = -1;
    size_t n = 0, n0 = 0;
    int rc = h5_open_group(p->file, "ranks", &at, err);
    for (unsigned i = 0; rc == 0 && i < RESULT_RANK_TEXTS; i++) {
        if (i >= RESULT_RANK_TEXTS_OLD && H5Lexists(at, names[i], H5P_DEFAULT) <= 0)
            continue; /* a file of an earlier version */
        rc = column_get_texts(at, names[i], a, &texts[i], &n, err);
        n0 = i == 0 ? n : n0;
        if (rc == 0 && n != n0)
            rc = gm_fail(err, -EINVAL, "ranks: columns of different length");
    }
    double *lost = arena_alloc(a, n, sizeof(*lost));
    const char *const *why = NULL;
    if (rc == 0)
        rc = load_losses(at, a, n, lost, &why, err);
    uint64_t *numbers = arena_alloc(a, n, 2 * sizeof(*numbers));
    double *busy = arena_alloc(a, n, sizeof(*busy));
    rc = rc == 0 ? column_get(at, "tasks", H5T_NATIVE_UINT64, n, numbers, err) : rc;
    rc = rc == 0 ? column_get(at, "pid", H5T_NATIVE_UINT64, n, numbers + n, err) : rc;
    rc = rc == 0 ? column_get(at, "busy", H5T_NATIVE_DOUBLE, n, busy, err) : rc;
    if (rc != 0)
        return rc;
    p->ranks = arena_alloc(a, n, sizeof(*p->ranks));
    p->n_ranks = (unsigned)n;
    for (size_t i = 0; i < n; i++)
        p->ranks[i] =
            (struct reader_rank){.host = texts[0][i],
                                 .device = texts[1][i],
                                 .planned = texts[2][i],
                                 .inherited = texts[3][i],
                                 .seen = texts[4][i],
                                 .memory = texts[5] != NULL ? texts[5][i] : "",
                                 .gpus = texts[6] != NULL ? texts[6][i] : "",
                                 .mismatch = texts[7] != NULL ? texts[7][i] : "",
                                 .tasks = numbers[i],
                                 .pid = numbers[n + i],
                                 .busy_s = busy[i],
                                 .lost = lost[i],
                                 .lost_why = why != NULL ? why[i] : ""};
    return 0;
}

int packed_open(hid_t file,
                const struct head *head,
                struct packed **ret,
                struct gm_error *err)
{
    struct packed *p = xcalloc(1, sizeof(*p));
    p->file = file;
    p->head = head;
    p->first = xcalloc(head->n_stages + 1u, sizeof(*p->first));
    p->n = xcalloc(head->n_stages + 1u, sizeof(*p->n));
    p->values_first = xcalloc(head->n_stages + 1u, sizeof(*p->values_first));
    name_values(p);
    int rc = open_columns(p, err);
    for (unsigned s = 0; rc == 0 && s < head->n_stages; s++)
        rc = load_stage_rows(p, s, err);
    rc = rc == 0 ? load_ranks(p, err) : rc;
    if (rc == 0)
        *ret = p;
    else
        packed_close(p);
    return rc;
}

void packed_close(struct packed *p)
{
    if (p == NULL)
        return;
    for (unsigned i = 0; i < N_COLUMNS; i++)
        window_close(&p->columns[i]);
    for (unsigned i = 0; i < p->n_values; i++) {
        struct values *v = &p->values[i];
        window_close(&v->data);
        window_close(&v->offset);
        window_close(&v->shape);
    }
    free(p->first);
    free(p->n);
    free(p->values_first);
    free(p->values);
    free(p);
}

int packed_task(struct packed *p,
                unsigned stage,
                uint64_t task,
                struct reader_task *ret,
                struct gm_error *err)
{
    *ret = (struct reader_task){0};
    if (task >= p->n[stage])
        return 0;
    uint8_t status = 0, reason = 0;
    int32_t rank = 0;
    uint32_t timed_with = 0;
    struct reader_task t = {0};
    void *into[N_COLUMNS] = {
        [STATUS] = &status,
        [REASON] = &reason,
        [EXIT] = &t.exit_code,
        [SIGNAL] = &t.signal,
        [ATTEMPTS] = &t.attempts,
        [RANK] = &rank,
        [N_RANKS] = &t.n_ranks,
        [START] = &t.start,
        [END] = &t.end,
        [TIMED_WITH] = &timed_with,
        [DIGEST] = &t.digest,
    };
    for (unsigned i = 0; i < N_COLUMNS; i++) {
        if (p->columns[i].ndim == 0)
            continue;
        int rc = window_read(&p->columns[i], p->first[stage] + task, 1, into[i], err);
        if (rc != 0) {
            (void)gm_prefix(err, "tasks");
            return rc;
        }
    }
    t.status = status;
    t.reason = reason;
    t.rank = rank > 0 ? (uint32_t)rank : 0;
    t.timed_with = timed_with;
    *ret = t;
    return 0;
}

/* Whether there is an object of that path, and whether it is a dataset. */
static int look(const struct packed *p, const char *path, bool *ret_there, bool *ret_set)
{
    char part[1024];
    *ret_there = true;
    for (const char *end = path; *ret_there && *end != '\0';) {
        end += strcspn(end, "/");
        (void)snprintf(part, sizeof(part), "%.*s", (int)(end - path), path);
        *ret_there = H5Lexists(p->file, part, H5P_DEFAULT) > 0;
        end += *end == '/';
    }
    if (!*ret_there)
        return 0;
    AUTO_ID id = H5Oopen(p->file, path, H5P_DEFAULT);
    *ret_set = id >= 0 && H5Iget_type(id) == H5I_DATASET;
    return id < 0 ? -1 : 0;
}

static int
open_stacked(struct packed *p, struct values *v, uint64_t n, struct gm_error *err)
{
    int rc = window_open(&v->data,
                         p->file,
                         v->path,
                         H5P_DEFAULT,
                         h5_dtype(v->dtype),
                         v->ndim + 1,
                         BUFFER,
                         err);
    if (rc == 0 && v->data.dims[0] != n)
        rc = gm_fail(err, -EINVAL, "%s: not one row a task", v->path);
    v->layout = STACKED;
    return rc;
}

static int open_heap(struct packed *p, struct values *v, uint64_t n, struct gm_error *err)
{
    AUTO_ID group = -1;
    AUTO_FREE(char) layout = NULL;
    int rc = h5_open_group(p->file, v->path, &group, err);
    rc = rc == 0 ? h5_get_text(group, "layout", &layout, err) : rc;
    if (rc != 0)
        return rc;
    bool series = strcmp(layout, "series") == 0;
    v->layout = series ? SERIES : HEAP;
    rc = window_open(&v->data,
                     group,
                     "data",
                     H5P_DEFAULT,
                     h5_dtype(v->dtype),
                     series ? v->ndim + 1 : 1,
                     BUFFER,
                     err);
    rc = rc == 0 ? window_open(&v->offset,
                               group,
                               "offset",
                               H5P_DEFAULT,
                               H5T_NATIVE_UINT64,
                               1,
                               BUFFER / 4,
                               err)
                 : rc;
    bool shaped = strcmp(layout, "ragged") == 0;
    rc = rc == 0 && shaped ? window_open(&v->shape,
                                         group,
                                         "shape",
                                         H5P_DEFAULT,
                                         H5T_NATIVE_UINT64,
                                         2,
                                         BUFFER / 4,
                                         err)
                           : rc;
    if (rc == 0 &&
        (v->offset.dims[0] == 0 || v->offset.dims[0] - 1 != n ||
         (shaped && (v->shape.dims[0] != n || v->shape.dims[1] > GM_MAX_DIMS))))
        rc = gm_fail(err, -EINVAL, "offset or shape: not one row a task");
    return rc;
}

static int
open_values(struct packed *p, struct values *v, uint64_t n, struct gm_error *err)
{
    bool there = false, set = false;
    if (look(p, v->path, &there, &set) != 0)
        return h5_fail(err, "%s", v->path);
    v->layout = ABSENT;
    if (!there)
        return 0;
    int rc = set ? open_stacked(p, v, n, err) : open_heap(p, v, n, err);
    if (rc != 0) {
        if (!set)
            (void)gm_prefix(err, "%s", v->path);
        v->layout = UNKNOWN;
        window_close(&v->data);
        window_close(&v->offset);
        window_close(&v->shape);
    }
    return rc;
}

/* A value of the heap: its range, and its shape where that is not simply its length. */
static int find_in_heap(struct values *v,
                        uint64_t row,
                        struct source_value *ret,
                        struct gm_error *err)
{
    uint64_t range[2], n, bytes;
    int rc = window_read(&v->offset, row, 2, range, err);
    if (rc != 0)
        return rc;
    if (range[1] < range[0] || range[1] > v->data.dims[0])
        return gm_fail(
            err, -EINVAL, "offset: row %llu is impossible", (unsigned long long)row);
    n = range[1] - range[0];
    ret->offset = range[0];
    ret->ndim = 1;
    ret->dims[0] = n;
    if (v->layout == SERIES) {
        ret->ndim = v->ndim + 1 > GM_MAX_DIMS ? GM_MAX_DIMS : v->ndim + 1;
        for (unsigned i = 1; i < ret->ndim; i++)
            ret->dims[i] = v->data.dims[i];
    } else if (v->shape.ndim > 0) {
        rc = window_read(&v->shape, row, 1, ret->dims, err);
        ret->ndim = (uint32_t)v->shape.dims[1];
        if (rc == 0 && (ret->ndim > 0 ? ret->dims[0] == UINT64_MAX : n == 0))
            return -ENOENT; /* docs/design/results.md: how "no value" is told */
    }
    size_t each = v->data.row_bytes;
    if (rc == 0 && (!row_bytes(ret->dtype, ret->ndim, ret->dims, &bytes) ||
                    (each > 0 ? bytes / each : bytes) != n))
        rc = gm_fail(
            err, -EINVAL, "shape: row %llu is impossible", (unsigned long long)row);
    ret->nbytes = rc == 0 ? bytes : 0;
    return rc;
}

static int find(struct packed *p,
                unsigned part,
                uint64_t row,
                uint64_t n_rows,
                struct source_value *ret,
                struct gm_error *err)
{
    struct values *v = &p->values[part];
    int rc = v->layout == UNKNOWN ? open_values(p, v, n_rows, err) : 0;
    if (rc != 0 || v->layout == ABSENT)
        return rc != 0 ? rc : -ENOENT;
    struct source_value at = {.dtype = v->dtype, .part = part};
    if (v->layout == STACKED) {
        at.ndim = v->ndim;
        at.offset = row;
        for (unsigned i = 0; i < v->ndim; i++)
            at.dims[i] = v->data.dims[i + 1];
        at.nbytes = v->data.row_bytes;
    } else if ((rc = find_in_heap(v, row, &at, err)) != 0) {
        if (rc != -ENOENT)
            (void)gm_prefix(err, "%s", v->path);
        return rc;
    }
    *ret = at;
    return 0;
}

int packed_find(struct packed *p,
                unsigned stage,
                uint64_t task,
                uint32_t kind,
                uint32_t index,
                struct source_value *ret,
                struct gm_error *err)
{
    if (task >= p->n[stage])
        return -ENOENT;
    unsigned n_outputs = p->head->stages[stage].n_outputs, first = p->values_first[stage];
    uint64_t row = p->first[stage] + task, all = p->columns[0].dims[0];
    struct source_value v;
    uint8_t status = 0;
    int rc = 0;
    switch (kind) {
    case RESULT_PARAMS:
        rc = find(p, 0, row, all, &v, err);
        break;
    case RESULT_MESSAGE:
        rc = find(p, 1, row, all, &v, err);
        break;
    case RESULT_STDOUT:
    case RESULT_STDERR:
        rc = find(
            p, first + n_outputs + (kind == RESULT_STDERR), task, p->n[stage], &v, err);
        break;
    case RESULT_OUTPUT:
    case RESULT_SERIES:
        if (index >= n_outputs)
            return -ENOENT;
        if (((p->head->stages[stage].outputs[index].flags & GM_SERIES) != 0) !=
            (kind == RESULT_SERIES))
            return -ENOENT;
        rc = window_read(&p->columns[STATUS], row, 1, &status, err);
        if (rc == 0 && status != RESULT_DONE)
            return -ENOENT;
        rc = rc == 0 ? find(p, first + index, task, p->n[stage], &v, err) : rc;
        break;
    default:
        return -ENOENT;
    }
    if (rc == 0 && kind != RESULT_OUTPUT && v.nbytes == 0)
        return -ENOENT;
    if (rc == 0)
        *ret = v;
    return rc;
}

int packed_read(struct packed *p,
                const struct source_value *v,
                void *out,
                struct gm_error *err)
{
    struct values *at = &p->values[v->part];
    if (v->nbytes == 0)
        return 0;
    int rc = window_read(&at->data, v->offset, v->nbytes / at->data.row_bytes, out, err);
    if (rc != 0)
        (void)gm_prefix(err, "%s", at->path);
    return rc;
}

unsigned packed_n_ranks(const struct packed *p)
{
    return p->n_ranks;
}

void packed_rank(const struct packed *p, unsigned rank, struct reader_rank *ret)
{
    *ret = p->ranks[rank];
}
