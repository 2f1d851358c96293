/* See writer.h: what the writer's thread does for others than the shard. Reads are
 * waited for; the sealing of a lost rank's shard is not. */
#include "base/clock.h"
#include "base/memory.h"
#include "result/committed.h"
#include "result/fence.h"
#include "result/losses.h"
#include "result/pack.h"
#include "writer_state.h"

/* Runs of a set, each reported with one outcome. */
static void report_set(struct writer *w,
                       uint32_t stage,
                       const struct taskset *set,
                       enum farm_outcome outcome)
{
    struct farm_report r = {.stage = stage, .outcome = outcome};
    while (taskset_run(set, r.first + r.count, UINT64_MAX, &r.first, &r.count))
        pulse_report(w->pulse, &r);
}

/* As if the rank had said it: what is done, what failed, and how often the others of its
 * tasks were tried. */
static void report_committed(struct writer *w, const struct committed *c)
{
    for (unsigned i = 0; i < c->n_stages; i++) {
        const struct committed_stage *s = &c->stages[i];
        report_set(w, i, s->done, FARM_DONE);
        report_set(w, i, s->failed, FARM_FAILED);
        for (uint64_t k = 0; k < s->n_tried; k++) {
            struct farm_report r = {.stage = i,
                                    .outcome = FARM_TRIED,
                                    .first = s->tried[k].task,
                                    .count = 1,
                                    .attempts = s->tried[k].attempts};
            if (s->tried[k].status == RESULT_RETRIED)
                pulse_report(w->pulse, &r);
        }
    }
}

/* Who failed to seal cannot say what of that shard counts: the job stops. */
static void seal(struct writer *w, const struct job *j)
{
    struct gm_error err = {0};
    struct losses losses = {0};
    AUTO(committed) c = NULL;
    unsigned rank = j->commit.rank;
    losses_add_rank(
        w->folder,
        &(struct losses_rank){
            .launch = w->launch, .rank = rank, .when = j->commit.end, .why = j->why});
    int rc = fence_rank(w->folder, rank, j->launch, &err);
    rc = rc == 0 ? committed_load_rank(w->folder, rank, j->launch, &c, &err) : rc;
    if (rc == 0)
        report_committed(w, c);
    else
        writer_fail(w, &err);
    (void)losses_read(w->folder, &losses, NULL);
    pulse_sealed(w->pulse, rank, losses_crash_of(&losses, w->launch, rank));
    losses_clear(&losses);
}

void writer_seal(struct writer *w, unsigned rank, unsigned launch, const char *why)
{
    struct job *j = xcalloc(1, sizeof(*j));
    j->kind = JOB_SEAL;
    j->commit.rank = rank;
    j->commit.end = clock_unix();
    j->launch = launch;
    (void)snprintf(j->why, sizeof(j->why), "%s", why);
    (void)pthread_mutex_lock(&w->lock);
    writer_enqueue(w, j, 0);
    (void)pthread_mutex_unlock(&w->lock);
}

void writer_spent(struct writer *w, const struct checkpoint_head *spent, uint32_t n_files)
{
    struct job *j = xcalloc(1, sizeof(*j));
    j->kind = JOB_SPENT;
    j->spent = *spent;
    j->n_files = n_files;
    (void)pthread_mutex_lock(&w->lock);
    writer_enqueue(w, j, 0);
    (void)pthread_mutex_unlock(&w->lock);
}

/* What could not be written may still need it. */
static void remove_spent(const struct writer *w, const struct job *j)
{
    if (w->failure.code < 0)
        return;
    checkpoint_remove(w->folder, &j->spent);
    checkpoint_remove_ranks(w->folder, &j->spent, j->n_files);
}

void writer_call(struct writer *w, struct job *j)
{
    if (j->kind == JOB_SPENT) {
        remove_spent(w, j);
        return;
    }
    if (j->kind == JOB_SEAL) {
        seal(w, j);
        return;
    }
    int rc = j->read->call(w, j->read->arg, j->read->err);
    (void)pthread_mutex_lock(&w->lock);
    j->read->rc = rc;
    j->read->over = true;
    (void)pthread_cond_broadcast(&w->from_writer);
    (void)pthread_mutex_unlock(&w->lock);
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
    writer_enqueue(w, j, 0);
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
