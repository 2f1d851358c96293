/* /ranks, /tasks and /attempts of a packed file: plain columns, one row after the other.
 * What most rows of a column have is its fill value, and chunks of nothing else are not
 * written. */
#include "base/memory.h"
#include "column.h"
#include "losses.h"
#include "packing.h"
#include "used.h"

struct spec { /* a column */
    const char *name, *unit, *help;
    char type;        /* B u8, I u32, i i32, Q u64, d f64 */
    union cell usual; /* in most rows */
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
#define REASONS                                                                          \
    "0 ok, 1 the kernel's error, 2 exit status, 3 signal, 4 timeout, 5 needs, 6 its "    \
    "rank was lost, 7 crash limit, 8 a value is damaged"

static const struct spec task_columns[COL_TASKS] = {
    [COL_STAGE] = {"stage", "1", "index of the task's stage", 'I', {0}},
    [COL_INDEX] = {"index", "1", "index of the task in its stage", 'Q', {0}},
    [COL_RANK] =
        {"rank", "1", "the first rank of the group that ran it; -1: none", 'i', {0}},
    [COL_N_RANKS] = {"n_ranks", "1", "ranks in that group", 'I', {.u = 1}},
    [COL_START] = {"start", SECONDS, "begin of the attempt that counts", 'd', {0}},
    [COL_END] = {"end", SECONDS, "end of the attempt that counts", 'd', {0}},
    [COL_TIMED_WITH] = {"timed_with",
                        "1",
                        "tasks that were measured together and share start and end; 1: "
                        "its own",
                        'I',
                        {.u = 1}},
    [COL_ATTEMPTS] = {"attempts", "1", "attempts made", 'I', {.u = 1}},
    [COL_STATUS] = {"status", "1", STATUSES, 'B', {.b = RESULT_DONE}},
    [COL_REASON] = {"reason", "1", REASONS, 'B', {0}},
    [COL_EXIT_CODE] = {"exit_code", "1", "exit status of a command", 'i', {0}},
    [COL_SIGNAL] = {"signal", "1", "the signal that ended a command; 0: none", 'i', {0}},
    [COL_DIGEST] = {"digest",
                    "1",
                    "of what it computed: equal where all values are; 0: nothing",
                    'Q',
                    {0}},
};

enum {
    TRY_TASK,
    TRY_ATTEMPT,
    TRY_RANK,
    TRY_N_RANKS,
    TRY_STATUS,
    TRY_REASON,
    TRY_START,
    TRY_END,
    TRY_EXIT_CODE,
    TRY_SIGNAL,
    TRY_USER,
    TRY_SYSTEM,
    TRY_MAX_RSS,
    TRY_READ,
    TRY_WRITTEN,
    TRY_CONTINUED,
    TRY_FLOPS,
    TRY_FLOPS64,
    TRY_BYTES,
    TRY_GPU_S,
    TRY_COLUMNS
};

static const struct spec attempt_columns[TRY_COLUMNS] = {
    [TRY_TASK] = {"task", "row", "row of /tasks", 'Q', {0}},
    [TRY_ATTEMPT] = {"attempt", "1", "counted from 1", 'I', {.u = 1}},
    [TRY_RANK] = {"rank", "1", "the first rank of the group that ran it", 'i', {0}},
    [TRY_N_RANKS] = {"n_ranks", "1", "ranks in that group", 'I', {.u = 1}},
    [TRY_STATUS] = {"status", "1", STATUSES, 'B', {.b = RESULT_DONE}},
    [TRY_REASON] = {"reason", "1", REASONS, 'B', {0}},
    [TRY_START] = {"start", SECONDS, "begin", 'd', {0}},
    [TRY_END] = {"end", SECONDS, "end", 'd', {0}},
    [TRY_EXIT_CODE] = {"exit_code", "1", "exit status of a command", 'i', {0}},
    [TRY_SIGNAL] = {"signal", "1", "the signal that ended a command; 0: none", 'i', {0}},
    [TRY_USER] = {"user", "s", "processor time in user mode", 'd', {0}},
    [TRY_SYSTEM] = {"system", "s", "processor time in the kernel", 'd', {0}},
    [TRY_MAX_RSS] = {"max_rss",
                     "byte",
                     "most resident memory of a command's largest process; 0: not known",
                     'Q',
                     {0}},
    [TRY_READ] = {"read", "byte", "what a command read from storage", 'Q', {0}},
    [TRY_WRITTEN] = {"written", "byte", "what a command wrote to storage", 'Q', {0}},
    [TRY_CONTINUED] = {"continued",
                       "1",
                       "steps of a kernel that it did not take, since it went on from a "
                       "checkpoint; 0: it began anew",
                       'Q',
                       {0}},
    [TRY_FLOPS] =
        {"flops", "flop", "that its kernel counted, float32 or narrower", 'd', {0}},
    [TRY_FLOPS64] = {"flops64", "flop", "that its kernel counted, float64", 'd', {0}},
    [TRY_BYTES] =
        {"bytes", "byte", "that its kernel counted, to and from memory", 'd', {0}},
    [TRY_GPU_S] = {"gpu_seconds", "s", "in which its ranks' GPUs computed", 'd', {0}},
};

static int open_columns(struct packing *p,
                        const char *group,
                        const struct spec *specs,
                        unsigned n,
                        uint64_t rows,
                        struct bulk *ret,
                        struct gm_error *err)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < n; i++) {
        struct bulk_spec spec = {.group = group,
                                 .chunk_rows = PACKING_BLOCK,
                                 .sparse = true,
                                 .column = {.name = specs[i].name,
                                            .unit = specs[i].unit,
                                            .help = specs[i].help,
                                            .type = native(specs[i].type),
                                            .fill = &specs[i].usual,
                                            .ndim = 1,
                                            .dims = {rows}}};
        rc = bulk_open(&p->out, &spec, &ret[i], err);
    }
    return rc;
}

/* One element; its size is known where it is copied, which a call of memcpy would cost.
 */
static inline int add_cell(struct bulk *b, const union cell *cell, struct gm_error *err)
{
    size_t room;
    unsigned char *to = bulk_room(b, &room);
    if (room < b->element)
        return gm_fail(err, -EINVAL, "%s: more rows than it has", b->name);
    switch (b->element) {
    case sizeof(cell->q):
        memcpy(to, &cell->q, sizeof(cell->q));
        break;
    case sizeof(cell->u):
        memcpy(to, &cell->u, sizeof(cell->u));
        break;
    default:
        *to = cell->b;
    }
    return bulk_advance(b, b->element, err);
}

int packing_add(struct bulk *columns,
                const union cell *row,
                unsigned n_columns,
                struct gm_error *err)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < n_columns; i++)
        rc = add_cell(&columns[i], &row[i], err);
    return rc;
}

/* Collective. */
static int close_columns(
    struct packing *p, struct bulk *columns, unsigned n, int rc, struct gm_error *err)
{
    rc = output_settle(&p->out, rc, err);
    for (unsigned i = 0; i < n; i++)
        rc = bulk_close(&columns[i], rc, err);
    return rc;
}

/* The heaps' numbers of all members' rows: sums are running ones after this. */
static int join_heap(struct packing *p, struct heap *h, struct gm_error *err)
{
    const struct team *t = p->team;
    uint64_t n = h->n_blocks + 1;
    struct heap mine = *h;
    AUTO_FREE(struct heap) heaps = xcalloc(t->n, sizeof(*heaps));
    AUTO_FREE(struct heap_sum) sums = xcalloc(t->n, n * sizeof(*sums));
    int rc = team_gather(t, &mine, sizeof(mine), heaps, err);
    rc = rc == 0 ? team_gather(t, h->sums, n * sizeof(*sums), sums, err) : rc;
    h->n_values = 0;
    for (unsigned m = 0; rc == 0 && m < t->n; m++) {
        const struct heap *other = &heaps[m];
        h->ragged |= other->ragged;
        if (other->n_values > 0 && h->n_values == 0)
            memcpy(h->one, other->one, sizeof(h->one));
        h->ragged |= other->n_values > 0 &&
                     memcmp(h->one, other->one, h->ndim * sizeof(h->one[0])) != 0;
        h->n_values += other->n_values;
    }
    struct heap_sum at = {0, 0};
    for (uint64_t i = 0; rc == 0 && i < n; i++) {
        h->sums[i] = at;
        for (unsigned m = 0; m < t->n; m++) {
            at.elements += sums[m * n + i].elements;
            at.rows += sums[m * n + i].rows;
        }
    }
    return rc;
}

int packing_tasks(struct packing *p, struct gm_error *err)
{
    struct bulk columns[COL_TASKS];
    memset(columns, 0, sizeof(columns));
    int rc = open_columns(p, "tasks", task_columns, COL_TASKS, p->n_rows, columns, err);
    if (rc == 0)
        rc = packing_look(p, columns[0].first, columns[0].end, columns, err);
    rc = close_columns(p, columns, COL_TASKS, rc, err);
    for (unsigned i = 0; rc == 0 && i < p->n_heaps; i++)
        rc = join_heap(p, &p->heaps[i], err);
    return rc;
}

static int add_attempt(struct packing *p,
                       unsigned stage,
                       uint64_t i,
                       struct bulk *columns,
                       unsigned n_columns,
                       struct gm_error *err)
{
    struct row_commit c;
    int rc = shards_attempt(p->shards, stage, i, &c, err);
    if (rc != 0)
        return rc;
    union cell row[TRY_COLUMNS] = {
        [TRY_TASK] = {.q = p->first[stage] + c.task},
        [TRY_ATTEMPT] = {.u = c.attempt},
        [TRY_RANK] = {.i = (int32_t)c.rank},
        [TRY_N_RANKS] = {.u = c.n_ranks},
        [TRY_STATUS] = {.b = (uint8_t)c.status},
        [TRY_REASON] = {.b = (uint8_t)c.reason},
        [TRY_START] = {.d = c.start},
        [TRY_END] = {.d = c.end},
        [TRY_EXIT_CODE] = {.i = c.exit_code},
        [TRY_SIGNAL] = {.i = c.signal},
        [TRY_USER] = {.d = c.user_s},
        [TRY_SYSTEM] = {.d = c.system_s},
        [TRY_MAX_RSS] = {.q = c.max_rss},
        [TRY_READ] = {.q = c.read_bytes},
        [TRY_WRITTEN] = {.q = c.written_bytes},
        [TRY_CONTINUED] = {.q = c.continued},
        [TRY_FLOPS] = {.d = c.flops},
        [TRY_FLOPS64] = {.d = c.flops64},
        [TRY_BYTES] = {.d = c.bytes},
        [TRY_GPU_S] = {.d = c.gpu_s},
    };
    return packing_add(columns, row, n_columns, err);
}

/* What kernels counted has columns where any did. */
static unsigned count_columns(const struct packing *p)
{
    const struct used *u = shards_used(p->shards);
    for (unsigned i = 0; i < u->n_stages; i++) {
        if (u->stages[i].counted > 0)
            return TRY_COLUMNS;
    }
    return TRY_FLOPS;
}

int packing_attempts(struct packing *p, struct gm_error *err)
{
    struct bulk columns[TRY_COLUMNS];
    memset(columns, 0, sizeof(columns));
    uint64_t n = 0, before = 0;
    unsigned n_columns = count_columns(p);
    for (unsigned s = 0; s < p->head->n_stages; s++)
        n += p->n[s] > 0 ? shards_n_attempts(p->shards, s) : 0;
    int rc = open_columns(p, "attempts", attempt_columns, n_columns, n, columns, err);
    uint64_t first = columns[0].first, end = columns[0].end;
    for (unsigned s = 0; rc == 0 && s < p->head->n_stages; s++) {
        uint64_t has = p->n[s] > 0 ? shards_n_attempts(p->shards, s) : 0;
        uint64_t from = before > first ? before : first;
        uint64_t to = before + has < end ? before + has : end;
        for (uint64_t i = from; rc == 0 && i < to; i++)
            rc = add_attempt(p, s, i - before, columns, n_columns, err);
        before += has;
    }
    return close_columns(p, columns, n_columns, rc, err);
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

static int put_losses(struct packing *p, hid_t at, unsigned n, struct gm_error *err)
{
    AUTO_FREE(double) when = xcalloc(n + 1u, sizeof(*when));
    AUTO_FREE(const char *) why = xcalloc(n + 1u, sizeof(*why));
    struct losses losses;
    int rc = losses_read(p->opt->folder, &losses, err);
    for (unsigned i = 0; rc == 0 && i < n; i++) {
        const struct losses_rank *lost = losses_last(&losses, i);
        when[i] = lost != NULL ? lost->when : 0;
        why[i] = lost != NULL ? lost->why : "";
    }
    rc = rc == 0 ? column_put(at,
                              "lost",
                              H5T_NATIVE_DOUBLE,
                              n,
                              when,
                              "s",
                              "when it was lost, since 1970; 0: it was not",
                              err)
                 : rc;
    rc = rc == 0 ? column_put_texts(at, "lost_why", why, n, "why it was lost", err) : rc;
    losses_clear(&losses);
    return rc;
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
    int rc = h5_group(p->out.file, "ranks", "one row a rank", &at, err);
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
    rc = rc == 0 ? put_rank_numbers(p, at, n, err) : rc;
    return rc == 0 ? put_losses(p, at, n, err) : rc;
}
