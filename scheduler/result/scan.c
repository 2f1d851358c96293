/* See scan.h. Invariant: a commit row is counted once; `seen` of a shard is the row after
 * the last good one, so a row that is still being written is looked at again. When a
 * fence cuts off what was counted, all is counted anew. */
#include "scan.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/str.h"
#include "commits.h"
#include "fence.h"
#include "listing.h"
#include "scan_inner.h"
#include "spec/plan.h"

#define OPEN_MOST 64u         /* files open at once */
#define BUFFER    (64u << 10) /* bytes of commit rows read at once */
#define SETTLED   1.0         /* s after which a file's date tells a later write */

static void close_file(struct scan *s, struct scan_file *f)
{
    if (f->id < 0)
        return;
    window_close(&f->commits);
    h5_release(&f->id);
    s->n_open--;
}

static void close_oldest(struct scan *s)
{
    struct scan_file *oldest = NULL;
    for (unsigned i = 0; i < s->n_files; i++) {
        struct scan_file *f = &s->files[i];
        if (f->id >= 0 && (oldest == NULL || f->used < oldest->used))
            oldest = f;
    }
    if (oldest != NULL)
        close_file(s, oldest);
}

/* Opens it, or sees what was added since. */
static int look_at(struct scan *s, struct scan_file *f, struct gm_error *err)
{
    f->used = ++s->clock;
    if (f->id >= 0) {
        int code = window_refresh(&f->commits, err);
        if (code != 0)
            (void)gm_prefix(err, "%s", f->path);
        return code;
    }
    if (s->n_open >= OPEN_MOST)
        close_oldest(s);
    int rc = h5_open_unlocked(f->path, &f->id, err);
    if (rc != 0)
        return rc;
    s->n_open++;
    AUTO_ID access = H5Pcreate(H5P_DATASET_ACCESS);
    (void)H5Pset_chunk_cache(access, 1, 0, 1.0);
    rc = window_open(
        &f->commits, f->id, "commits", access, s->commit_type, 1, BUFFER, err);
    if (rc == 0)
        return 0;
    close_file(s, f);
    (void)gm_prefix(err, "%s", f->path);
    return rc;
}

static bool possible(const struct scan *s, const struct row_commit *c)
{
    uint64_t past;
    return row_commit_ok(c) && c->stage < s->head.n_stages && c->count > 0 &&
           !__builtin_add_overflow(c->task, c->count, &past) &&
           past <= s->head.stages[c->stage].n_tasks && c->status >= RESULT_DONE &&
           c->status <= RESULT_RETRIED;
}

static void keep_failure(struct scan *s, unsigned file, const struct row_commit *c)
{
    struct scan_found *f = scan_next_found(s);
    f->failure = (struct scan_failure){.stage = c->stage,
                                       .task = c->task,
                                       .attempt = c->attempt,
                                       .rank = c->rank,
                                       .end = c->end};
    f->file = file;
    f->first = c->first;
    f->n = c->n;
}

static int read_rows(struct scan *s, unsigned file, struct gm_error *err)
{
    struct scan_file *f = &s->files[file];
    uint64_t n = f->commits.dims[0];
    n = f->fenced && n > f->fence ? f->fence : n;
    n = n > COMMITS_ROWS_MOST ? COMMITS_ROWS_MOST : n;
    f->there = n;
    for (uint64_t row = f->seen; row < n; row++) {
        struct row_commit c;
        int rc = window_read(&f->commits, row, 1, &c, err);
        if (rc != 0) {
            (void)gm_prefix(err, "%s", f->path);
            return rc;
        }
        if (!row_commit_ok(&c))
            continue;
        f->seen = row + 1;
        if (!possible(s, &c))
            continue;
        if (f->past && s->again && c.status != RESULT_DONE)
            continue;
        scan_take(s, &c, !f->past);
        if (c.status == RESULT_FAILED)
            keep_failure(s, file, &c);
    }
    return 0;
}

/* Was it written to since the last look? */
static bool is_new(struct scan_file *f)
{
    struct stat st;
    if (stat(f->path, &st) != 0)
        return true; /* what opens it says why */
    bool same = f->settled && f->seen == f->there && f->size == st.st_size &&
                f->written.tv_sec == st.st_mtim.tv_sec &&
                f->written.tv_nsec == st.st_mtim.tv_nsec;
    double age =
        clock_unix() - ((double)st.st_mtim.tv_sec + 1e-9 * (double)st.st_mtim.tv_nsec);
    f->written = st.st_mtim;
    f->size = st.st_size;
    f->settled = age > SETTLED;
    return !same;
}

static bool lost_now(const struct scan *s, uint32_t rank)
{
    const struct losses_rank *l = losses_last(&s->losses, rank);
    return l != NULL && l->launch == s->job.launch;
}

/* 1: a fence cuts off what was counted. A shard that had its fence when it was first met
 * is an earlier launch's, unless its rank was lost in this one. */
static int look_for_fence(const struct scan *s, struct scan_file *f, struct gm_error *err)
{
    if (f->fenced)
        return 0;
    int rc = fence_of(f->path, &f->fence, err);
    f->fenced = rc > 0;
    f->past = f->fenced && !f->met && !lost_now(s, f->rank);
    f->met = true;
    return rc > 0 && f->seen > f->fence ? 1 : rc < 0 ? rc : 0;
}

static uint32_t rank_of(const char *path)
{
    const char *at = strrchr(path, '-');
    return at != NULL ? (uint32_t)strtoul(at + 1, NULL, 10) : 0;
}

/* Takes over `path` unless it is known. Names come sorted, and few are new. */
static void add_file(struct scan *s, char *path, unsigned n_known)
{
    for (unsigned i = 0; i < n_known; i++) {
        if (strcmp(s->files[i].path, path) == 0) {
            free(path);
            return;
        }
    }
    s->files = xrealloc(s->files, s->n_files + 1u, sizeof(*s->files));
    s->files[s->n_files++] =
        (struct scan_file){.path = path, .rank = rank_of(path), .id = -1};
}

static int find_files(struct scan *s, struct gm_error *err)
{
    char **names = NULL;
    size_t n = 0;
    int rc = listing_shards(s->folder, &names, &n, err);
    if (rc == 0 && n > COMMITS_FILES_MOST)
        rc = gm_fail(err, -EFBIG, "%s: %zu shards are too many", s->folder, n);
    unsigned n_known = s->n_files;
    for (size_t i = 0; rc == 0 && n != n_known && i < n; i++)
        add_file(s, steal(&names[i]), n_known);
    listing_free(names, n);
    return rc;
}

static bool is_head_another(const struct scan *s)
{
    AUTO_STR path = {0};
    struct stat st;
    str_printf(&path, "%s/job.h5", s->folder);
    return stat(path.text, &st) != 0 || st.st_ino != s->head_stat.st_ino ||
           st.st_dev != s->head_stat.st_dev || st.st_size != s->head_stat.st_size ||
           st.st_mtim.tv_sec != s->head_stat.st_mtim.tv_sec ||
           st.st_mtim.tv_nsec != s->head_stat.st_mtim.tv_nsec;
}

static int look_at_all(struct scan *s, struct gm_error *err)
{
    bool cut = false;
    losses_clear(&s->losses);
    int rc = losses_read(s->folder, &s->losses, err);
    rc = rc == 0 ? find_files(s, err) : rc;
    for (unsigned i = 0; rc >= 0 && i < s->n_files; i++) {
        rc = look_for_fence(s, &s->files[i], err);
        cut = cut || rc > 0;
    }
    for (unsigned i = 0; cut && i < s->n_files; i++)
        s->files[i].seen = s->files[i].there = 0;
    if (cut)
        scan_forget(s);
    rc = rc < 0 ? rc : 0;
    for (unsigned i = 0; rc == 0 && i < s->n_files; i++) {
        struct scan_file *f = &s->files[i];
        if (!is_new(f) && !cut)
            continue;
        rc = look_at(s, f, err);
        rc = rc == 0 ? read_rows(s, i, err) : rc;
    }
    return rc;
}

static void tell_ranks(struct scan *s)
{
    for (unsigned i = 0; i < s->job.n_ranks; i++) {
        struct scan_rank *r = &s->job.ranks[i];
        const struct losses_rank *l = losses_last(&s->losses, i);
        bool lost = l != NULL && l->launch == s->job.launch;
        s->job.version += lost && r->lost <= 0;
        r->lost = lost ? l->when : 0;
        r->lost_why = lost ? l->why : "";
    }
}

int scan_turn(struct scan *s, struct gm_error *err)
{
    if (s->folder == NULL)
        return 0;
    int rc = is_head_another(s)
                 ? gm_fail(err, -ESTALE, "%s: another launch has begun there", s->folder)
                 : look_at_all(s, err);
    if (rc != 0)
        return rc;
    tell_ranks(s);
    scan_look_up(s);
    scan_list_failures(s);
    return 0;
}

/* Which launch it is stands in the plan that the head holds. */
static void know_launch(struct scan *s)
{
    AUTO(plan) plan = NULL;
    const char *text = head_text(&s->head, "plan");
    if (text == NULL || plan_parse("plan", text, strlen(text), &plan, NULL) != 0)
        return;
    s->job.launch = plan->launch;
    s->again = plan->again;
}

static void begin(struct scan *s)
{
    const struct head *h = &s->head;
    s->job.name = head_text(h, "name");
    s->job.id = head_text(h, "id");
    know_launch(s);
    s->job.n_stages = h->n_stages;
    s->job.stages = xcalloc(h->n_stages + 1u, sizeof(*s->job.stages));
    s->sets = xcalloc(h->n_stages + 1u, sizeof(*s->sets));
    s->job.n_ranks = (unsigned)h->n_ranks;
    s->job.ranks = xcalloc(h->n_ranks + 1u, sizeof(*s->job.ranks));
    scan_forget(s);
}

static int of_folder(struct scan *s, struct gm_error *err)
{
    AUTO_STR path = {0};
    str_printf(&path, "%s/job.h5", s->folder);
    if (stat(path.text, &s->head_stat) != 0) {
        int code = -errno;
        return gm_fail(err, code, "%s: %s", path.text, strerror(-code));
    }
    int rc = head_load_folder(s->folder, &s->head, err);
    if (rc != 0)
        return rc;
    begin(s);
    return scan_turn(s, err);
}

int scan_open(const char *path, struct scan **ret, struct gm_error *err)
{
    struct stat st;
    h5_begin();
    AUTO(scan) s = xcalloc(1, sizeof(*s));
    s->commit_type = row_commit_type();
    s->record_type = row_record_type();
    bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    s->folder = folder ? xstrdup(path) : NULL;
    int rc = folder ? of_folder(s, err) : scan_of_packed(path, s, err);
    if (rc == 0)
        *ret = steal(&s);
    return rc;
}

const struct scan_job *scan_job(const struct scan *s)
{
    return &s->job;
}

void scan_close(struct scan *s)
{
    if (s == NULL)
        return;
    for (unsigned i = 0; i < s->n_files; i++) {
        close_file(s, &s->files[i]);
        free(s->files[i].path);
    }
    for (unsigned i = 0; s->sets != NULL && i < s->job.n_stages; i++) {
        taskset_free(s->sets[i].done);
        taskset_free(s->sets[i].failed);
        taskset_free(s->sets[i].skipped);
    }
    for (unsigned i = 0; i < SCAN_FAILURES; i++) {
        free(s->found[i].params);
        free(s->found[i].message);
    }
    h5_release(&s->commit_type);
    h5_release(&s->record_type);
    losses_clear(&s->losses);
    head_free(&s->head);
    free(s->job.stages);
    free(s->job.ranks);
    free(s->sets);
    free(s->files);
    free(s->folder);
    free(s);
}
