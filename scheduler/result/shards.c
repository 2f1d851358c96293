/* See shards.h. Invariant: the index holds trusted commits alone, each once; `seen` of a
 * shard is the row after the last good one, so rows that are still being written are
 * looked at again by the next refresh. No row behind a fence is in the index, also when
 * the fence came later than the row.
 *
 * A task that was committed twice as done counts as the first of them (lowest attempt,
 * then earliest end); without a done one its last attempt counts. */
#include "shards.h"
#include "base/memory.h"
#include "crc.h"
#include "fence.h"
#include "listing.h"
#include "shards_inner.h"

#define OPEN_MOST    200u /* files open at once */
#define RANKS_MOST   (1u << 20)
#define BUFFER_LEAST 4096u /* bytes of one read buffer */
#define BUFFER_MOST  (256u << 10)

static void close_file(struct shards *s, struct shards_one *f)
{
    if (f->id < 0)
        return;
    window_close(&f->heap);
    window_close(&f->records);
    window_close(&f->commits);
    h5_release(&f->id);
    s->n_open--;
}

static size_t buffer_bytes(const struct shards *s)
{
    size_t n = SOURCE_BUFFERS / 3 / (s->n_files + 1u);
    return n < BUFFER_LEAST ? BUFFER_LEAST : n > BUFFER_MOST ? BUFFER_MOST : n;
}

static int open_windows(struct shards *s, struct shards_one *f, struct gm_error *err)
{
    size_t bytes = buffer_bytes(s);
    AUTO_ID access = H5Pcreate(H5P_DATASET_ACCESS);
    (void)H5Pset_chunk_cache(access, 1, 0, 1.0);
    int rc =
        window_open(&f->commits, f->id, "commits", access, s->commit_type, 1, bytes, err);
    rc = rc == 0
             ? window_open(
                   &f->records, f->id, "records", access, s->record_type, 1, bytes, err)
             : rc;
    return rc == 0 ? window_open(
                         &f->heap, f->id, "heap", access, H5T_NATIVE_UINT8, 1, bytes, err)
                   : rc;
}

/* Opens it if need be; another one may be closed for that. */
int shards_use(struct shards *s, struct shards_one *f, struct gm_error *err)
{
    f->used = ++s->clock;
    if (f->id >= 0)
        return 0;
    if (s->n_open >= OPEN_MOST) {
        struct shards_one *oldest = NULL;
        for (unsigned i = 0; i < s->n_files; i++) {
            struct shards_one *other = &s->files[i];
            if (other->id >= 0 && (oldest == NULL || other->used < oldest->used))
                oldest = other;
        }
        if (oldest != NULL)
            close_file(s, oldest);
    }
    int rc = h5_open(f->path, H5F_ACC_RDONLY | H5F_ACC_SWMR_READ, &f->id, err);
    if (rc == -ENOENT) /* which would read as "no such value" */
        return gm_fail(err, -EIO, "%s: was there and is gone", f->path);
    if (rc != 0)
        return rc;
    s->n_open++;
    rc = open_windows(s, f, err);
    if (rc != 0) {
        (void)gm_prefix(err, "%s", f->path);
        close_file(s, f);
    }
    return rc;
}

int shards_record(struct shards *s,
                  unsigned file,
                  uint64_t i,
                  struct row_record *ret,
                  struct gm_error *err)
{
    struct shards_one *f = &s->files[file];
    int rc = shards_use(s, f, err);
    if (rc == 0 && (rc = window_read(&f->records, i, 1, ret, err)) != 0)
        (void)gm_prefix(err, "%s: records", f->path);
    return rc;
}

int shards_commit(struct shards *s,
                  unsigned file,
                  uint64_t i,
                  struct row_commit *ret,
                  struct gm_error *err)
{
    struct shards_one *f = &s->files[file];
    int rc = shards_use(s, f, err);
    if (rc == 0 && (rc = window_read(&f->commits, i, 1, ret, err)) != 0)
        (void)gm_prefix(err, "%s: commits", f->path);
    return rc;
}

/* Is it of a task that there is, and could a shard have written it? */
static bool possible(const struct shards *s, const struct row_commit *c)
{
    uint64_t past;
    if (c->rank >= RANKS_MOST || __builtin_add_overflow(c->task, c->count, &past))
        return false;
    if (c->stage == ROW_OF_RANK)
        return true;
    if (c->stage >= s->head->n_stages || past > s->head->stages[c->stage].n_tasks ||
        c->count == 0 || c->status < RESULT_DONE || c->status > RESULT_RETRIED ||
        c->attempt > COMMITS_TRIES_MOST)
        return false;
    return c->layout == ROW_LAYOUT_TABLE
               ? c->status == RESULT_DONE
               : c->layout == ROW_LAYOUT_VALUES &&
                     (c->count == 1 || c->status == RESULT_SKIPPED);
}

/* Whether all that the commit speaks of is in the file, and right. */
static bool trusted(struct shards *s, unsigned file, const struct row_commit *c)
{
    const struct shards_one *f = &s->files[file];
    uint64_t end;
    if (!row_commit_ok(c) || !possible(s, c) ||
        __builtin_add_overflow(c->first, c->n, &end) || end > f->records.dims[0])
        return false;
    for (uint64_t i = c->first; i < end; i++) {
        struct row_record r;
        if (shards_record(s, file, i, &r, NULL) != 0 ||
            !row_record_ok(&r, f->heap.dims[0]))
            return false;
        if (r.kind != RESULT_RANK && (r.stage != c->stage || r.task != c->task))
            return false;
    }
    return c->layout != ROW_LAYOUT_TABLE || shards_run_ok(s, file, c);
}

/* What shard_rank wrote: its texts, each ended by a 0, and the pid; what shard_use did:
 * numbers. */
static int take_rank(struct shards *s,
                     unsigned file,
                     const struct row_commit *c,
                     struct gm_error *err)
{
    struct row_record r;
    int rc = shards_record(s, file, c->first, &r, err);
    if (rc != 0)
        return rc;
    struct source_value v = {
        .part = file, .offset = r.offset, .nbytes = r.nbytes, .crc = r.data_crc};
    if ((r.kind != RESULT_RANK && r.kind != RESULT_USE) || r.nbytes > (64u << 20))
        return 0;
    AUTO_FREE(char) text = xcalloc(r.nbytes + 1, 1);
    rc = shards_read(s, &v, text, err);
    if (rc == 0 && r.kind == RESULT_RANK)
        commits_rank_said(&s->ranks, c->rank, text, r.nbytes);
    else if (rc == 0)
        used_say(&s->used,
                 file,
                 c->rank,
                 (const double *)(const void *)text,
                 r.nbytes / sizeof(double));
    return rc == -EBADMSG ? 0 : rc; /* no task needs it */
}

static int take_commit(struct shards *s,
                       unsigned file,
                       uint64_t row,
                       const struct row_commit *c,
                       struct gm_error *err)
{
    if (c->stage == ROW_OF_RANK)
        return c->n == 1 ? take_rank(s, file, c, err) : 0;
    commits_add(&s->stages[c->stage], c, file, row);
    bool command = s->head->stages[c->stage].kernel[0] == '\0';
    used_take(&s->used, file, (unsigned)s->head->n_ranks, command, c);
    if (c->status != RESULT_SKIPPED)
        commits_rank_ran(&s->ranks, c->rank, c->count, c->end - c->start);
    return 0;
}

/* Looks for the fence, once there is one no more. 1: it cuts off what was taken. */
static int look_for_fence(struct shards_one *f, struct gm_error *err)
{
    if (f->fenced)
        return 0;
    int rc = fence_of(f->path, &f->fence, err);
    f->fenced = rc > 0;
    return rc > 0 && f->seen > f->fence ? 1 : rc < 0 ? rc : 0;
}

/* All that was taken is forgotten: a fence cut some of it off. */
static void forget(struct shards *s)
{
    for (unsigned i = 0; i < s->head->n_stages; i++)
        commits_free(&s->stages[i]);
    commits_free_ranks(&s->ranks);
    used_free(&s->used);
    shards_run_forget(s);
    for (unsigned i = 0; i < s->n_files; i++)
        s->files[i].seen = 0;
}

static int refresh_file(struct shards *s, unsigned i, struct gm_error *err)
{
    struct shards_one *f = &s->files[i];
    int rc = shards_use(s, f, err);
    /* Also when it was opened just now: HDF5 shares what another reader in this process
     * has open, and that may be old. Commits first: what they speak of is older than they
     * are. */
    if (rc == 0) {
        rc = window_refresh(&f->commits, err);
        if (rc == 0 && f->commits.dims[0] > f->seen)
            rc = window_refresh(&f->records, err);
        if (rc == 0 && f->commits.dims[0] > f->seen)
            rc = window_refresh(&f->heap, err);
        if (rc != 0)
            (void)gm_prefix(err, "%s", f->path);
    }
    uint64_t n = rc == 0 ? f->commits.dims[0] : 0;
    if (f->fenced && n > f->fence)
        n = f->fence;
    if (n > COMMITS_ROWS_MOST)
        n = COMMITS_ROWS_MOST;
    for (uint64_t row = f->seen; rc == 0 && row < n; row++) {
        struct row_commit c;
        rc = shards_commit(s, i, row, &c, err);
        if (rc != 0 || !trusted(s, i, &c))
            continue;
        rc = take_commit(s, i, row, &c, err);
        f->seen = row + 1;
    }
    return rc;
}

/* Takes over `path` unless it is known. */
static void add_file(struct shards *s, char *path)
{
    for (unsigned i = 0; i < s->n_files; i++) {
        if (strcmp(s->files[i].path, path) == 0) {
            free(path);
            return;
        }
    }
    s->files = xrealloc(s->files, s->n_files + 1u, sizeof(*s->files));
    s->files[s->n_files++] = (struct shards_one){.path = path, .id = -1};
}

static int find_files(struct shards *s, struct gm_error *err)
{
    if (s->only != NULL) {
        add_file(s, xstrdup(s->only));
        return 0;
    }
    char **names = NULL;
    size_t n = 0;
    int rc = listing_shards(s->folder, &names, &n, err);
    if (rc == 0 && n > COMMITS_FILES_MOST)
        rc = gm_fail(err, -EFBIG, "%s: %zu shards are too many", s->folder, n);
    for (size_t i = 0; rc == 0 && i < n; i++)
        add_file(s, steal(&names[i]));
    listing_free(names, n);
    return rc;
}

int shards_refresh(struct shards *s, struct gm_error *err)
{
    bool cut = false;
    int rc = find_files(s, err);
    for (unsigned i = 0; rc >= 0 && i < s->n_files; i++) {
        rc = look_for_fence(&s->files[i], err);
        cut = cut || rc > 0;
    }
    if (cut)
        forget(s);
    rc = rc < 0 ? rc : 0;
    for (unsigned i = 0; rc == 0 && i < s->n_files; i++)
        rc = refresh_file(s, i, err);
    for (unsigned i = 0; rc == 0 && i < s->head->n_stages; i++)
        commits_sort(&s->stages[i]);
    return rc;
}

int shards_open(const char *folder,
                const struct head *head,
                struct shards **ret,
                struct gm_error *err)
{
    return shards_open_one(folder, NULL, head, ret, err);
}

int shards_open_one(const char *folder,
                    const char *path,
                    const struct head *head,
                    struct shards **ret,
                    struct gm_error *err)
{
    struct shards *s = xcalloc(1, sizeof(*s));
    s->folder = xstrdup(folder);
    s->only = path != NULL ? xstrdup(path) : NULL;
    s->head = head;
    s->stages = xcalloc(head->n_stages + 1u, sizeof(*s->stages));
    s->record_type = row_record_type();
    s->commit_type = row_commit_type();
    int rc = shards_refresh(s, err);
    if (rc == 0)
        *ret = s;
    else
        shards_close(s);
    return rc;
}

unsigned shards_n_files(const struct shards *s)
{
    return s->n_files;
}

const char *shards_file(const struct shards *s, unsigned i, uint64_t *ret_rows)
{
    *ret_rows = s->files[i].seen;
    return s->files[i].path;
}

bool shards_fenced(const struct shards *s, unsigned i)
{
    return s->files[i].fenced;
}

bool shards_next(struct shards *s,
                 unsigned stage,
                 uint64_t from,
                 struct commits_span *ret)
{
    return commits_next(&s->stages[stage], from, ret);
}

uint32_t shards_print(const struct shards *s)
{
    uint32_t crc = 0;
    for (unsigned i = 0; i < s->head->n_stages; i++)
        crc = commits_print(&s->stages[i], crc);
    return crc;
}

int shards_whole(struct shards *s, struct gm_error *err)
{
    for (unsigned i = 0; i < s->head->n_stages; i++) {
        const struct reader_stage *stage = &s->head->stages[i];
        uint64_t over = 0, first = UINT64_MAX, at = 0;
        struct commits_span span;
        for (; commits_next(&s->stages[i], at, &span); at = span.first + span.count) {
            bool gap = span.first > at, open = span.counts->status == RESULT_RETRIED;
            if (first == UINT64_MAX && (gap || open))
                first = gap ? at : span.first;
            over += open ? 0 : span.count;
        }
        first = first == UINT64_MAX ? at : first;
        if (over < stage->n_tasks)
            return gm_fail(err,
                           -ENODATA,
                           "%s: %llu tasks of stage %s are not on file, the first of "
                           "them is %llu: gridmill resume runs them",
                           s->folder,
                           (unsigned long long)(stage->n_tasks - over),
                           stage->name,
                           (unsigned long long)first);
    }
    return 0;
}

void shards_close(struct shards *s)
{
    if (s == NULL)
        return;
    for (unsigned i = 0; i < s->n_files; i++) {
        close_file(s, &s->files[i]);
        free(s->files[i].path);
    }
    for (unsigned i = 0; i < s->head->n_stages; i++)
        commits_free(&s->stages[i]);
    commits_free_ranks(&s->ranks);
    used_free(&s->used);
    shards_run_forget(s);
    str_free(&s->text);
    h5_release(&s->record_type);
    h5_release(&s->commit_type);
    free(s->stages);
    free(s->files);
    free(s->folder);
    free(s->only);
    free(s);
}

int shards_task(struct shards *s,
                unsigned stage,
                uint64_t task,
                struct reader_task *ret,
                struct gm_error *err)
{
    const struct commit *at = commits_find(&s->stages[stage], task);
    if (at == NULL) {
        *ret = (struct reader_task){0};
        return 0;
    }
    struct row_commit c;
    int rc = shards_commit(s, at->file, at->row, &c, err);
    if (rc == 0)
        *ret = (struct reader_task){
            .status = c.status,
            .reason = c.reason,
            .exit_code = c.exit_code,
            .signal = c.signal,
            .attempts = commits_attempts(&s->stages[stage], task),
            .rank = c.rank,
            .n_ranks = c.n_ranks,
            .start = c.start,
            .end = c.end,
            .timed_with = 1,
        };
    if (rc == 0 && commits_in_run(&s->stages[stage], at))
        rc = shards_run_timed(s, at, task, ret, err);
    return rc;
}

static void describe(const struct row_record *r, unsigned file, struct source_value *ret)
{
    *ret = (struct source_value){
        .dtype = r->dtype,
        .ndim = r->ndim,
        .nbytes = r->nbytes,
        .part = file,
        .offset = r->offset,
        .crc = r->data_crc,
    };
    memcpy(ret->dims, r->dims, r->ndim * sizeof(r->dims[0]));
}

int shards_find(struct shards *s,
                unsigned stage,
                uint64_t task,
                uint32_t kind,
                uint32_t index,
                struct source_value *ret,
                struct gm_error *err)
{
    const struct commit *at = commits_find(&s->stages[stage], task);
    if (at == NULL || (source_needs_done(kind) && at->status != RESULT_DONE))
        return -ENOENT;
    if (commits_in_run(&s->stages[stage], at))
        return shards_run_find(s, at, stage, task, kind, index, ret, err);
    struct row_commit c;
    int rc = shards_commit(s, at->file, at->row, &c, err);
    for (uint64_t i = 0; rc == 0 && i < c.n; i++) {
        struct row_record r;
        rc = shards_record(s, at->file, c.first + i, &r, err);
        if (rc != 0 || r.kind != kind || (source_needs_done(kind) && r.index != index))
            continue;
        if (kind != RESULT_OUTPUT && r.nbytes == 0)
            return -ENOENT;
        describe(&r, at->file, ret);
        return 0;
    }
    return rc == 0 ? -ENOENT : rc;
}

int shards_part(struct shards *s,
                const struct source_value *v,
                uint64_t first,
                uint64_t n,
                void *out,
                struct gm_error *err)
{
    if ((v->part & SHARDS_COMPUTED) != 0) {
        memcpy(out, shards_computed(s, v) + first, n);
        return 0;
    }
    struct shards_one *f = &s->files[v->part];
    int rc = shards_use(s, f, err);
    if (rc == 0 && (rc = window_read(&f->heap, v->offset + first, n, out, err)) != 0)
        (void)gm_prefix(err, "%s: heap", f->path);
    return rc;
}

int shards_damaged(const struct shards *s,
                   const struct source_value *v,
                   struct gm_error *err)
{
    return gm_fail(err,
                   -EBADMSG,
                   "%s: the bytes at %llu of the heap do not match their checksum",
                   s->files[v->part].path,
                   (unsigned long long)v->offset);
}

int shards_read(struct shards *s,
                const struct source_value *v,
                void *out,
                struct gm_error *err)
{
    int rc = shards_part(s, v, 0, v->nbytes, out, err);
    if (rc == 0 && crc_extend(0, out, v->nbytes) != v->crc)
        rc = shards_damaged(s, v, err);
    return rc;
}

uint64_t shards_n_attempts(struct shards *s, unsigned stage)
{
    return commits_n_attempts(&s->stages[stage]);
}

int shards_attempt(struct shards *s,
                   unsigned stage,
                   uint64_t i,
                   struct row_commit *ret,
                   struct gm_error *err)
{
    uint64_t task;
    const struct commit *at = commits_attempt(&s->stages[stage], i, &task);
    int rc = shards_commit(s, at->file, at->row, ret, err);
    if (rc != 0 || !commits_in_run(&s->stages[stage], at))
        return rc;
    struct reader_task t = {.start = ret->start, .end = ret->end};
    rc = shards_run_timed(s, at, task, &t, err);
    ret->flops /= (double)ret->count; /* of the whole run, which are alike */
    ret->flops64 /= (double)ret->count;
    ret->bytes /= (double)ret->count;
    ret->gpu_s /= (double)ret->count;
    ret->task = task;
    ret->count = t.timed_with;
    ret->start = t.start;
    ret->end = t.end;
    return rc;
}

const struct used *shards_used(const struct shards *s)
{
    return &s->used;
}

unsigned shards_n_ranks(const struct shards *s)
{
    size_t planned = s->head->n_ranks;
    return s->ranks.n > planned ? s->ranks.n : (unsigned)planned;
}

void shards_rank(const struct shards *s, unsigned rank, struct reader_rank *ret)
{
    *ret = (struct reader_rank){.host = "",
                                .device = "",
                                .planned = "",
                                .inherited = "",
                                .seen = "",
                                .memory = "",
                                .gpus = "",
                                .mismatch = "",
                                .lost_why = ""};
    if (rank < s->head->n_ranks) {
        ret->host = s->head->rank_hosts[rank];
        ret->planned = s->head->rank_planned[rank];
    }
    commits_rank(&s->ranks, rank, ret);
}
