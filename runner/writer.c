/* See writer.h. A queue of jobs under one lock; the thread takes all that is there,
 * writes it as one batch, flushes once, then reports. A read waits until what was queued
 * before it is on file. Invariant: HDF5 is called by this thread alone, from
 * writer_start's wait until writer_finish's join. */
#include "writer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "parcel.h"
#include "result/losses.h"
#include "writer_state.h"
#include <math.h>
#include <time.h>

static const uint64_t MOST_WAITING = 64u << 20;
/* A batch costs much the same for one commit as for a hundred. So while commits come and
 * nobody waits for them, a batch begins no sooner than this multiple of the last one's
 * own time after it, and never later than MOST_LINGER. */
static const double LINGER = 30, MOST_LINGER = 20e-3; /* s */
static const uint64_t ENOUGH = 1u << 20;              /* bytes: a batch worth writing */

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

/* The compute thread may fill them again. */
static void give_back(struct writer *w, struct job *j)
{
    if (j->rows == NULL)
        return;
    (void)pthread_mutex_lock(&w->lock);
    w->emptied[w->n_emptied++] = j->rows;
    w->n_lent--;
    (void)pthread_cond_broadcast(&w->from_writer);
    (void)pthread_mutex_unlock(&w->lock);
    j->rows = NULL;
}

static int write_message(struct writer *w, const struct job *j, struct gm_error *err)
{
    char text[128];
    const char *why = j->commit.status == RESULT_RETRIED ? ""
                      : j->commit.reason == RESULT_LOST
                          ? ", and its retry: on leaves out node"
                          : ", for the last time that crash-limit allows";
    int n = snprintf(text,
                     sizeof(text),
                     "rank %u was lost while it ran this task%s",
                     j->commit.rank,
                     why);
    struct result_record r = {.stage = j->commit.stage,
                              .task = j->commit.task,
                              .kind = RESULT_MESSAGE,
                              .dtype = GM_U8,
                              .ndim = 1,
                              .dims = {(uint64_t)n},
                              .data = text,
                              .nbytes = (uint64_t)n};
    return shard_add(w->shard, &r, err);
}

/* Skipped tasks are one row; of others each has its own, and says why. */
static int write_verdict(struct writer *w, struct job *j, struct gm_error *err)
{
    uint64_t n = j->commit.count;
    if (j->commit.status == RESULT_SKIPPED)
        return shard_commit(w->shard, &j->commit, err);
    if (j->crashed)
        losses_add_crash(w->folder,
                         &(struct losses_crash){.launch = w->launch,
                                                .rank = j->commit.rank,
                                                .stage = j->commit.stage,
                                                .task = j->commit.task});
    int rc = 0;
    j->commit.count = 1;
    for (uint64_t i = 0; rc == 0 && i < n; i++, j->commit.task++) {
        rc = write_message(w, j, err);
        rc = rc == 0 ? shard_commit(w->shard, &j->commit, err) : rc;
    }
    return rc;
}

static int write_job(struct writer *w, struct job *j, struct gm_error *err)
{
    int rc = 0;
    switch (j->kind) {
    case JOB_RANK:
        return shard_rank(w->shard, &j->about, err);
    case JOB_USE:
        return shard_use(w->shard, w->rank, &j->use, err);
    case JOB_ROWS:
        rc = shard_rows(w->shard, &j->table, err);
        give_back(w, j);
        return rc;
    case JOB_VERDICT:
        return write_verdict(w, j, err);
    default:
        if (j->parcel != NULL)
            rc = parcel_write(j->parcel, w->shard, &j->commit, err);
        return rc < 0 ? rc : shard_commit(w->shard, &j->commit, err);
    }
}

/* A run of tasks with one outcome is told as one: each report wakes the pulse. */
static void report(struct writer *w, struct farm_report *run)
{
    if (run->count > 0)
        pulse_report(w->pulse, run);
    run->count = 0;
}

/* Adds the job to the run, which is reported first where the two do not fit together. */
static void
report_job(struct writer *w, const struct job *j, bool failed, struct farm_report *run)
{
    if (!j->final || w->pulse == NULL)
        return;
    uint32_t outcome = failed                            ? FARM_RETURNED
                       : j->commit.status == RESULT_DONE ? FARM_DONE
                                                         : FARM_FAILED;
    double seconds = j->commit.end - j->commit.start;
    if (run->stage == j->commit.stage && run->outcome == outcome &&
        run->first + run->count == j->commit.task && run->count > 0) {
        run->count += j->commit.count;
        run->seconds += seconds;
        return;
    }
    report(w, run);
    *run = (struct farm_report){.stage = j->commit.stage,
                                .outcome = outcome,
                                .first = j->commit.task,
                                .count = j->commit.count,
                                .seconds = seconds};
}

void writer_fail(struct writer *w, const struct gm_error *err)
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

/* A lost rank that woke up, or a launch that another has taken over from: what it would
 * write counts for nobody. */
static int look_for_fence(const struct writer *w, struct gm_error *err)
{
    return shard_fenced(w->shard)
               ? gm_fail(err,
                         -EOWNERDEAD,
                         "its shard was sealed or is gone: it was given up for lost, or "
                         "another launch has taken over; what it had not committed by "
                         "then runs elsewhere")
               : 0;
}

static bool is_call(const struct job *j)
{
    return j->kind == JOB_READ || j->kind == JOB_SEAL || j->kind == JOB_SPENT;
}

/* Writes the jobs up to the first call (or all), flushes, reports, frees; what is left.
 */
static struct job *write_batch(struct writer *w, struct job *batch)
{
    struct gm_error err = {.code = w->failure.code};
    int rc = w->failure.code;
    struct job *end = batch;
    if (rc == 0 && end != NULL && !is_call(end))
        rc = look_for_fence(w, &err);
    for (; end != NULL && !is_call(end); end = end->next) {
        if (rc == 0)
            rc = write_job(w, end, &err);
    }
    if (rc == 0 && end != batch)
        rc = shard_flush(w->shard, &err);
    if (rc < 0 && w->failure.code == 0)
        writer_fail(w, &err);
    struct farm_report run = {.count = 0};
    while (batch != end) {
        struct job *next = batch->next;
        give_back(w, batch); /* those that were not written */
        report_job(w, batch, rc < 0, &run);
        job_free(batch);
        batch = next;
    }
    report(w, &run);
    return end;
}

static void open_files(struct writer *w)
{
    struct gm_error err = {0};
    int rc = w->head != NULL ? job_write(w->head, &err) : 0;
    if (rc == 0)
        rc = shard_create(w->folder, w->rank, &w->shard, &err);
    if (rc < 0)
        writer_fail(w, &err);
    (void)pthread_mutex_lock(&w->lock);
    w->ready = true;
    (void)pthread_cond_broadcast(&w->from_writer);
    (void)pthread_mutex_unlock(&w->lock);
}

static bool may_linger(const struct writer *w)
{
    return !w->at_once && !w->finish && w->waiting < ENOUGH;
}

/* Under the lock. */
static void linger(struct writer *w)
{
    double until = w->ended + fmin(LINGER * w->took, MOST_LINGER);
    struct timespec at = {.tv_sec = (time_t)until};
    at.tv_nsec = (long)((until - (double)at.tv_sec) * 1e9);
    w->lingers = true;
    while (may_linger(w) && clock_monotonic() < until)
        (void)pthread_cond_timedwait(&w->to_writer, &w->lock, &at);
    w->lingers = false;
}

static void write_all(struct writer *w, struct job *batch)
{
    double start = clock_monotonic();
    while (batch != NULL) {
        batch = write_batch(w, batch);
        if (batch == NULL)
            break;
        struct job *next = batch->next;
        writer_call(w, batch);
        job_free(batch);
        batch = next;
    }
    w->ended = clock_monotonic();
    w->took = w->ended - start;
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    open_files(w);
    for (;;) {
        (void)pthread_mutex_lock(&w->lock);
        while (w->first == NULL && !w->finish)
            (void)pthread_cond_wait(&w->to_writer, &w->lock);
        linger(w);
        struct job *batch = w->first;
        bool over = batch == NULL && w->finish;
        w->first = NULL;
        w->last = &w->first;
        w->waiting = 0;
        w->at_once = false;
        (void)pthread_cond_broadcast(&w->from_writer);
        (void)pthread_mutex_unlock(&w->lock);
        if (over)
            break;
        write_all(w, batch);
    }
    reader_close(w->reader);
    struct gm_error err = {0};
    if (shard_close(w->shard, &err) < 0)
        writer_fail(w, &err);
    return NULL;
}

static void destroy(struct writer *w)
{
    free(w->emptied);
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
    w->launch = job != NULL ? job->plan->launch : 0;
    w->last = &w->first;
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->to_writer, &attr);
    (void)pthread_condattr_destroy(&attr);
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

unsigned writer_launch(const struct writer *w)
{
    return shard_launch(w->shard);
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

void writer_enqueue(struct writer *w, struct job *j, uint64_t bytes)
{
    *w->last = j;
    w->last = &j->next;
    w->waiting += bytes;
    w->at_once |= j->kind != JOB_COMMIT;
    if (!w->lingers || !may_linger(w))
        (void)pthread_cond_signal(&w->to_writer);
}

void writer_hurry(struct writer *w)
{
    (void)pthread_mutex_lock(&w->lock);
    if (w->first != NULL) {
        w->at_once = true;
        (void)pthread_cond_signal(&w->to_writer);
    }
    (void)pthread_mutex_unlock(&w->lock);
}

/* Under the lock, by the compute thread: until the writer has come on. */
static void wait_for_writer(struct writer *w)
{
    double began = clock_monotonic();
    (void)pthread_cond_wait(&w->from_writer, &w->lock);
    w->blocked += clock_monotonic() - began;
}

static void enqueue(struct writer *w, struct job *j, uint64_t bytes)
{
    (void)pthread_mutex_lock(&w->lock);
    while (w->waiting > 0 && w->waiting + bytes > MOST_WAITING)
        wait_for_writer(w);
    writer_enqueue(w, j, bytes);
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

void writer_rows(struct writer *w, struct rows *rows, const struct result_rows *table)
{
    struct job *j = xcalloc(1, sizeof(*j));
    j->kind = JOB_ROWS;
    j->rows = rows;
    j->table = *table;
    j->final = true;
    j->commit = (struct result_commit){.stage = table->stage,
                                       .task = table->first,
                                       .count = table->count,
                                       .status = RESULT_DONE,
                                       .start = table->start,
                                       .end = table->end};
    (void)pthread_mutex_lock(&w->lock);
    unsigned most = w->n_emptied + ++w->n_lent;
    w->emptied = xrealloc(
        w->emptied, most, sizeof(*w->emptied)); /* NOLINT(bugprone-sizeof-expression) */
    writer_enqueue(w, j, 0); /* its bytes are in a buffer of a fixed size */
    (void)pthread_mutex_unlock(&w->lock);
}

struct rows *writer_emptied(struct writer *w)
{
    (void)pthread_mutex_lock(&w->lock);
    while (w->n_emptied == 0 && w->n_lent > 0)
        wait_for_writer(w);
    struct rows *rows = w->n_emptied > 0 ? w->emptied[--w->n_emptied] : NULL;
    (void)pthread_mutex_unlock(&w->lock);
    return rows;
}

void writer_verdict(struct writer *w, const struct farm_verdict *v)
{
    struct job *j = xcalloc(1, sizeof(*j));
    double now = clock_unix();
    j->kind = JOB_VERDICT;
    j->crashed = v->rank != UINT32_MAX;
    j->commit = (struct result_commit){.stage = v->stage,
                                       .attempt = v->attempt,
                                       .task = v->first,
                                       .count = v->count,
                                       .status = v->status,
                                       .reason = v->reason,
                                       .exit_code = v->status == RESULT_SKIPPED ? 0 : -1,
                                       .rank = v->rank != UINT32_MAX ? v->rank : w->rank,
                                       .n_ranks = 1,
                                       .start = now,
                                       .end = now};
    (void)pthread_mutex_lock(&w->lock);
    writer_enqueue(w, j, 0); /* the pulse thread does not wait */
    (void)pthread_mutex_unlock(&w->lock);
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

void writer_use(struct writer *w, const struct result_use *use)
{
    struct job *j = xcalloc(1, sizeof(*j));
    j->kind = JOB_USE;
    j->use = *use;
    enqueue(w, j, sizeof(*j));
}

double writer_blocked(struct writer *w)
{
    (void)pthread_mutex_lock(&w->lock);
    double s = w->blocked;
    (void)pthread_mutex_unlock(&w->lock);
    return s;
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
