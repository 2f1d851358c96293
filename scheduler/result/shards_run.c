/* Runs of rows in shards.h: values and times of tasks that share one commit. Invariant:
 * the cache holds one run whole (its fields, its checks), so a task in it costs no read
 * but that of its bytes; each value has a check of its own. */
#include "base/memory.h"
#include "crc.h"
#include "shards_inner.h"

/* The commit's record rows; yours to free, NULL: they cannot be read. */
static struct row_record *read_records(struct shards *s,
                                       unsigned file,
                                       const struct row_commit *c,
                                       struct gm_error *err)
{
    if (c->n > RUN_FIELDS_MOST + 3u)
        return NULL;
    AUTO_FREE(struct row_record) all = xcalloc(c->n + 1, sizeof(*all));
    for (uint64_t i = 0; i < c->n; i++) {
        if (shards_record(s, file, c->first + i, &all[i], err) != 0)
            return NULL;
    }
    return steal(&all);
}

bool shards_run_ok(struct shards *s, unsigned file, const struct row_commit *c)
{
    struct run run = {0};
    AUTO_FREE(struct row_record) records = read_records(s, file, c, NULL);
    bool ok = records != NULL && run_parse(c, records, &run);
    run_free(&run);
    return ok;
}

void shards_run_forget(struct shards *s)
{
    run_free(&s->cache.run);
    free(s->cache.checks);
    free(s->cache.times);
    s->cache = (struct shards_cache){0};
}

/* All of a part of the run's bytes; yours to free. */
static int read_heap(struct shards *s,
                     unsigned file,
                     uint64_t at,
                     uint64_t bytes,
                     void **ret,
                     struct gm_error *err)
{
    struct shards_one *f = &s->files[file];
    void *data = malloc(bytes + 1);
    if (data == NULL)
        return gm_fail(err,
                       -ENOMEM,
                       "%s: no memory for %llu bytes",
                       f->path,
                       (unsigned long long)bytes);
    int rc = shards_use(s, f, err);
    if (rc == 0 && (rc = window_read(&f->heap, at, bytes, data, err)) != 0)
        (void)gm_prefix(err, "%s: heap", f->path);
    if (rc == 0)
        *ret = data;
    else
        free(data);
    return rc;
}

/* Puts the run of this commit row into the cache. */
static int open_run(struct shards *s, unsigned file, uint64_t row, struct gm_error *err)
{
    struct shards_cache *cache = &s->cache;
    if (cache->there && cache->file == file && cache->row == row)
        return 0;
    struct row_commit c;
    shards_run_forget(s);
    int rc = shards_commit(s, file, row, &c, err);
    if (rc != 0)
        return rc;
    AUTO_FREE(struct row_record) records = read_records(s, file, &c, err);
    if (records == NULL || !run_parse(&c, records, &cache->run))
        return gm_fail(err, -EIO, "%s: changed while it was read", s->files[file].path);
    void *checks = NULL;
    rc = read_heap(s,
                   file,
                   cache->run.checks,
                   c.count * cache->run.width * sizeof(*cache->checks),
                   &checks,
                   err);
    cache->checks = checks;
    cache->file = file;
    cache->row = row;
    cache->there = rc == 0;
    return rc;
}

static int read_times(struct shards *s, struct gm_error *err)
{
    struct shards_cache *cache = &s->cache;
    void *times = NULL;
    if (cache->times != NULL)
        return 0;
    uint64_t bytes = cache->run.commit.count * sizeof(*cache->times);
    int rc = read_heap(s, cache->file, cache->run.times, bytes, &times, err);
    cache->times = times;
    return rc;
}

/* The i-th task's own times; false: they are damaged. */
static bool good_times(const struct shards_cache *cache, uint64_t i)
{
    const uint32_t *checks = cache->checks + i * cache->run.width;
    return crc_extend(0, cache->times[i], sizeof(cache->times[i])) ==
           checks[cache->run.n_fields];
}

int shards_run_timed(struct shards *s,
                     const struct commit *at,
                     uint64_t task,
                     struct reader_task *ret,
                     struct gm_error *err)
{
    struct shards_cache *cache = &s->cache;
    int rc = open_run(s, at->file, at->row, err);
    if (rc != 0)
        return rc;
    uint64_t i = task - cache->run.commit.task;
    ret->timed_with = cache->run.commit.count;
    if (!cache->run.timed)
        return 0;
    rc = read_times(s, err);
    if (rc == 0 && good_times(cache, i)) {
        ret->timed_with = 1;
        ret->start = cache->times[i][0];
        ret->end = cache->times[i][1];
    }
    return rc;
}

static int
compute(struct shards *s, unsigned stage, uint64_t task, struct source_value *ret)
{
    *ret = (struct source_value){
        .dtype = GM_U8, .ndim = 1, .part = SHARDS_COMPUTED | stage, .offset = task};
    const char *text = shards_computed(s, ret);
    ret->nbytes = s->text.len;
    ret->dims[0] = s->text.len;
    ret->crc = crc_extend(0, text, s->text.len);
    return s->text.len > 0 ? 0 : -ENOENT;
}

const char *shards_computed(struct shards *s, const struct source_value *v)
{
    unsigned stage = v->part & ~SHARDS_COMPUTED;
    if (s->text.text == NULL || s->text_stage != stage || s->text_task != v->offset) {
        str_clear(&s->text);
        varying_text(&s->head->rules[stage].rule, v->offset, &s->text);
        s->text_stage = stage;
        s->text_task = v->offset;
    }
    return str_text(&s->text);
}

int shards_run_find(struct shards *s,
                    const struct commit *at,
                    unsigned stage,
                    uint64_t task,
                    uint32_t kind,
                    uint32_t index,
                    struct source_value *ret,
                    struct gm_error *err)
{
    if (kind == RESULT_PARAMS)
        return s->head->rules[stage].there ? compute(s, stage, task, ret) : -ENOENT;
    if (kind != RESULT_OUTPUT)
        return -ENOENT;
    int rc = open_run(s, at->file, at->row, err);
    if (rc != 0)
        return rc;
    const struct run *run = &s->cache.run;
    unsigned k = run_field(run, index);
    if (k == run->n_fields)
        return -ENOENT;
    const struct result_field *f = &run->fields[k];
    uint64_t i = task - run->commit.task;
    *ret = (struct source_value){
        .dtype = f->dtype,
        .ndim = f->ndim,
        .nbytes = f->nbytes,
        .part = at->file,
        .offset = run->rows + i * run->row_bytes + run->offsets[k],
        .crc = s->cache.checks[i * run->width + k],
    };
    memcpy(ret->dims, f->dims, f->ndim * sizeof(f->dims[0]));
    return 0;
}

int shards_run(struct shards *s,
               unsigned stage,
               uint64_t task,
               struct shards_run *ret,
               struct gm_error *err)
{
    struct commits *c = &s->stages[stage];
    struct commits_span span;
    if (!commits_next(c, task, &span) || span.first != task ||
        !commits_in_run(c, span.counts))
        return -ENOENT;
    int rc = open_run(s, span.counts->file, span.counts->row, err);
    if (rc != 0)
        return rc;
    const struct run *run = &s->cache.run;
    *ret = (struct shards_run){.task = task,
                               .end = task + span.count,
                               .fields = run->fields,
                               .n_fields = run->n_fields,
                               .row_bytes = run->row_bytes,
                               .part = span.counts->file,
                               .record = span.counts->row};
    return 0;
}

int shards_run_rows(struct shards *s,
                    const struct shards_run *run,
                    uint64_t first,
                    uint64_t n,
                    void *out,
                    struct gm_error *err)
{
    int rc = open_run(s, run->part, run->record, err);
    if (rc != 0)
        return rc;
    const struct run *of = &s->cache.run;
    struct shards_one *f = &s->files[run->part];
    uint64_t i = first - of->commit.task, at = of->rows + i * of->row_bytes;
    rc = shards_use(s, f, err);
    if (rc == 0 && (rc = window_read(&f->heap, at, n * of->row_bytes, out, err)) != 0)
        (void)gm_prefix(err, "%s: heap", f->path);
    const unsigned char *bytes = out;
    for (uint64_t t = i; rc == 0 && t < i + n; t++) {
        const uint32_t *checks = s->cache.checks + t * of->width;
        for (unsigned k = 0; rc == 0 && k < of->n_fields; k++) {
            struct source_value v = {.part = run->part,
                                     .offset =
                                         at + (uint64_t)(bytes - (unsigned char *)out)};
            if (crc_extend(0, bytes, of->fields[k].nbytes) != checks[k])
                rc = shards_damaged(s, &v, err);
            bytes += of->fields[k].nbytes;
        }
    }
    return rc;
}
