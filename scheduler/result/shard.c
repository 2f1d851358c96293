/* See shard.h. Invariant: the file never shows a commit row before the records and the
 * bytes that it speaks of are in the file: heap and records are written and flushed
 * first. Buffers bound the memory; a batch that outgrows them is written in part, but not
 * committed.
 *
 * The datasets have no filter and no chunk cache, so a write goes straight to its place
 * in the chunk: chunks can be large (few index entries, few blocks) while a small flush
 * stays small, and bytes that were committed are never written again. */
#include "shard.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "crc.h"
#include "listing.h"
#include "row.h"
#include "run.h"
#include <fcntl.h>
#include <unistd.h>

#define HEAP_CHUNK (1u << 20) /* bytes */
#define ROW_CHUNK  4096u      /* rows */
#define HEAP_ROOM  (4u << 20) /* bytes buffered */
#define ROW_ROOM   8192u      /* rows buffered */
#define WRITEBACK  (1u << 20) /* bytes of the heap that the disk is told of at once */
#define FILE_PIECE (1u << 20) /* bytes of a value in a file, read at once */

struct table { /* one dataset that grows */
    hid_t set, type;
    size_t size;      /* bytes of a row */
    uint64_t written; /* rows in the file */
    unsigned char *buf;
    size_t n, room; /* rows buffered */
};

struct shard {
    char *path, *fence;
    hid_t file;
    int fd; /* of it; -1: HDF5 has it otherwise */
    struct table heap, records, commits;
    uint64_t begun; /* bytes of the heap that the disk was told of */
    uint32_t rank, launch;
    uint64_t first;      /* the open task's first record */
    struct gm_error why; /* code != 0: broken */
};

static const struct {
    const char *name, *help;
    unsigned chunk;
} tables[] = {
    {"heap", "bytes of all values, one after the other", HEAP_CHUNK},
    {"records", "one row a value: what it is and where in the heap", ROW_CHUNK},
    {"commits", "one row an attempt at a task: valid once it is here", ROW_CHUNK},
};

static int make_table(hid_t file, unsigned i, hid_t type, struct gm_error *err)
{
    hsize_t none = 0, most = H5S_UNLIMITED, chunk = tables[i].chunk;
    AUTO_ID space = H5Screate_simple(1, &none, &most);
    AUTO_ID how = H5Pcreate(H5P_DATASET_CREATE);
    (void)H5Pset_chunk(how, 1, &chunk);
    (void)H5Pset_fill_time(how, H5D_FILL_TIME_NEVER);
    (void)H5Pset_obj_track_times(how, false);
    AUTO_ID set =
        H5Dcreate2(file, tables[i].name, type, space, H5P_DEFAULT, how, H5P_DEFAULT);
    if (set < 0)
        return h5_fail(err, "%s", tables[i].name);
    int rc = h5_put_text(set, "unit", i == 0 ? "byte" : "row", err);
    return rc == 0 ? h5_put_text(set, "description", tables[i].help, err) : rc;
}

static int open_table(hid_t file, unsigned i, struct table *t, struct gm_error *err)
{
    AUTO_ID access = H5Pcreate(H5P_DATASET_ACCESS);
    (void)H5Pset_chunk_cache(access, 1, 0, 1.0);
    t->set = H5Dopen2(file, tables[i].name, access);
    return t->set < 0 ? h5_fail(err, "%s", tables[i].name) : 0;
}

static int write_rows(struct table *t, const void *rows, uint64_t n, struct gm_error *err)
{
    hsize_t first = t->written, count = n, end = t->written + n;
    if (H5Dset_extent(t->set, &end) < 0)
        return h5_fail(err, "set_extent");
    AUTO_ID memory = H5Screate_simple(1, &count, NULL);
    AUTO_ID space = H5Screate_simple(1, &end, NULL);
    (void)H5Sselect_hyperslab(space, H5S_SELECT_SET, &first, NULL, &count, NULL);
    if (H5Dwrite(t->set, t->type, memory, space, H5P_DEFAULT, rows) < 0)
        return h5_fail(err, "write");
    t->written = end;
    return 0;
}

/* Writes what is buffered. */
static int spill(struct table *t, struct gm_error *err)
{
    int rc = t->n > 0 ? write_rows(t, t->buf, t->n, err) : 0;
    if (rc == 0)
        t->n = 0;
    return rc;
}

static int flush_table(struct table *t, struct gm_error *err)
{
    int rc = spill(t, err);
    return rc == 0 && H5Dflush(t->set) < 0 ? h5_fail(err, "flush") : rc;
}

/* A failure is remembered: what HDF5 holds in memory may no longer be what the file has.
 * The inner sentence has the reason; people want the file's name before it. */
static int broken(const struct shard *s, struct gm_error *err)
{
    return s->why.code != 0 ? gm_fail(err, s->why.code, "%s", s->why.text) : 0;
}

static int fail(struct shard *s, const struct gm_error *why, struct gm_error *err)
{
    const char *reason = strstr(why->text, ": ");
    reason = reason != NULL ? reason + 2 : why->text;
    (void)gm_fail(&s->why, why->code, "%s: %s", s->path, reason);
    return broken(s, err);
}

static void make_buffer(struct table *t, hid_t type, size_t size, size_t room)
{
    t->set = -1;
    t->type = type;
    t->size = size;
    t->room = room;
    t->buf = malloc(xmul(room, size)); /* not cleared: pages come as they are used */
    if (t->buf == NULL)
        t->buf = xcalloc(room, size);
}

static void free_table(struct table *t)
{
    h5_release(&t->set);
    h5_release(&t->type);
    free(t->buf);
}

static void free_shard(struct shard *s)
{
    free_table(&s->heap);
    free_table(&s->records);
    free_table(&s->commits);
    h5_release(&s->file);
    free(s->path);
    free(s->fence);
    free(s);
}

static struct shard *make_shard(unsigned rank)
{
    struct shard *s = xcalloc(1, sizeof(*s));
    s->rank = rank;
    s->file = -1;
    s->fd = -1;
    make_buffer(&s->heap, H5Tcopy(H5T_NATIVE_UINT8), 1, HEAP_ROOM);
    make_buffer(&s->records, row_record_type(), sizeof(struct row_record), ROW_ROOM);
    make_buffer(&s->commits, row_commit_type(), sizeof(struct row_commit), ROW_ROOM);
    return s;
}

/* The file under its temporary name: datasets, then SWMR. They are closed and opened
 * again around its start, which keeps their access properties on every HDF5 version. */
static int start_file(struct shard *s, const char *tmp, struct gm_error *err)
{
    AUTO_ID access = h5_access(true);
    s->file = H5Fcreate(tmp, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    if (s->file < 0)
        return h5_fail(err, "create");
    int *fd;
    if (H5Pget_driver(access) == H5FD_SEC2 &&
        H5Fget_vfd_handle(s->file, access, (void **)&fd) >= 0)
        s->fd = *fd;
    int rc = h5_put_text(s->file, "schema", RESULTS_SCHEMA, err);
    rc = rc == 0 ? h5_put_u64(s->file, "rank", s->rank, err) : rc;
    struct table *each[] = {&s->heap, &s->records, &s->commits};
    for (unsigned i = 0; rc == 0 && i < 3; i++)
        rc = make_table(s->file, i, each[i]->type, err);
    if (rc == 0 && H5Fstart_swmr_write(s->file) < 0)
        rc = h5_fail(err, "start_swmr_write");
    for (unsigned i = 0; rc == 0 && i < 3; i++)
        rc = open_table(s->file, i, each[i], err);
    return rc;
}

/* The name of that number. False: it is taken, try the next. */
static bool take_name(struct shard *s,
                      const char *folder,
                      const char *tmp,
                      unsigned launch,
                      int *ret_rc,
                      struct gm_error *err)
{
    free(s->path);
    free(s->fence);
    s->launch = launch;
    s->path = listing_shard(folder, s->rank, launch);
    s->fence = listing_fence(s->path);
    int rc = file_take_name(tmp, s->path, err);
    *ret_rc = rc == -EEXIST ? 0 : rc;
    return rc != -EEXIST;
}

/* A file of a name that nobody else has; its folder, too. */
static int reserve(const char *path, char **ret, struct gm_error *err)
{
    AUTO_FREE(char) dir = file_dirname(path);
    int rc = file_make_folders(dir, err);
    AUTO_FD fd = rc == 0 ? file_beside(path, ret, err) : -1;
    return rc == 0 && fd < 0 ? fd : rc;
}

int shard_create(const char *folder,
                 unsigned rank,
                 struct shard **ret,
                 struct gm_error *err)
{
    h5_begin();
    struct shard *s = make_shard(rank);
    struct gm_error why = {0};
    AUTO_FREE(char) tmp = NULL;
    unsigned launch = listing_launches(folder, rank);
    s->path = listing_shard(folder, rank, launch);
    int rc = reserve(s->path, &tmp, err);
    if (rc == 0 && start_file(s, tmp, &why) != 0)
        rc = fail(s, &why, err);
    while (rc == 0 && !take_name(s, folder, tmp, launch, &rc, err))
        launch++;
    if (rc == 0) {
        *ret = s;
        return 0;
    }
    if (tmp != NULL)
        (void)unlink(tmp);
    free_shard(s);
    return rc;
}

unsigned shard_launch(const struct shard *s)
{
    return s->launch;
}

static int add_bytes(struct shard *s, const void *data, uint64_t n, struct gm_error *err)
{
    struct table *t = &s->heap;
    int rc = n > t->room - t->n ? spill(t, err) : 0;
    if (rc != 0 || n == 0)
        return rc;
    if (n > t->room - t->n)
        return write_rows(t, data, n, err);
    memcpy(t->buf + t->n, data, n);
    t->n += n;
    return 0;
}

static int add_row(struct table *t, const void *row, struct gm_error *err)
{
    int rc = t->n == t->room ? spill(t, err) : 0;
    if (rc == 0)
        memcpy(t->buf + t->n++ * t->size, row, t->size);
    return rc;
}

/* Adds them all, or as many as the disk takes. */
static int add_records(struct shard *s,
                       const struct row_record *records,
                       unsigned n,
                       struct gm_error *err)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < n; i++)
        rc = add_row(&s->records, &records[i], err);
    return rc;
}

static struct row_record row_of(const struct shard *s, const struct result_record *r)
{
    struct row_record row = {.task = r->task,
                             .offset = s->heap.written + s->heap.n,
                             .nbytes = r->nbytes,
                             .stage = r->stage,
                             .kind = r->kind,
                             .index = r->index,
                             .dtype = r->dtype,
                             .ndim = r->ndim};
    memcpy(row.dims, r->dims, r->ndim * sizeof(row.dims[0]));
    return row;
}

static int add(struct shard *s, const struct result_record *r, struct gm_error *err)
{
    struct row_record row = row_of(s, r);
    row.data_crc = crc_extend(0, r->data, r->nbytes);
    row_seal_record(&row);
    int rc = add_bytes(s, r->data, r->nbytes, err);
    return rc == 0 ? add_row(&s->records, &row, err) : rc;
}

/* The bytes of a file at this place; -EIO: it ends before. */
static int read_piece(int fd, void *buf, size_t n, uint64_t at, struct gm_error *err)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(fd, (char *)buf + done, n - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return gm_fail(err,
                           got < 0 ? -errno : -EIO,
                           "a value in a file: %s",
                           got < 0 ? strerror(errno) : "it ends too soon");
        done += (size_t)got;
    }
    return 0;
}

static int
add_file(struct shard *s, const struct result_record *r, int fd, struct gm_error *err)
{
    struct row_record row = row_of(s, r);
    AUTO_FREE(unsigned char) piece = xcalloc(1, FILE_PIECE);
    int rc = 0;
    for (uint64_t at = 0; rc == 0 && at < r->nbytes; at += FILE_PIECE) {
        uint64_t left = r->nbytes - at;
        size_t n = left < FILE_PIECE ? (size_t)left : FILE_PIECE;
        rc = read_piece(fd, piece, n, at, err);
        row.data_crc = crc_extend(row.data_crc, piece, n);
        rc = rc == 0 ? add_bytes(s, piece, n, err) : rc;
    }
    row_seal_record(&row);
    return rc == 0 ? add_row(&s->records, &row, err) : rc;
}

/* The shard works, and the value has the bytes of its type and shape. */
static int check(struct shard *s, const struct result_record *r, struct gm_error *err)
{
    uint64_t n;
    int rc = broken(s, err);
    if (rc != 0)
        return rc;
    if (r->ndim > GM_MAX_DIMS || gm_dtype_size(r->dtype) == 0 ||
        !row_bytes(r->dtype, r->ndim, r->dims, &n) || n != r->nbytes)
        return gm_fail(err,
                       -EINVAL,
                       "%s: a value of %llu bytes does not have that type and shape",
                       s->path,
                       (unsigned long long)r->nbytes);
    return 0;
}

int shard_add(struct shard *s, const struct result_record *r, struct gm_error *err)
{
    struct gm_error why = {0};
    int rc = check(s, r, err);
    return rc == 0 && add(s, r, &why) != 0 ? fail(s, &why, err) : rc;
}

int shard_add_file(struct shard *s,
                   const struct result_record *r,
                   int fd,
                   struct gm_error *err)
{
    struct gm_error why = {0};
    int rc = check(s, r, err);
    return rc == 0 && add_file(s, r, fd, &why) != 0 ? fail(s, &why, err) : rc;
}

static uint64_t n_records(const struct shard *s)
{
    return s->records.written + s->records.n;
}

static int add_commit(struct shard *s, struct row_commit *row, struct gm_error *err)
{
    row_seal_commit(row);
    int rc = s->commits.n == s->commits.room ? shard_flush(s, err) : 0;
    struct gm_error why = {0};
    if (rc == 0 && add_row(&s->commits, row, &why) != 0)
        rc = fail(s, &why, err);
    return rc;
}

int shard_commit(struct shard *s, const struct result_commit *c, struct gm_error *err)
{
    int rc = broken(s, err);
    if (rc != 0)
        return rc;
    struct row_commit row = {
        .task = c->task,
        .count = c->count,
        .first = s->first,
        .n = n_records(s) - s->first,
        .max_rss = c->max_rss,
        .read_bytes = c->read_bytes,
        .written_bytes = c->written_bytes,
        .continued = c->continued,
        .start = c->start,
        .end = c->end,
        .user_s = c->user_s,
        .system_s = c->system_s,
        .flops = c->work.flops,
        .flops64 = c->work.flops64,
        .bytes = c->work.bytes,
        .gpu_s = c->work.gpu_s,
        .stage = c->stage,
        .attempt = c->attempt,
        .status = c->status,
        .reason = c->reason,
        .exit_code = c->exit_code,
        .signal = c->signal,
        .rank = c->rank,
        .n_ranks = c->n_ranks,
    };
    s->first = n_records(s);
    return add_commit(s, &row, err);
}

/* The bytes of a run, in the order in which run_describe says where they are. */
static int add_run_bytes(struct shard *s,
                         const struct result_rows *r,
                         const uint32_t *checks,
                         struct gm_error *err)
{
    int rc = add_bytes(s, r->rows, r->count * r->row_bytes, err);
    if (rc == 0 && r->times != NULL)
        rc = add_bytes(s, r->times, r->count * 2 * sizeof(*r->times), err);
    return rc == 0 ? add_bytes(s, checks, r->count * run_width(r) * sizeof(*checks), err)
                   : rc;
}

int shard_rows(struct shard *s, const struct result_rows *r, struct gm_error *err)
{
    int rc = broken(s, err);
    if (rc != 0)
        return rc;
    AUTO_FREE(uint32_t)
    checks = xcalloc(xmul(r->count, run_width(r) + 1u), sizeof(*checks));
    AUTO_FREE(struct row_record) records = xcalloc(r->n_fields + 3u, sizeof(*records));
    run_check(r, checks);
    uint64_t at = s->heap.written + s->heap.n, before = n_records(s);
    unsigned n = run_describe(r, at, checks, records);
    if (n == 0 || s->first != before)
        return gm_fail(err,
                       -EINVAL,
                       "%s: rows of %llu bytes do not have these fields, or a task is "
                       "not committed yet",
                       s->path,
                       (unsigned long long)r->row_bytes);
    struct gm_error why = {0};
    rc = add_run_bytes(s, r, checks, &why);
    rc = rc == 0 ? add_records(s, records, n, &why) : rc;
    if (rc != 0)
        return fail(s, &why, err);
    s->first = n_records(s);
    struct row_commit row = {
        .task = r->first,
        .count = r->count,
        .first = before,
        .n = n,
        .start = r->start,
        .end = r->end,
        .flops = r->work.flops,
        .flops64 = r->work.flops64,
        .bytes = r->work.bytes,
        .gpu_s = r->work.gpu_s,
        .stage = r->stage,
        .attempt = 1,
        .status = RESULT_DONE,
        .rank = r->rank,
        .n_ranks = 1,
        .layout = ROW_LAYOUT_TABLE,
    };
    return add_commit(s, &row, err);
}

/* One record that speaks of a rank, and its commit. */
static int
say(struct shard *s, unsigned number, struct result_record *record, struct gm_error *err)
{
    bool between = s->first == n_records(s); /* no task is open */
    record->stage = ROW_OF_RANK;
    record->task = number;
    int rc = shard_add(s, record, err);
    if (rc != 0)
        return rc;
    struct row_commit row = {.stage = ROW_OF_RANK,
                             .task = number,
                             .count = 1,
                             .rank = number,
                             .first = n_records(s) - 1,
                             .n = 1};
    if (between)
        s->first = n_records(s);
    return add_commit(s, &row, err);
}

int shard_rank(struct shard *s, const struct result_rank *rank, struct gm_error *err)
{
    return shard_rank_of(s, s->rank, rank, err);
}

int shard_rank_of(struct shard *s,
                  unsigned number,
                  const struct result_rank *rank,
                  struct gm_error *err)
{
    const char *fields[RESULT_RANK_TEXTS] = {rank->host,
                                             rank->device,
                                             rank->planned,
                                             rank->inherited,
                                             rank->seen,
                                             rank->memory,
                                             rank->gpus,
                                             rank->mismatch};
    AUTO_STR text = {0};
    for (unsigned i = 0; i < RESULT_RANK_TEXTS; i++)
        str_add_n(&text,
                  fields[i] != NULL ? fields[i] : "",
                  fields[i] != NULL ? strlen(fields[i]) + 1 : 1);
    str_printf(&text, "%llu", (unsigned long long)rank->pid);
    struct result_record record = {.kind = RESULT_RANK,
                                   .dtype = GM_U8,
                                   .ndim = 1,
                                   .dims = {text.len},
                                   .data = text.text,
                                   .nbytes = text.len};
    return say(s, number, &record, err);
}

int shard_use(struct shard *s,
              unsigned number,
              const struct result_use *use,
              struct gm_error *err)
{
    struct result_record record = {.kind = RESULT_USE,
                                   .dtype = GM_F64,
                                   .ndim = 1,
                                   .dims = {USE_NUMBERS},
                                   .data = use->v,
                                   .nbytes = sizeof(use->v)};
    return say(s, number, &record, err);
}

/* The disk begins with what is written, while the tasks after it are computed: a sync at
 * the end finds little left. Not every file system knows it. */
static void start_writeback(struct shard *s)
{
    if (s->fd < 0 || s->heap.written - s->begun < WRITEBACK)
        return;
    s->begun = s->heap.written;
    (void)sync_file_range(s->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int shard_flush(struct shard *s, struct gm_error *err)
{
    int rc = broken(s, err);
    if (rc != 0 || s->commits.n == 0)
        return rc;
    struct gm_error why = {0};
    rc = flush_table(&s->heap, &why);
    rc = rc == 0 ? flush_table(&s->records, &why) : rc;
    rc = rc == 0 ? flush_table(&s->commits, &why) : rc;
    if (rc < 0)
        return fail(s, &why, err);
    start_writeback(s);
    return 0;
}

bool shard_fenced(const struct shard *s)
{
    return file_exists(s->fence) || !file_exists(s->path);
}

uint64_t shard_pending(const struct shard *s)
{
    return s->heap.n + s->records.n * s->records.size + s->commits.n * s->commits.size;
}

int shard_close(struct shard *s, struct gm_error *err)
{
    if (s == NULL)
        return 0;
    int rc = shard_flush(s, err);
    h5_release(&s->heap.set);
    h5_release(&s->records.set);
    h5_release(&s->commits.set);
    hid_t file = s->file;
    s->file = -1;
    if (H5Fclose(file) < 0 && rc == 0)
        rc = h5_fail(err, "%s", s->path);
    free_shard(s);
    return rc;
}
