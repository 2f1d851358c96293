/* See writer.h. A queue of jobs under one lock; the thread takes all that is there,
 * writes it as one batch, flushes once, then reports. A read waits until what was queued
 * before it is on file. Invariant: HDF5 is called by this thread alone, from
 * writer_start's wait until writer_finish's join. */
#include "writer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "parcel.h"
#include "result/pack.h"
#include <pthread.h>

static const uint64_t MOST_WAITING = 64u << 20;

enum job_kind { JOB_COMMIT, JOB_VERDICT, JOB_RANK, JOB_READ };

struct read_job {
    int (*call)(struct writer *w, void *arg, struct gm_error *err);
    void *arg;
    struct gm_error *err;
    int rc;
    bool over;
};

struct job {
    struct job *next;
    enum job_kind kind;
    struct result_commit commit;
    struct parcel *parcel;
    struct result_rank about; /* its texts are owned */
    struct read_job *read;
    bool final;
};

struct writer {
    const char *folder;
    unsigned rank;
    const struct result_job *head;
    struct pulse *pulse;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t to_writer, from_writer;
    struct job *first, **last; /* under the lock, as all below */
    uint64_t waiting;          /* bytes queued */
    bool ready, finish;
    struct gm_error failure; /* code 0: none */

    struct shard *shard; /* the thread's own */
    struct reader *reader;
};

static void job_free(struct job *j)
{
    parcel_free(j->parcel);
    free((char *)j->about.host);
    free((char *)j->about.device);
    free((char *)j->about.planned);
    free((char *)j->about.inherited);
    free((char *)j->about.seen);
    free((char *)j->about.memory);
    free((char *)j->about.gpus);
    free((char *)j->about.mismatch);
    free(j);
}

static int write_job(struct writer *w, struct job *j, struct gm_error *err)
{
    if (j->kind == JOB_RANK)
        return shard_rank(w->shard, &j->about, err);
    int rc = j->parcel != NULL ? parcel_write(j->parcel, w->shard, &j->commit, err) : 0;
    return rc < 0 ? rc : shard_commit(w->shard, &j->commit, err);
}

static void report_job(struct writer *w, const struct job *j, bool failed)
{
    if (j->kind != JOB_COMMIT || !j->final || w->pulse == NULL)
        return;
    struct farm_report r = {.stage = j->commit.stage,
                            .first = j->commit.task,
                            .count = j->commit.count,
                            .seconds = j->commit.end - j->commit.start};
    r.outcome = failed                            ? FARM_RETURNED
                : j->commit.status == RESULT_DONE ? FARM_DONE
                                                  : FARM_FAILED;
    pulse_report(w->pulse, &r);
}

static void fail(struct writer *w, const struct gm_error *err)
{
    (void)pthread_mutex_lock(&w->lock);
    bool first = w->failure.code == 0;
    struct pulse *pulse = w->pulse;
    if (first)
        w->failure = *err;
    (void)pthread_mutex_unlock(&w->lock);
    if (first && pulse != NULL)
        pulse_give_up(pulse);
}

/* Writes the jobs up to the first read (or all), flushes, reports, frees; what is left.
 */
static struct job *write_batch(struct writer *w, struct job *batch)
{
    struct gm_error err = {.code = w->failure.code};
    int rc = w->failure.code;
    struct job *end = batch;
    for (; end != NULL && end->kind != JOB_READ; end = end->next) {
        if (rc == 0)
            rc = write_job(w, end, &err);
    }
    if (rc == 0 && end != batch)
        rc = shard_flush(w->shard, &err);
    if (rc < 0 && w->failure.code == 0)
        fail(w, &err);
    while (batch != end) {
        struct job *next = batch->next;
        report_job(w, batch, rc < 0);
        job_free(batch);
        batch = next;
    }
    return end;
}

static void run_read(struct writer *w, struct job *j)
{
    int rc = j->read->call(w, j->read->arg, j->read->err);
    (void)pthread_mutex_lock(&w->lock);
    j->read->rc = rc;
    j->read->over = true;
    (void)pthread_cond_broadcast(&w->from_writer);
    (void)pthread_mutex_unlock(&w->lock);
    job_free(j);
}

static void open_files(struct writer *w)
{
    struct gm_error err = {0};
    int rc = w->head != NULL ? job_write(w->head, &err) : 0;
    if (rc == 0)
        rc = shard_create(w->folder, w->rank, &w->shard, &err);
    if (rc < 0)
        fail(w, &err);
    (void)pthread_mutex_lock(&w->lock);
    w->ready = true;
    (void)pthread_cond_broadcast(&w->from_writer);
    (void)pthread_mutex_unlock(&w->lock);
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    open_files(w);
    for (;;) {
        (void)pthread_mutex_lock(&w->lock);
        while (w->first == NULL && !w->finish)
            (void)pthread_cond_wait(&w->to_writer, &w->lock);
        struct job *batch = w->first;
        bool over = batch == NULL && w->finish;
        w->first = NULL;
        w->last = &w->first;
        w->waiting = 0;
        (void)pthread_cond_broadcast(&w->from_writer);
        (void)pthread_mutex_unlock(&w->lock);
        if (over)
            break;
        while (batch != NULL) {
            batch = write_batch(w, batch);
            if (batch == NULL)
                break;
            struct job *next = batch->next;
            run_read(w, batch);
            batch = next;
        }
    }
    reader_close(w->reader);
    struct gm_error err = {0};
    if (shard_close(w->shard, &err) < 0)
        fail(w, &err);
    return NULL;
}

static void destroy(struct writer *w)
{
    (void)pthread_cond_destroy(&w->to_writer);
    (void)pthread_cond_destroy(&w->from_writer);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}

int writer_start(const char *folder,
                 unsigned rank,
                 const struct result_job *job,
                 struct writer **ret,
                 struct gm_error *err)
{
    struct writer *w = xcalloc(1, sizeof(*w));
    w->folder = folder;
    w->rank = rank;
    w->head = job;
    w->last = &w->first;
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->to_writer, NULL);
    (void)pthread_cond_init(&w->from_writer, NULL);
    int rc = pthread_create(&w->thread, NULL, writer_main, w);
    if (rc != 0) {
        destroy(w);
        return gm_fail(err, -rc, "cannot start a thread: %s", strerror(rc));
    }
    (void)pthread_mutex_lock(&w->lock);
    while (!w->ready)
        (void)pthread_cond_wait(&w->from_writer, &w->lock);
    bool failed = w->failure.code != 0;
    (void)pthread_mutex_unlock(&w->lock);
    if (failed)
        return writer_finish(w, err);
    *ret = w;
    return 0;
}

void writer_attach(struct writer *w, struct pulse *pulse)
{
    (void)pthread_mutex_lock(&w->lock);
    w->pulse = pulse;
    bool failed = w->failure.code != 0; /* before there was anybody to tell */
    (void)pthread_mutex_unlock(&w->lock);
    if (failed)
        pulse_give_up(pulse);
}

static void enqueue_locked(struct writer *w, struct job *j, uint64_t bytes)
{
    *w->last = j;
    w->last = &j->next;
    w->waiting += bytes;
    (void)pthread_cond_signal(&w->to_writer);
}

static void enqueue(struct writer *w, struct job *j, uint64_t bytes)
{
    (void)pthread_mutex_lock(&w->lock);
    while (w->waiting > 0 && w->waiting + bytes > MOST_WAITING)
        (void)pthread_cond_wait(&w->from_writer, &w->lock);
    enqueue_locked(w, j, bytes);
    (void)pthread_mutex_unlock(&w->lock);
}

int writer_commit(struct writer *w,
                  const struct result_commit *c,
                  struct parcel *p,
                  bool final)
{
    struct job *j = xcalloc(1, sizeof(*j));
    j->kind = JOB_COMMIT;
    j->commit = *c;
    j->parcel = p;
    j->final = final;
    enqueue(w, j, sizeof(*j) + parcel_bytes(p));
    (void)pthread_mutex_lock(&w->lock);
    int rc = w->failure.code != 0 ? -ECANCELED : 0;
    (void)pthread_mutex_unlock(&w->lock);
    return rc;
}

void writer_verdict(struct writer *w, const struct farm_verdict *v)
{
    struct job *j = xcalloc(1, sizeof(*j));
    double now = clock_unix();
    j->kind = JOB_VERDICT;
    j->commit = (struct result_commit){.stage = v->stage,
                                       .attempt = v->attempt,
                                       .task = v->first,
                                       .count = v->count,
                                       .status = v->status,
                                       .reason = v->reason,
                                       .rank = v->rank != UINT32_MAX ? v->rank : w->rank,
                                       .n_ranks = 1,
                                       .start = now,
                                       .end = now};
    enqueue(w, j, sizeof(*j));
}

static const char *copied(const char *text)
{
    return text == NULL ? NULL : xstrdup(text);
}

void writer_rank(struct writer *w, const struct result_rank *about)
{
    struct job *j = xcalloc(1, sizeof(*j));
    j->kind = JOB_RANK;
    j->about = *about;
    j->about.host = copied(about->host);
    j->about.device = copied(about->device);
    j->about.planned = copied(about->planned);
    j->about.inherited = copied(about->inherited);
    j->about.seen = copied(about->seen);
    j->about.memory = copied(about->memory);
    j->about.gpus = copied(about->gpus);
    j->about.mismatch = copied(about->mismatch);
    enqueue(w, j, sizeof(*j));
}

/* Runs `call` on the writer thread and waits for it. */
static int read_through(struct writer *w,
                        int (*call)(struct writer *, void *, struct gm_error *),
                        void *arg,
                        struct gm_error *err)
{
    struct read_job read = {.call = call, .arg = arg, .err = err};
    struct job *j = xcalloc(1, sizeof(*j));
    j->kind = JOB_READ;
    j->read = &read;
    (void)pthread_mutex_lock(&w->lock);
    enqueue_locked(w, j, 0);
    while (!read.over)
        (void)pthread_cond_wait(&w->from_writer, &w->lock);
    (void)pthread_mutex_unlock(&w->lock);
    return read.rc;
}

static int fresh_reader(struct writer *w, struct gm_error *err)
{
    if (w->reader == NULL)
        return reader_open(w->folder, &w->reader, err);
    return reader_refresh(w->reader, err);
}

struct best_args {
    unsigned stage, scalar;
    bool least;
    uint64_t *ret;
};

static int do_best(struct writer *w, void *arg, struct gm_error *err)
{
    const struct best_args *a = arg;
    int rc = fresh_reader(w, err);
    return rc < 0 ? rc
                  : reader_best(w->reader, a->stage, a->scalar, a->least, a->ret, err);
}

int writer_best(struct writer *w,
                unsigned stage,
                unsigned scalar,
                bool least,
                uint64_t *ret_task, /* NOLINT(readability-non-const-parameter): see a */
                struct gm_error *err)
{
    struct best_args a = {stage, scalar, least, ret_task};
    return read_through(w, do_best, &a, err);
}

struct value_args {
    unsigned stage, output;
    uint64_t task;
    struct reader_value *ret;
};

static int do_value(struct writer *w, void *arg, struct gm_error *err)
{
    const struct value_args *a = arg;
    int rc = fresh_reader(w, err);
    if (rc < 0)
        return rc;
    const struct reader_output *o =
        &reader_stage(w->reader, a->stage)->outputs[a->output];
    uint32_t kind = (o->flags & GM_SERIES) != 0 ? RESULT_SERIES : RESULT_OUTPUT;
    return reader_value(w->reader, a->stage, a->task, kind, a->output, a->ret, err);
}

int writer_value(struct writer *w,
                 unsigned stage,
                 uint64_t task,
                 unsigned output,
                 struct reader_value *ret,
                 struct gm_error *err)
{
    struct value_args a = {stage, output, task, ret};
    return read_through(w, do_value, &a, err);
}

struct table_args {
    const char *path;
    struct reader_value *ret;
};

static int do_table(struct writer *w, void *arg, struct gm_error *err)
{
    const struct table_args *a = arg;
    uint64_t rows;
    (void)w;
    int rc = reader_table_rows(a->path, &rows, err);
    return rc < 0 ? rc : reader_table(a->path, 0, rows, a->ret, err);
}

int writer_table(struct writer *w,
                 const char *path,
                 struct reader_value *ret,
                 struct gm_error *err)
{
    struct table_args a = {path, ret};
    return read_through(w, do_table, &a, err);
}

static int do_results(struct writer *w, void *arg, struct gm_error *err)
{
    (void)w;
    return pack_run(arg, err);
}

int writer_results(struct writer *w,
                   const struct idset *stages,
                   const char *file,
                   struct gm_error *err)
{
    struct pack_options opt = {.folder = w->folder, .file = file, .stages = stages};
    return read_through(w, do_results, &opt, err);
}

int writer_finish(struct writer *w, struct gm_error *err)
{
    (void)pthread_mutex_lock(&w->lock);
    w->finish = true;
    (void)pthread_cond_signal(&w->to_writer);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    int rc = w->failure.code;
    if (rc < 0)
        (void)gm_fail(err, rc, "%s", w->failure.text);
    destroy(w);
    return rc;
}
