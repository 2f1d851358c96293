/* See session.h. Three threads a rank: this one computes, `pulse` talks with the farm,
 * `writer` calls HDF5. Invariant: the shards are closed on every rank before they are
 * packed. */
#include "session.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/version.h"
#include "final.h"
#include "past.h"
#include "token.h"
#include "verify.h"
#include "window.h"
#include "worker.h"
#include <fcntl.h>
#include <sys/file.h>

/* Of the window, for the rows of this rank's tasks. */
enum { OWN_BYTES = 1 << 20 };

struct session {
    const struct session_request *req;
    struct writer *writer;
    struct pulse *pulse;
    struct comm *comm;
    struct window window;
    struct farm_seat *seats;
    struct past *past; /* rank 0, of a later launch; or NULL */
    double deadline;   /* monotonic s; 0: none */
    int lock; /* rank 0 under gridmill: the folder's lock, which gridmill holds */
    atomic_bool orphaned;
};

static void on_verdict(void *ctx, const struct farm_verdict *v)
{
    struct session *s = ctx;
    writer_verdict(s->writer, v);
}

static void on_seal(void *ctx, unsigned rank)
{
    struct session *s = ctx;
    writer_seal(s->writer, rank);
}

static void on_news(void *ctx, const struct watch_news *news)
{
    (void)ctx;
    (void)news;
}

static void on_stage_over(void *ctx, unsigned stage)
{
    struct session *s = ctx;
    tell_stage_over(s->req->tell, stage);
}

/* gridmill holds the folder's lock as long as it lives. Whoever gets it finds that it is
 * gone, killed with nobody to end us: we stop, and are the holder until we have. */
static void look_for_gridmill(struct session *s)
{
    if (s->lock >= 0 && !atomic_load_explicit(&s->orphaned, memory_order_relaxed) &&
        flock(s->lock, LOCK_EX | LOCK_NB) == 0)
        atomic_store(&s->orphaned, true);
}

static void on_progress(void *ctx, const struct farm_counts *c)
{
    struct session *s = ctx;
    tell_progress(s->req->tell, c);
    look_for_gridmill(s);
}

static bool must_stop(void *ctx)
{
    const struct session *s = ctx;
    return atomic_load_explicit(s->req->stop_signal, memory_order_relaxed) != 0 ||
           atomic_load_explicit(&s->orphaned, memory_order_relaxed) ||
           (s->deadline > 0 && clock_monotonic() > s->deadline);
}

/* The job's head, the rank's shard, and who this rank is. */
static int open_results(struct session *s, struct gm_error *err)
{
    const struct rank *r = s->req->rank;
    const struct planning *p = s->req->planning;
    struct result_job head = {.plan = p->plan,
                              .spec = p->spec,
                              .start = p->plan->launch > 0 && p->plan->began > 0
                                           ? p->plan->began
                                           : clock_unix(),
                              .versions = version_libraries()};
    int rc = r->world == 0 ? past_load(p->plan, p->spec, &s->past, err) : 0;
    if (rc < 0)
        return rc;
    rc = writer_start(p->plan->folder,
                      (unsigned)r->world,
                      r->world == 0 ? &head : NULL,
                      &s->writer,
                      err);
    if (rc < 0)
        return rc;
    verify_record(r, p->planned, "", &p->found, s->writer);
    return token_check(p->plan, err); /* else a resume has sealed all but this shard */
}

/* What each rank has for tasks, and what this one can run of them. */
static int take_seats(struct session *s, struct gm_error *err)
{
    const struct planning *p = s->req->planning;
    for (unsigned r = 0; r < p->plan->n_ranks; r++) {
        const struct plan_rank *rank = &p->plan->ranks[r];
        AUTO(idset) gpus = NULL;
        int rc = idset_parse(rank->gpus, &gpus, err);
        if (rc < 0)
            return rc;
        s->seats[r] = (struct farm_seat){.host = s->window.hosts[r],
                                         .cores = rank->threads > 0 ? rank->threads : 1,
                                         .gpus = (unsigned)idset_count(gpus)};
    }
    const struct farm_seat *own = &s->seats[s->req->rank->world];
    for (unsigned i = 0; i < p->spec->n_stages; i++) {
        const struct jobspec_stage *stage = &p->spec->stages[i];
        board_fit(s->window.board,
                  i,
                  stage->task_cores <= own->cores && stage->task_gpus <= own->gpus);
    }
    return 0;
}

static int make_window(struct session *s, struct gm_error *err)
{
    const struct planning *p = s->req->planning;
    int rc = window_make(s->req->rank, p->spec->n_stages, OWN_BYTES, &s->window, err);
    s->seats = xcalloc(p->plan->n_ranks, sizeof(*s->seats));
    return rc < 0 ? rc : take_seats(s, err);
}

static int start_threads(struct session *s, struct gm_error *err)
{
    const struct rank *r = s->req->rank;
    struct gm_error alone = {0};
    struct pulse_setup setup = {.spec = s->req->planning->spec,
                                .mpi = r->farm,
                                .hooks = {.ctx = s,
                                          .verdict = on_verdict,
                                          .stage_over = on_stage_over,
                                          .progress = on_progress,
                                          .seal = on_seal,
                                          .news = on_news,
                                          .must_stop = must_stop}};
    int rc = make_window(s, &alone);
    setup.board = s->window.board;
    setup.n_hosts = s->window.n_hosts;
    setup.seats = s->seats;
    setup.past = past_stages(s->past);
    setup.deadline = s->deadline;
    if (rc == 0)
        rc = pulse_start(&setup, &s->pulse, &alone);
    past_free(s->past); /* the farm has it */
    s->past = NULL;
    rc = rank_agree(r, rc, true, &alone);
    if (rc < 0) {
        if (s->pulse != NULL)
            pulse_drop(s->pulse);
        return gm_fail(err, rc, "%s", alone.text);
    }
    writer_attach(s->writer, s->pulse);
    s->comm = comm_make(r->groups,
                        &(struct comm_hooks){.ctx = s->pulse, .stop = pulse_stopping});
    return 0;
}

static int compute(struct session *s, struct gm_error *err)
{
    const struct rank *r = s->req->rank;
    struct planning *p = s->req->planning;
    struct worker_setup setup = {.spec = p->spec,
                                 .plan = p->plan,
                                 .rank = (unsigned)r->world,
                                 .pulse = s->pulse,
                                 .board = s->window.board,
                                 .own = s->window.own,
                                 .own_bytes = OWN_BYTES,
                                 .writer = s->writer,
                                 .comm = s->comm,
                                 .who = r,
                                 .planned = p->planned,
                                 .found = &p->found,
                                 .seat = {.size = sizeof(struct gm_seat),
                                          .n_threads = p->plan->ranks[r->world].threads,
                                          .device = "cpu",
                                          .cpus = p->plan->ranks[r->world].cpus}};
    return worker_run(&setup, err);
}

/* The end of the threads: every shard is closed when all ranks have agreed. */
static int
close_threads(struct session *s, int rc, struct session_end *end, struct gm_error *err)
{
    struct gm_error late = {0};
    int written = writer_finish(s->writer, &late);
    pulse_finish(s->pulse, &end->counts, &end->complete);
    comm_free(s->comm);
    free(s->seats);
    if (written < 0 && (rc == 0 || rc == -ECANCELED)) {
        rc = written;
        if (err != NULL)
            *err = late;
    }
    rc = rank_agree(s->req->rank, rc, true, err);
    window_free(&s->window);
    return rc;
}

static int open_lock(const struct session_request *req)
{
    if (req->rank->world != 0 || req->rank->alloc.launcher != ALLOC_OURS)
        return -1;
    AUTO_STR path = {0};
    str_printf(&path, "%s/lock", req->planning->plan->folder);
    return open(path.text, O_RDWR | O_CLOEXEC);
}

/* The tasks: from the threads' start to their end, with every shard closed. */
static int run_tasks(struct session *s, struct session_end *ret_end, struct gm_error *err)
{
    double began = clock_monotonic(), end = s->req->planning->plan->end;
    double left = end > 0 ? end - clock_unix() : 0;
    int rc = rank_share(0, &left, sizeof(left), err); /* clocks of hosts differ */
    s->deadline = end > 0 ? began + left : 0;
    if (rc == 0)
        rc = start_threads(s, err);
    if (rc < 0) {
        (void)writer_finish(s->writer, NULL);
        return rc;
    }
    size_t told = s->req->planning->found.len;
    rc = close_threads(s, compute(s, err), ret_end, err);
    if (rc == 0)
        rc = verify_tell_more(
            s->req->rank, s->req->planning->plan, &s->req->planning->found, told, err);
    tell_phase(s->req->tell, "tasks", clock_monotonic() - began);
    return rc;
}

int session_run(const struct session_request *req,
                struct session_end *ret,
                struct gm_error *err)
{
    struct session s = {.req = req};
    struct session_end end = {0};
    double began = clock_monotonic();
    int rc = rank_agree(req->rank, open_results(&s, err), true, err);
    if (rc < 0) {
        if (s.writer != NULL)
            (void)writer_finish(s.writer, NULL);
        past_free(s.past);
        return rc;
    }
    AUTO_FD lock = open_lock(req);
    s.lock = lock;
    tell_phase(req->tell, "results", clock_monotonic() - began);
    tell_started(req->tell, req->planning->spec);
    rc = run_tasks(&s, &end, err);
    began = clock_monotonic();
    int shared = rank_share(0, &end.complete, sizeof(end.complete), err);
    rc = rc == 0 ? shared : rc;
    struct final final = {.req = req, .end = &end};
    if (rc == 0 && end.complete)
        rc = final_pack(&final, err);
    tell_phase(req->tell, "pack", clock_monotonic() - began);
    rc = rank_agree(req->rank, rc, false, err);
    *ret = end;
    return rc;
}
