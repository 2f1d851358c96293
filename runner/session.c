/* See session.h. Three threads a rank: this one computes, `pulse` talks with the farm,
 * `writer` calls HDF5. Invariant: the shards are closed on every living rank before they
 * are packed. From the threads' start on no collective of all ranks is called, since a
 * lost one would owe it. */
#include "session.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/version.h"
#include "dying.h"
#include "final.h"
#include "guard.h"
#include "keeper.h"
#include "parting.h"
#include "past.h"
#include "result/again.h"
#include "siblings.h"
#include "token.h"
#include "use.h"
#include "verify.h"
#include "window.h"
#include "worker.h"

/* Of the window, for the rows of this rank's tasks. */
enum { OWN_BYTES = 1 << 20 };

struct session {
    struct session_request req;
    struct writer *writer;
    struct pulse *pulse;
    struct comm *comm;
    struct window window;
    struct farm_seat *seats;
    struct past *past;    /* rank 0, of a later launch; or NULL */
    uint32_t *launches;   /* rank 0: the number of each rank's shard */
    struct losses losses; /* of earlier launches */
    struct parting parting;
    struct result_use use;
    MPI_Comm packers;
    double deadline;       /* monotonic s; 0: none */
    struct keeper *keeper; /* rank 0 under gridmill; or NULL */
    char why[64];          /* the pulse's: what is known of the loss that it tells of */
};

static void on_verdict(void *ctx, const struct farm_verdict *v)
{
    struct session *s = ctx;
    writer_verdict(s->writer, v);
}

static bool is_one_lost(void *ctx)
{
    const struct session *s = ctx;
    return pulse_n_lost(s->pulse) > 0;
}

static void on_seal(void *ctx, unsigned rank)
{
    struct session *s = ctx;
    writer_seal(s->writer, rank, s->launches[rank], s->why);
}

/* Every rank below this one is lost; of its own host alone, or of all. */
static bool is_lowest(const struct session *s, const struct watch *watch, bool of_host)
{
    const unsigned *hosts = s->window.hosts;
    int self = s->req.rank->world;
    for (int r = 0; r < self; r++) {
        if (!watch_lost(watch, (unsigned)r) && (!of_host || hosts[r] == hosts[self]))
            return false;
    }
    return true;
}

/* Rank 0 cannot write down what it died of. A rank of its host knows what it was running;
 * where none is left, the others know what it said last. */
static void note_root(const struct session *s, const struct watch *watch, const char *why)
{
    const struct plan *plan = s->req.planning->plan;
    struct losses_crash c = {.launch = plan->launch};
    const unsigned *hosts = s->window.hosts;
    bool ours = hosts[s->req.rank->world] == hosts[0], deserted = true;
    for (unsigned r = 1; r < plan->n_ranks; r++)
        deserted = deserted && (hosts[r] != hosts[0] || watch_lost(watch, r));
    if (ours ? !is_lowest(s, watch, true) : !deserted || !is_lowest(s, watch, false))
        return;
    losses_add_rank(
        plan->folder,
        &(struct losses_rank){.launch = plan->launch, .when = clock_unix(), .why = why});
    for (unsigned at = 0;
         ours && board_next_running(s->window.board, 0, &at, &c.stage, &c.task);)
        losses_add_crash(plan->folder, &c);
    struct losses said = {0}; /* by itself as it died: surer than its last word */
    if (!ours && watch_was_running(watch, 0, &c.stage, &c.task) &&
        losses_read(plan->folder, &said, NULL) == 0 &&
        losses_crash_of(&said, c.launch, 0) == NULL)
        losses_add_crash(plan->folder, &c);
    losses_clear(&said);
}

/* One rank says who was lost. */
static void on_news(void *ctx, const struct watch *watch, const struct watch_news *news)
{
    struct session *s = ctx;
    const struct plan *plan = s->req.planning->plan;
    bool lowest = is_lowest(s, watch, false);
    memcpy(s->why, news->why, sizeof(s->why));
    if (news->kind == WATCH_OUTCAST && s->req.rank->world == 0)
        log_note("rank 0 was given up by the others, since it did not run");
    if (news->kind == WATCH_LOST && !watch_root_lost(watch) && lowest)
        log_note("rank %u (%s) is lost: %s; its tasks go to the others",
                 news->rank,
                 plan->ranks[news->rank].host,
                 news->why);
    if (news->kind != WATCH_ROOT_LOST)
        return;
    if (lowest)
        log_note(
            "rank 0 (%s) is lost: %s; this launch ends", plan->ranks[0].host, news->why);
    note_root(s, watch, news->why);
}

static void on_stage_over(void *ctx, unsigned stage)
{
    struct session *s = ctx;
    tell_stage_over(s->req.tell, stage);
}

static void on_progress(void *ctx, const struct farm_counts *c)
{
    struct session *s = ctx;
    tell_progress(s->req.tell, c);
}

static enum pulse_stop must_stop(void *ctx)
{
    const struct session *s = ctx;
    if (keeper_gone(s->keeper))
        return PULSE_END;
    int asked = atomic_load_explicit(s->req.stop, memory_order_relaxed);
    if (asked == PULSE_GO && s->deadline > 0 && clock_monotonic() > s->deadline)
        return PULSE_DRAIN;
    return (enum pulse_stop)asked;
}

/* Who runs failed tasks again forgives the crashes that they had before. */
static int load_past(struct session *s, struct gm_error *err)
{
    const struct planning *p = s->req.planning;
    int rc = past_load(p->plan, p->spec, &s->past, err);
    struct again again = {0};
    if (rc == 0 && p->plan->launch > 0)
        rc = again_read(p->plan->folder, &again, err);
    if (rc == 0 && p->plan->launch > 0)
        rc = losses_read(p->plan->folder, &s->losses, err);
    losses_forgive(&s->losses, again.launch);
    again_clear(&again);
    return rc;
}

/* The job's head, the rank's shard, and who this rank is. */
static int open_results(struct session *s, struct gm_error *err)
{
    const struct rank *r = s->req.rank;
    const struct planning *p = s->req.planning;
    struct alloc_given given;
    alloc_read_given(&given);
    struct result_job head = {.plan = p->plan,
                              .spec = p->spec,
                              .start = p->plan->launch > 0 && p->plan->began > 0
                                           ? p->plan->began
                                           : clock_unix(),
                              .versions = version_libraries(),
                              .given_cpus = given.cpus,
                              .given_gpus = given.gpus,
                              .given_memory = given.memory,
                              .given_time = given.time};
    int rc = r->world == 0 ? load_past(s, err) : 0;
    if (rc < 0)
        return rc;
    rc = writer_start(p->plan->folder,
                      (unsigned)r->world,
                      r->world == 0 ? &head : NULL,
                      &s->writer,
                      err);
    if (rc < 0)
        return rc;
    verify_record(r, p->planned, "", &p->found, str_text(&p->device), s->writer);
    use_begin(r, p->plan, &s->use);
    writer_use(s->writer, &s->use);
    return token_check(p->plan, err); /* else a resume has sealed all but this shard */
}

/* What each rank has for tasks, and what this one can run of them. */
static int take_seats(struct session *s, struct gm_error *err)
{
    const struct planning *p = s->req.planning;
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
    const struct farm_seat *own = &s->seats[s->req.rank->world];
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
    const struct planning *p = s->req.planning;
    int rc = window_make(s->req.rank, p->spec->n_stages, OWN_BYTES, &s->window, err);
    s->seats = xcalloc(p->plan->n_ranks, sizeof(*s->seats));
    return rc < 0 ? rc : take_seats(s, err);
}

/* On its own host gridmill ends what is left, and sees its ranks end. */
static void start_guard(const struct session *s)
{
    const struct planning *p = s->req.planning;
    const unsigned *hosts = s->window.hosts, self = (unsigned)s->req.rank->world;
    bool seen = s->req.rank->alloc.launcher == ALLOC_OURS && s->window.n_hosts == 1 &&
                !p->plan->elsewhere;
    if (seen || board_seat(s->window.board) != 0)
        return;
    uint32_t *ranks = xcalloc(board_n_seats(s->window.board), sizeof(*ranks));
    unsigned n = 0;
    for (unsigned r = 0; r < p->plan->n_ranks; r++) {
        if (hosts[r] == hosts[self])
            ranks[n++] = r;
    }
    guard_start(s->window.board, ranks);
    free(ranks);
}

static int start_threads(struct session *s, struct gm_error *err)
{
    const struct rank *r = s->req.rank;
    struct gm_error alone = {0};
    struct pulse_setup setup = {.spec = s->req.planning->spec,
                                .mpi = r->farm,
                                .hooks = {.ctx = s,
                                          .verdict = on_verdict,
                                          .stage_over = on_stage_over,
                                          .progress = on_progress,
                                          .seal = on_seal,
                                          .news = on_news,
                                          .must_stop = must_stop}};
    int rc = make_window(s, &alone);
    int joined = final_join(s->req.planning->plan, r->world, &s->packers, &alone);
    rc = rc == 0 ? joined : rc;
    setup.board = s->window.board;
    setup.n_hosts = s->window.n_hosts;
    setup.seats = s->seats;
    setup.past = past_stages(s->past);
    setup.crashes = s->losses.crashes;
    setup.n_crashes = s->losses.n_crashes;
    setup.deadline = s->deadline;
    if (rc == 0)
        rc = pulse_start(&setup, &s->pulse, &alone);
    past_free(s->past); /* the farm has it */
    s->past = NULL;
    rc = rank_agree(r, rc, true, &alone);
    if (rc < 0) {
        if (s->pulse != NULL)
            pulse_drop(s->pulse);
        s->pulse = NULL;
        return gm_fail(err, rc, "%s", alone.text);
    }
    siblings_let_go(); /* the pulse watches */
    const struct plan *plan = s->req.planning->plan;
    dying_watch(plan->folder, plan->launch, (uint32_t)r->world, s->window.board);
    start_guard(s);
    writer_attach(s->writer, s->pulse);
    s->comm = comm_make(r->groups,
                        &(struct comm_hooks){.ctx = s->pulse,
                                             .stop = pulse_stopping,
                                             .lost = pulse_lost,
                                             .n_lost = pulse_n_lost});
    return 0;
}

static int compute(struct session *s, struct gm_error *err)
{
    const struct rank *r = s->req.rank;
    struct planning *p = s->req.planning;
    char device[VISIBLE_DEVICE_ROOM];
    visible_device(&r->gpus, p->plan, p->spec, (unsigned)r->world, device);
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
                                 .device = str_text(&p->device),
                                 .seat = {.size = sizeof(struct gm_seat),
                                          .n_threads = p->plan->ranks[r->world].threads,
                                          .n_gpus = s->seats[r->world].gpus,
                                          .device = device,
                                          .cpus = p->plan->ranks[r->world].cpus}};
    int rc = worker_run(&setup, &s->use, err);
    bool hurried = rc < 0 || must_stop(s) != PULSE_GO;
    use_end(r, p->plan, p->spec, s->window.hosts, hurried, &s->use);
    writer_use(s->writer, &s->use);
    return rc;
}

/* What was found since the start's notes were told. */
static const char *found_since(const struct planning *p, size_t told)
{
    const char *more = str_text(&p->found) + told;
    return p->plan->verify == PLAN_VERIFY_WARN ? more + strspn(more, "; ") : "";
}

/* This rank's shard is closed; rank 0 waits for the others'. A rank that is taken for
 * lost has no say. */
static int close_shard(
    struct session *s, int rc, size_t told, struct session_end *end, struct gm_error *err)
{
    struct gm_error late = {0};
    const struct watch *watch = pulse_watch(s->pulse);
    int written = writer_finish(s->writer, &late);
    if (written < 0 && (rc == 0 || rc == -ECANCELED)) {
        rc = written;
        if (err != NULL)
            *err = late;
    }
    pulse_over(s->pulse, &end->counts, &end->complete);
    end->lost = watch_outcast(watch) || watch_root_lost(watch);
    rc = parting_meet(s->req.rank,
                      watch,
                      end->lost ? 0 : rc,
                      found_since(s->req.planning, told),
                      &s->parting,
                      err);
    for (unsigned i = 0; i < s->parting.n_notes && i < PARTING_NOTES; i++)
        log_note("not as planned: %s", s->parting.notes[i]);
    if (s->parting.n_notes > PARTING_NOTES)
        log_note("not as planned: and %u more ranks", s->parting.n_notes - PARTING_NOTES);
    end->lost |= watch_outcast(watch);
    return rc;
}

enum packing { PACK_NOT, PACK_ALONE, PACK_TOGETHER };

/* Rank 0 says how it is packed: together only where nobody is missing. */
static int pack(struct session *s, int rc, struct session_end *end, struct gm_error *err)
{
    const struct watch *watch = pulse_watch(s->pulse);
    int32_t how = PACK_NOT;
    if (rc == 0 && end->complete && !end->lost)
        how = parting_whole(s->req.rank, watch, &s->parting) ? PACK_TOGETHER : PACK_ALONE;
    parting_tell(s->req.rank, watch, &s->parting, &how);
    bool first = s->req.rank->world == 0;
    if (how != PACK_TOGETHER && !(how == PACK_ALONE && first))
        return rc;
    if (!first && s->packers == MPI_COMM_NULL)
        return rc;
    struct final final = {.req = &s->req,
                          .end = end,
                          .packers = how == PACK_ALONE ? MPI_COMM_NULL : s->packers,
                          .lost = is_one_lost,
                          .ctx = s};
    uint64_t damaged = 0;
    rc = final_pack(&final, &damaged, err);
    end->counts.done -= damaged;
    end->counts.failed += damaged;
    return rc;
}

/* The tasks: from the threads' start to their end, with every shard closed. *ret_began:
 * the ranks have parted from each other, and must leave as such. */
static int run_tasks(struct session *s,
                     struct session_end *ret_end,
                     bool *ret_began,
                     struct gm_error *err)
{
    double began = clock_monotonic(), end = s->req.planning->plan->end;
    double left = end > 0 ? end - clock_unix() : 0;
    int rc = rank_share(0, &left, sizeof(left), err); /* clocks of hosts differ */
    s->deadline = end > 0 ? began + left : 0;
    uint32_t launch = writer_launch(s->writer);
    if (rc == 0)
        rc = rank_collect(&launch, sizeof(launch), s->launches, err);
    if (rc == 0)
        rc = start_threads(s, err);
    *ret_began = rc == 0;
    if (rc < 0) {
        (void)writer_finish(s->writer, NULL);
        return rc;
    }
    size_t told = s->req.planning->found.len;
    rc = close_shard(s, compute(s, err), told, ret_end, err);
    tell_phase(s->req.tell, "tasks", clock_monotonic() - began);
    began = clock_monotonic();
    rc = pack(s, rc, ret_end, err);
    tell_phase(s->req.tell, "pack", clock_monotonic() - began);
    return rc;
}

int session_run(const struct session_request *req,
                struct session **ret_session,
                struct session_end *ret,
                struct gm_error *err)
{
    struct session *s = xcalloc(1, sizeof(*s));
    bool began_tasks = false;
    double began = clock_monotonic();
    *s = (struct session){.req = *req, .packers = MPI_COMM_NULL};
    s->launches = xcalloc(req->planning->plan->n_ranks, sizeof(*s->launches));
    int rc = rank_agree(req->rank, open_results(s, err), true, err);
    if (rc < 0) {
        if (s->writer != NULL)
            (void)writer_finish(s->writer, NULL);
        past_free(s->past);
        losses_clear(&s->losses);
        free(s->launches);
        free(s);
        return rc;
    }
    if (req->rank->world == 0 && req->rank->alloc.launcher == ALLOC_OURS)
        s->keeper = keeper_watch(req->planning->plan->folder);
    tell_phase(req->tell, "results", clock_monotonic() - began);
    tell_started(req->tell, req->planning->spec);
    rc = run_tasks(s, ret, &began_tasks, err);
    if (began_tasks)
        *ret_session = s;
    else
        session_free(s);
    return rc;
}

bool session_leave(struct session *s, int32_t *code)
{
    static const int32_t whole = 1 << 8;
    const struct watch *watch = pulse_watch(s->pulse);
    int32_t word = *code;
    board_leave(s->window.board);
    dying_forget();
    if (parting_whole(s->req.rank, watch, &s->parting))
        word |= whole;
    parting_tell(s->req.rank, watch, &s->parting, &word);
    *code = word == -EOWNERDEAD ? ENGINE_INCOMPLETE : word & ~whole;
    return word != -EOWNERDEAD && (word & whole) != 0;
}

void session_free(struct session *s)
{
    if (s->pulse != NULL)
        pulse_finish(s->pulse);
    comm_free(s->comm);
    if (s->packers != MPI_COMM_NULL)
        (void)MPI_Comm_free(&s->packers);
    window_free(&s->window);
    parting_clear(&s->parting);
    free(s->seats);
    losses_clear(&s->losses);
    free(s->launches);
    keeper_free(s->keeper);
    free(s);
}
