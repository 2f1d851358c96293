/* /ranks, /tasks and /attempts of a packed file: plain columns, one row after the other.
 */
#include "base/memory.h"
#include "column.h"
#include "packing.h"

struct spec { /* a column */
    const char *name, *unit, *help;
    char type; /* B u8, I u32, i i32, Q u64, d f64 */
};

static hid_t native(char type)
{
    switch (type) {
    case 'B':
        return H5T_NATIVE_UINT8;
    case 'I':
        return H5T_NATIVE_UINT32;
    case 'i':
        return H5T_NATIVE_INT32;
    case 'Q':
        return H5T_NATIVE_UINT64;
    default:
        return H5T_NATIVE_DOUBLE;
    }
}

#define SECONDS "s since 1970-01-01 UTC"
#define STATUSES                                                                         \
    "0 never run, 1 done, 2 failed, 3 skipped, 4 failed and to be tried again"
#define REASONS   "0 ok, 1 the kernel's error, 2 exit status, 3 signal, 4 timeout, 5 needs"
#define TASK_COLS 11

static const struct spec task_columns[TASK_COLS] = {
    {"stage", "1", "index of the task's stage", 'I'},
    {"index", "1", "index of the task in its stage", 'Q'},
    {"rank", "1", "the first rank of the group that ran it; -1: none", 'i'},
    {"n_ranks", "1", "ranks in that group", 'I'},
    {"start", SECONDS, "begin of the attempt that counts", 'd'},
    {"end", SECONDS, "end of the attempt that counts", 'd'},
    {"attempts", "1", "attempts made", 'I'},
    {"status", "1", STATUSES, 'B'},
    {"reason", "1", REASONS, 'B'},
    {"exit_code", "1", "exit status of a command", 'i'},
    {"signal", "1", "the signal that ended a command; 0: none", 'i'},
};

#define ATTEMPT_COLS 12

static const struct spec attempt_columns[ATTEMPT_COLS] = {
    {"task", "row", "row of /tasks", 'Q'},
    {"attempt", "1", "counted from 1", 'I'},
    {"rank", "1", "the first rank of the group that ran it", 'i'},
    {"n_ranks", "1", "ranks in that group", 'I'},
    {"status", "1", STATUSES, 'B'},
    {"reason", "1", REASONS, 'B'},
    {"start", SECONDS, "begin", 'd'},
    {"end", SECONDS, "end", 'd'},
    {"exit_code", "1", "exit status of a command", 'i'},
    {"signal", "1", "the signal that ended a command; 0: none", 'i'},
    {"user", "s", "processor time in user mode", 'd'},
    {"system", "s", "processor time in the kernel", 'd'},
};

/* One value for a column, of whatever type. */
union cell {
    uint8_t b;
    uint32_t u;
    int32_t i;
    uint64_t q;
    double d;
};

static int open_columns(hid_t at,
                        const struct spec *specs,
                        unsigned n,
                        uint64_t rows,
                        struct feed *ret,
                        struct gm_error *err)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < n; i++) {
        struct column c = {
            .name = specs[i].name,
            .unit = specs[i].unit,
            .help = specs[i].help,
            .type = native(specs[i].type),
            .ndim = 1,
            .dims = {rows},
        };
        rc = feed_open(&ret[i], at, &c, err);
    }
    return rc;
}

static int
add_row(struct feed *columns, const union cell *row, unsigned n, struct gm_error *err)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < n; i++)
        rc = feed_add(&columns[i], &row[i], 1, err);
    return rc;
}

/* Closes all, or only frees them after a failure. */
static int close_columns(struct feed *columns, unsigned n, int rc, struct gm_error *err)
{
    for (unsigned i = 0; i < n; i++) {
        if (rc == 0)
            rc = feed_close(&columns[i], err);
        else
            feed_drop(&columns[i]);
    }
    return rc;
}

static int
fill_tasks(struct packing *p, unsigned stage, struct feed *columns, struct gm_error *err)
{
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < p->n[stage]; i++) {
        struct reader_task t;
        rc = shards_task(p->shards, stage, i, &t, err);
        bool ran = t.status != RESULT_NONE && t.status != RESULT_SKIPPED;
        union cell row[TASK_COLS] = {
            {.u = stage},
            {.q = i},
            {.i = ran ? (int32_t)t.rank : -1},
            {.u = ran ? t.n_ranks : 0},
            {.d = t.start},
            {.d = t.end},
            {.u = t.attempts},
            {.b = (uint8_t)t.status},
            {.b = (uint8_t)t.reason},
            {.i = t.exit_code},
            {.i = t.signal},
        };
        if (rc == 0)
            rc = add_row(columns, row, TASK_COLS, err);
    }
    return rc;
}

/* A text a task as one heap of bytes: GROUP/data and GROUP/offset. */
struct texts {
    uint32_t kind;
    const char *name, *help;
};

static int
texts_size(struct packing *p, uint32_t kind, uint64_t *ret, struct gm_error *err)
{
    uint64_t bytes = 0;
    for (unsigned s = 0; s < p->head->n_stages; s++) {
        for (uint64_t i = 0; i < p->n[s]; i++) {
            struct source_value v;
            int rc = shards_find(p->shards, s, i, kind, 0, &v, err);
            if (rc != 0 && rc != -ENOENT)
                return rc;
            if (rc == 0 && __builtin_add_overflow(bytes, v.nbytes, &bytes))
                return gm_fail(err, -EOVERFLOW, "more bytes than a file can have");
        }
    }
    *ret = bytes;
    return 0;
}

static int fill_texts(struct packing *p,
                      uint32_t kind,
                      struct feed *data,
                      struct feed *offset,
                      struct gm_error *err)
{
    uint64_t at = 0;
    int rc = feed_add(offset, &at, 1, err);
    for (unsigned s = 0; s < p->head->n_stages; s++) {
        for (uint64_t i = 0; rc == 0 && i < p->n[s]; i++) {
            struct source_value v;
            rc = shards_find(p->shards, s, i, kind, 0, &v, err);
            if (rc == 0) {
                rc = packing_copy(p, data, &v, err);
                at += v.nbytes;
            } else if (rc == -ENOENT) {
                rc = 0;
            }
            rc = rc == 0 ? feed_add(offset, &at, 1, err) : rc;
        }
    }
    return rc;
}

static int
put_texts(struct packing *p, hid_t tasks, const struct texts *t, struct gm_error *err)
{
    AUTO_ID group = -1;
    uint64_t bytes = 0;
    struct feed streams[2] = {{0}, {0}};
    int rc = h5_group(tasks, t->name, t->help, &group, err);
    rc = rc == 0 ? h5_put_text(group, "layout", "heap", err) : rc;
    rc = rc == 0 ? texts_size(p, t->kind, &bytes, err) : rc;
    struct column data = {.name = "data",
                          .unit = "byte",
                          .help = "all tasks' texts, one after the other, UTF-8",
                          .type = H5T_NATIVE_UINT8,
                          .ndim = 1,
                          .dims = {bytes}};
    struct column offset = {.name = "offset",
                            .unit = "byte",
                            .help = "row i's text is data[offset[i]:offset[i + 1]]",
                            .type = H5T_NATIVE_UINT64,
                            .ndim = 1,
                            .dims = {p->n_rows + 1}};
    rc = rc == 0 ? feed_open(&streams[0], group, &data, err) : rc;
    rc = rc == 0 ? feed_open(&streams[1], group, &offset, err) : rc;
    if (bytes > 0) /* else the fill value, 0, says it all */
        rc = rc == 0 ? fill_texts(p, t->kind, &streams[0], &streams[1], err) : rc;
    return close_columns(streams, 2, rc, err);
}

int packing_tasks(struct packing *p, struct gm_error *err)
{
    static const struct texts texts[] = {
        {RESULT_PARAMS, "params", "what varies from task to task, canonical JSON"},
        {RESULT_MESSAGE, "message", "the sentence of a failure"},
    };
    struct feed columns[TASK_COLS];
    memset(columns, 0, sizeof(columns));
    AUTO_ID at = -1;
    int rc = h5_group(p->file, "tasks", "one row a task, all stages in order", &at, err);
    rc =
        rc == 0 ? open_columns(at, task_columns, TASK_COLS, p->n_rows, columns, err) : rc;
    for (unsigned s = 0; rc == 0 && s < p->head->n_stages; s++)
        rc = fill_tasks(p, s, columns, err);
    rc = close_columns(columns, TASK_COLS, rc, err);
    for (unsigned i = 0; rc == 0 && i < 2; i++)
        rc = put_texts(p, at, &texts[i], err);
    return rc;
}

static int fill_attempts(struct packing *p,
                         unsigned stage,
                         struct feed *columns,
                         struct feed *rss,
                         struct gm_error *err)
{
    uint64_t n = p->n[stage] > 0 ? shards_n_attempts(p->shards, stage) : 0;
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < n; i++) {
        struct row_commit c;
        rc = shards_attempt(p->shards, stage, i, &c, err);
        if (rc != 0)
            break;
        union cell row[ATTEMPT_COLS] = {
            {.q = p->first[stage] + c.task},
            {.u = c.attempt},
            {.i = (int32_t)c.rank},
            {.u = c.n_ranks},
            {.b = (uint8_t)c.status},
            {.b = (uint8_t)c.reason},
            {.d = c.start},
            {.d = c.end},
            {.i = c.exit_code},
            {.i = c.signal},
            {.d = c.user_s},
            {.d = c.system_s},
        };
        rc = add_row(columns, row, ATTEMPT_COLS, err);
        rc = rc == 0 ? feed_add(rss, &c.max_rss, 1, err) : rc;
    }
    return rc;
}

int packing_attempts(struct packing *p, struct gm_error *err)
{
    struct feed columns[ATTEMPT_COLS + 1];
    memset(columns, 0, sizeof(columns));
    uint64_t n = 0;
    for (unsigned s = 0; s < p->head->n_stages; s++)
        n += p->n[s] > 0 ? shards_n_attempts(p->shards, s) : 0;
    struct column rss = {.name = "max_rss",
                         .unit = "byte",
                         .help = "most resident memory, as Linux counts it: of a "
                                 "command, or of the rank where that was more",
                         .type = H5T_NATIVE_UINT64,
                         .ndim = 1,
                         .dims = {n}};
    AUTO_ID at = -1;
    int rc = h5_group(p->file, "attempts", "one row an attempt at a task", &at, err);
    rc = rc == 0 ? open_columns(at, attempt_columns, ATTEMPT_COLS, n, columns, err) : rc;
    rc = rc == 0 ? feed_open(&columns[ATTEMPT_COLS], at, &rss, err) : rc;
    for (unsigned s = 0; rc == 0 && s < p->head->n_stages; s++)
        rc = fill_attempts(p, s, columns, &columns[ATTEMPT_COLS], err);
    return close_columns(columns, ATTEMPT_COLS + 1, rc, err);
}

static int put_rank_numbers(struct packing *p, hid_t at, unsigned n, struct gm_error *err)
{
    AUTO_FREE(uint64_t) numbers = xcalloc(n + 1u, 2 * sizeof(*numbers));
    AUTO_FREE(double) busy = xcalloc(n + 1u, sizeof(*busy));
    for (unsigned i = 0; i < n; i++) {
        struct reader_rank r;
        shards_rank(p->shards, i, &r);
        numbers[i] = r.tasks;
        numbers[n + i] = r.pid;
        busy[i] = r.busy_s;
    }
    hid_t u64 = H5T_NATIVE_UINT64, f64 = H5T_NATIVE_DOUBLE;
    int rc = column_put(at, "tasks", u64, n, numbers, "1", "attempts it led", err);
    rc =
        rc == 0 ? column_put(at, "pid", u64, n, numbers + n, "1", "process id", err) : rc;
    return rc == 0
               ? column_put(at, "busy", f64, n, busy, "s", "time in those attempts", err)
               : rc;
}

int packing_ranks(struct packing *p, struct gm_error *err)
{
    static const char *const names[][2] = {
        {"host", "host name"},
        {"device", "what it computes on"},
        {"planned", "PUs by the plan, an idset"},
        {"inherited", "PUs it was started on, an idset"},
        {"seen", "PUs the kernel named while its first task ran, an idset"},
        {"memory", "NUMA nodes its memory could come from at the start, an idset"},
        {"gpus", "GPUs its environment showed at the start; all: it named none"},
        {"mismatch", "what is not as planned, in sentences"},
    };
    unsigned n = shards_n_ranks(p->shards);
    AUTO_FREE(const char *) texts = xcalloc(n + 1u, sizeof(*texts));
    AUTO_ID at = -1;
    int rc = h5_group(p->file, "ranks", "one row a rank", &at, err);
    for (unsigned k = 0; rc == 0 && k < RESULT_RANK_TEXTS; k++) {
        for (unsigned i = 0; i < n; i++) {
            struct reader_rank r;
            shards_rank(p->shards, i, &r);
            const char *fields[RESULT_RANK_TEXTS] = {r.host,
                                                     r.device,
                                                     r.planned,
                                                     r.inherited,
                                                     r.seen,
                                                     r.memory,
                                                     r.gpus,
                                                     r.mismatch};
            texts[i] = fields[k];
        }
        rc = column_put_texts(at, names[k][0], texts, n, names[k][1], err);
    }
    return rc == 0 ? put_rank_numbers(p, at, n, err) : rc;
}
