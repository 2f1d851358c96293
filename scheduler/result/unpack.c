/* See unpack.h. Invariant: the folder's hash is the file's. Values pass one at a time. */
#include "unpack.h"
#include "base/memory.h"
#include "base/str.h"
#include "head.h"
#include "losses.h"
#include "read.h"
#include "receipt_gather.h"
#include "shard.h"
#include "window.h"

#define BUFFER (64u << 10)

enum {
    TASK,
    ATTEMPT,
    RANK,
    N_RANKS,
    STATUS,
    REASON,
    START,
    END,
    EXIT_CODE,
    SIGNAL,
    USER,
    SYSTEM,
    MAX_RSS,
    READ,
    WRITTEN,
    CONTINUED,
    FLOPS,
    FLOPS64,
    BYTES,
    GPU_S,
    N_COLUMNS
};

struct unpack {
    hid_t file;
    struct reader *r;
    const struct head *head;
    struct shard *shard;
    struct window columns[N_COLUMNS]; /* of /attempts */
    uint64_t row;                     /* the next attempt */
    uint64_t first;                   /* a stage's first row of /tasks */
};

static int open_attempts(struct unpack *u, struct gm_error *err)
{
    const struct {
        const char *name;
        hid_t type;
    } columns[N_COLUMNS] = {
        [TASK] = {"attempts/task", H5T_NATIVE_UINT64},
        [ATTEMPT] = {"attempts/attempt", H5T_NATIVE_UINT32},
        [RANK] = {"attempts/rank", H5T_NATIVE_INT32},
        [N_RANKS] = {"attempts/n_ranks", H5T_NATIVE_UINT32},
        [STATUS] = {"attempts/status", H5T_NATIVE_UINT8},
        [REASON] = {"attempts/reason", H5T_NATIVE_UINT8},
        [START] = {"attempts/start", H5T_NATIVE_DOUBLE},
        [END] = {"attempts/end", H5T_NATIVE_DOUBLE},
        [EXIT_CODE] = {"attempts/exit_code", H5T_NATIVE_INT32},
        [SIGNAL] = {"attempts/signal", H5T_NATIVE_INT32},
        [USER] = {"attempts/user", H5T_NATIVE_DOUBLE},
        [SYSTEM] = {"attempts/system", H5T_NATIVE_DOUBLE},
        [MAX_RSS] = {"attempts/max_rss", H5T_NATIVE_UINT64},
        [READ] = {"attempts/read", H5T_NATIVE_UINT64},
        [WRITTEN] = {"attempts/written", H5T_NATIVE_UINT64},
        [CONTINUED] = {"attempts/continued", H5T_NATIVE_UINT64},
        [FLOPS] = {"attempts/flops", H5T_NATIVE_DOUBLE},
        [FLOPS64] = {"attempts/flops64", H5T_NATIVE_DOUBLE},
        [BYTES] = {"attempts/bytes", H5T_NATIVE_DOUBLE},
        [GPU_S] = {"attempts/gpu_seconds", H5T_NATIVE_DOUBLE},
    };
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < N_COLUMNS; i++) {
        struct window *w = &u->columns[i];
        if (i >= READ && H5Lexists(u->file, columns[i].name, H5P_DEFAULT) <= 0)
            continue; /* a file of an earlier version */
        rc = window_open(
            w, u->file, columns[i].name, H5P_DEFAULT, columns[i].type, 1, BUFFER, err);
        if (rc == 0 && w->dims[0] != u->columns[TASK].dims[0])
            rc = gm_fail(
                err, -EINVAL, "%s: not as long as attempts/task", columns[i].name);
    }
    return rc;
}

static int get_attempt(struct unpack *u,
                       uint64_t row,
                       uint64_t *ret_task,
                       struct result_commit *ret,
                       struct gm_error *err)
{
    uint8_t status = 0, reason = 0;
    int32_t rank = 0;
    struct result_commit c = {.count = 1};
    void *into[N_COLUMNS] = {
        [TASK] = ret_task,          [ATTEMPT] = &c.attempt,  [RANK] = &rank,
        [N_RANKS] = &c.n_ranks,     [STATUS] = &status,      [REASON] = &reason,
        [START] = &c.start,         [END] = &c.end,          [EXIT_CODE] = &c.exit_code,
        [SIGNAL] = &c.signal,       [USER] = &c.user_s,      [SYSTEM] = &c.system_s,
        [MAX_RSS] = &c.max_rss,     [READ] = &c.read_bytes,  [WRITTEN] = &c.written_bytes,
        [CONTINUED] = &c.continued, [FLOPS] = &c.work.flops, [FLOPS64] = &c.work.flops64,
        [BYTES] = &c.work.bytes,    [GPU_S] = &c.work.gpu_s,
    };
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < N_COLUMNS; i++) {
        if (u->columns[i].ndim > 0)
            rc = window_read(&u->columns[i], row, 1, into[i], err);
    }
    c.status = status;
    c.reason = reason;
    c.rank = rank > 0 ? (uint32_t)rank : 0;
    if (rc == 0)
        *ret = c;
    return rc;
}

static int copy_value(struct unpack *u,
                      unsigned stage,
                      uint64_t task,
                      uint32_t kind,
                      uint32_t index,
                      struct gm_error *err)
{
    struct source_value v;
    int rc = read_find(u->r, stage, task, kind, index, &v, err);
    if (rc != 0)
        return rc == -ENOENT ? 0 : rc;
    AUTO_FREE(unsigned char) data = malloc(v.nbytes + 1);
    if (data == NULL)
        return gm_fail(
            err, -ENOMEM, "no memory for %llu bytes", (unsigned long long)v.nbytes);
    rc = read_bytes(u->r, &v, data, err);
    struct result_record record = {.stage = stage,
                                   .kind = kind,
                                   .index = index,
                                   .task = task,
                                   .dtype = v.dtype,
                                   .ndim = v.ndim,
                                   .data = data,
                                   .nbytes = v.nbytes};
    memcpy(record.dims, v.dims, sizeof(record.dims));
    return rc == 0 ? shard_add(u->shard, &record, err) : rc;
}

static int
copy_values(struct unpack *u, unsigned stage, uint64_t task, struct gm_error *err)
{
    static const uint32_t texts[] = {
        RESULT_PARAMS, RESULT_MESSAGE, RESULT_STDOUT, RESULT_STDERR};
    const struct reader_stage *st = &u->head->stages[stage];
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < 4; i++)
        rc = copy_value(u, stage, task, texts[i], 0, err);
    for (unsigned i = 0; rc == 0 && i < st->n_outputs; i++) {
        bool series = (st->outputs[i].flags & GM_SERIES) != 0;
        rc = copy_value(u, stage, task, series ? RESULT_SERIES : RESULT_OUTPUT, i, err);
    }
    return rc;
}

static int commit(struct unpack *u, const struct result_commit *c, struct gm_error *err)
{
    int rc = shard_commit(u->shard, c, err);
    return rc == 0 && shard_pending(u->shard) > (4u << 20) ? shard_flush(u->shard, err)
                                                           : rc;
}

/* The attempts at a task are the next rows. The first that is done counts, else the last;
 * it is what /tasks says it is, which may be worse (a value was damaged). */
static int copy_attempts(struct unpack *u,
                         unsigned stage,
                         uint64_t task,
                         const struct reader_task *t,
                         struct gm_error *err)
{
    uint64_t n = u->columns[TASK].dims[0];
    bool counted = false;
    int rc = 0;
    while (rc == 0 && u->row < n) {
        struct result_commit c, next;
        uint64_t row = 0, row_after = UINT64_MAX;
        rc = get_attempt(u, u->row, &row, &c, err);
        if (rc != 0 || row != u->first + task)
            break;
        if (u->row + 1 < n)
            rc = get_attempt(u, u->row + 1, &row_after, &next, err);
        bool counts = !counted && (c.status == RESULT_DONE || row_after != row);
        c.stage = stage;
        c.task = task;
        if (counts) {
            c.status = t->status;
            c.reason = t->reason;
            rc = rc == 0 ? copy_values(u, stage, task, err) : rc;
        }
        counted |= counts;
        rc = rc == 0 ? commit(u, &c, err) : rc;
        u->row++;
    }
    if (rc == 0 && !counted)
        return gm_fail(err,
                       -EINVAL,
                       "attempts: %s[%llu] has none, in the order of tasks",
                       u->head->stages[stage].name,
                       (unsigned long long)task);
    return rc;
}

static int copy_skipped(
    struct unpack *u, unsigned stage, uint64_t first, uint64_t end, struct gm_error *err)
{
    struct result_commit c = {.stage = stage,
                              .task = first,
                              .count = end - first,
                              .status = RESULT_SKIPPED,
                              .reason = RESULT_NEEDS};
    return end > first ? commit(u, &c, err) : 0;
}

static int copy_stage(struct unpack *u, unsigned stage, struct gm_error *err)
{
    uint64_t n = u->head->stages[stage].n_tasks, skipped = 0;
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < n; i++) {
        struct reader_task t;
        rc = reader_task(u->r, stage, i, &t, err);
        if (rc == 0 && t.status == RESULT_SKIPPED)
            continue;
        rc = rc == 0 ? copy_skipped(u, stage, skipped, i, err) : rc;
        if (rc == 0 && t.status != RESULT_NONE)
            rc = copy_attempts(u, stage, i, &t, err);
        skipped = i + 1;
    }
    return rc == 0 ? copy_skipped(u, stage, skipped, n, err) : rc;
}

static int copy_tasks(struct unpack *u, struct gm_error *err)
{
    int rc = open_attempts(u, err);
    for (unsigned s = 0; rc == 0 && s < u->head->n_stages; s++) {
        AUTO_STR path = {0};
        AUTO_ID group = -1;
        uint64_t rows[2];
        str_printf(&path, "stages/%s", u->head->stages[s].name);
        rc = h5_open_group(u->file, path.text, &group, err);
        rc = rc == 0 ? h5_get_u64s(group, "task_rows", rows, 2, err) : rc;
        u->first = rc == 0 ? rows[0] : 0;
        if (rc == 0 && rows[1] > rows[0])
            rc = copy_stage(u, s, err);
    }
    for (unsigned i = 0; i < N_COLUMNS; i++)
        window_close(&u->columns[i]);
    return rc;
}

struct copying {
    hid_t to;
    struct gm_error *err;
    int rc;
};

static int copy_attribute(hid_t from, const char *name, hid_t to, struct gm_error *err)
{
    AUTO_ID id = H5Aopen(from, name, H5P_DEFAULT);
    if (id < 0)
        return h5_fail(err, "%s", name);
    AUTO_ID type = H5Aget_type(id);
    AUTO_ID space = H5Aget_space(id);
    size_t size = H5Tget_size(type);
    hssize_t n = H5Sget_simple_extent_npoints(space);
    if (n < 0 || n > 65536 || size > (1u << 20) || H5Tis_variable_str(type) != 0)
        return gm_fail(err, -EINVAL, "%s: no attribute of a results file", name);
    AUTO_FREE(char) data = xcalloc((size_t)n + 1, size);
    AUTO_ID copy = H5Acreate2(to, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    return copy < 0 || H5Aread(id, type, data) < 0 || H5Awrite(copy, type, data) < 0
               ? h5_fail(err, "%s", name)
               : 0;
}

/* All but the rows of /tasks, which the next pack numbers anew. */
static herr_t
each_attribute(hid_t from, const char *name, const H5A_info_t *info, void *ctx)
{
    struct copying *c = ctx;
    (void)info;
    if (strcmp(name, "task_rows") != 0)
        c->rc = copy_attribute(from, name, c->to, c->err);
    return c->rc == 0 ? 0 : -1;
}

static int copy_attributes(hid_t from, hid_t to, struct gm_error *err)
{
    struct copying c = {.to = to, .err = err};
    herr_t done = H5Aiterate2(from, H5_INDEX_NAME, H5_ITER_INC, NULL, each_attribute, &c);
    return c.rc == 0 && done < 0 ? h5_fail(err, "attributes") : c.rc;
}

/* All in a stage's group but what its tasks gave. */
static int copy_stage_head(hid_t from, hid_t to, const char *name, struct gm_error *err)
{
    AUTO_ID old = -1;
    AUTO_ID made = -1;
    H5G_info_t info;
    int rc = h5_open_group(from, name, &old, err);
    if (rc != 0)
        return rc;
    made = H5Gcreate2(to, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (made < 0 || H5Gget_info(old, &info) < 0)
        return h5_fail(err, "%s", name);
    rc = copy_attributes(old, made, err);
    for (unsigned i = 0; rc == 0 && i < info.nlinks; i++) {
        char part[256];
        if (H5Lget_name_by_idx(old,
                               ".",
                               H5_INDEX_NAME,
                               H5_ITER_INC,
                               i,
                               part,
                               sizeof(part),
                               H5P_DEFAULT) < 0)
            return h5_fail(err, "%s", name);
        if (strcmp(part, "outputs") != 0 &&
            H5Ocopy(old, part, made, part, H5P_DEFAULT, H5P_DEFAULT) < 0)
            rc = h5_fail(err, "%s/%s", name, part);
    }
    return rc;
}

static int copy_head(struct unpack *u, hid_t to, struct gm_error *err)
{
    static const char *const whole[] = {"job", "hosts"};
    AUTO_ID stages = -1;
    AUTO_ID made = -1;
    AUTO_ID job = -1;
    int rc = h5_put_text(to, "schema", RESULTS_SCHEMA, err);
    for (unsigned i = 0; rc == 0 && i < 2; i++) {
        if (H5Ocopy(u->file, whole[i], to, whole[i], H5P_DEFAULT, H5P_DEFAULT) < 0)
            rc = h5_fail(err, "%s", whole[i]);
    }
    rc = rc == 0 ? h5_open_group(to, "job", &job, err) : rc;
    if (rc == 0 && H5Aexists(job, "end") > 0) /* it is not over any more */
        (void)H5Adelete(job, "end");
    if (rc == 0 && H5Aexists(job, "outcome") > 0)
        (void)H5Adelete(job, "outcome");
    rc = rc == 0 ? h5_open_group(u->file, "stages", &stages, err) : rc;
    rc = rc == 0 ? h5_group(to, "stages", "the job's stages", &made, err) : rc;
    for (unsigned s = 0; rc == 0 && s < u->head->n_stages; s++)
        rc = copy_stage_head(stages, made, u->head->stages[s].name, err);
    return rc;
}

static int write_head(struct unpack *u, const char *folder, struct gm_error *err)
{
    AUTO_STR path = {0};
    hid_t to = -1;
    str_printf(&path, "%s/job.h5", folder);
    int rc = h5_create(path.text, &to, err);
    if (rc != 0)
        return rc;
    rc = copy_head(u, to, err);
    int closed = h5_close(&to, path.text, rc == 0 ? err : NULL);
    return rc == 0 ? closed : rc;
}

/* What each rank said of itself. */
static int copy_ranks(struct unpack *u, struct gm_error *err)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < reader_n_ranks(u->r); i++) {
        struct reader_rank r;
        rc = reader_rank(u->r, i, &r, err);
        if (rc != 0 || r.pid == 0) /* it never said so much as its process */
            continue;
        struct result_rank rank = {.host = r.host,
                                   .device = r.device,
                                   .planned = r.planned,
                                   .inherited = r.inherited,
                                   .seen = r.seen,
                                   .memory = r.memory,
                                   .gpus = r.gpus,
                                   .mismatch = r.mismatch,
                                   .pid = r.pid};
        rc = shard_rank_of(u->shard, i, &rank, err);
    }
    return rc;
}

/* And what it used, all launches as one: when each was is not kept. */
static int copy_uses(struct unpack *u, struct gm_error *err)
{
    AUTO(receipt) receipt = NULL;
    int rc = reader_receipt(u->r, &receipt, err);
    for (unsigned i = 0; rc == 0 && receipt != NULL && i < receipt->n_ranks; i++) {
        struct result_use use;
        if (receipt_use(receipt, i, &use))
            rc = shard_use(u->shard, i, &use, err);
    }
    return rc;
}

static int write_shard(struct unpack *u, const char *folder, struct gm_error *err)
{
    int rc = shard_create(folder, 0, &u->shard, err);
    rc = rc == 0 ? copy_ranks(u, err) : rc;
    rc = rc == 0 ? copy_uses(u, err) : rc;
    rc = rc == 0 ? copy_tasks(u, err) : rc;
    int closed = shard_close(u->shard, rc == 0 ? err : NULL);
    return rc == 0 ? closed : rc;
}

static int copy_losses(const struct reader *r, const char *folder, struct gm_error *err)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < reader_n_ranks(r); i++) {
        struct reader_rank rank;
        rc = reader_rank(r, i, &rank, err);
        if (rc == 0 && rank.lost > 0)
            losses_add_rank(folder,
                            &(struct losses_rank){
                                .rank = i, .when = rank.lost, .why = rank.lost_why});
    }
    return rc;
}

int unpack_run(const char *file, const char *folder, struct gm_error *err)
{
    AUTO(reader) r = NULL;
    AUTO_ID id = -1;
    int rc = reader_open(file, &r, err); /* in a child process first */
    if (rc == 0 && !reader_is_packed(r))
        rc = gm_fail(err, -EINVAL, "%s: not packed", file);
    rc = rc == 0 ? h5_open(file, H5F_ACC_RDONLY, &id, err) : rc;
    if (rc != 0)
        return rc;
    struct unpack u = {.file = id, .r = r, .head = read_head(r)};
    rc = write_head(&u, folder, err);
    rc = rc == 0 ? write_shard(&u, folder, err) : rc;
    rc = rc == 0 ? copy_losses(r, folder, err) : rc;
    if (rc != 0)
        (void)gm_prefix(err, "%s: cannot be unpacked", file);
    return rc;
}
