/* See worker.h. A task on a group of ranks: each runs its part, all settle on one
 * outcome, the leader commits it and decides whether there is another attempt. */
#include "worker.h"
#include "attempt.h"
#include "base/clock.h"
#include "base/memory.h"
#include "chunk.h"
#include "command.h"
#include "crew.h"
#include "saving.h"
#include "topo/bind.h"
#include "verify.h"
#include <inttypes.h>
#include <sys/resource.h>

void worker_look(void *ctx, const struct idset *child)
{
    struct worker *w = ctx;
    const struct worker_setup *s = w->setup;
    bool new_child = child != NULL && !w->looked_at_child;
    if (w->seen != NULL && !new_child)
        return;
    if (w->seen == NULL && bind_read_all(0, &w->seen, NULL) < 0)
        return;
    if (new_child) {
        w->looked_at_child = true;
        idset_unite(w->seen, child);
    }
    AUTO_FREE(char) seen = idset_format(w->seen);
    bool fine = verify_working(s->who, s->plan, s->planned, w->seen, s->found);
    if (!fine && s->plan->verify == PLAN_VERIFY_STRICT && w->binding.code == 0) {
        (void)gm_fail(&w->binding, -EPERM, "%s", str_text(s->found));
        pulse_give_up(s->pulse);
    }
    verify_record(s->who, s->planned, seen, s->found, s->device, s->writer);
}

bool worker_may_retry(const struct jobspec_stage *stage,
                      uint32_t reason,
                      unsigned attempt)
{
    uint32_t bit = reason == RESULT_TIMEOUT  ? JOBSPEC_RETRY_TIMEOUT
                   : reason == RESULT_SIGNAL ? JOBSPEC_RETRY_SIGNAL
                                             : JOBSPEC_RETRY_EXIT;
    return attempt <= stage->retry_limit && (stage->retry_on & bit) != 0;
}

void worker_commit(struct worker *w,
                   const struct attempt *a,
                   const struct attempt_end *end,
                   int rc,
                   bool again,
                   struct parcel *parcel,
                   const struct gm_error *err)
{
    const struct gm_comm *comm = comm_face(a->comm);
    struct result_commit c = {.stage = a->stage,
                              .attempt = a->number,
                              .task = a->task,
                              .count = 1,
                              .status = rc == 0 ? RESULT_DONE
                                        : again ? RESULT_RETRIED
                                                : RESULT_FAILED,
                              .reason = end->reason,
                              .exit_code = end->exit_code,
                              .signal = end->signal,
                              .rank = w->setup->rank,
                              .n_ranks = comm->n_ranks,
                              .start = end->start,
                              .end = end->end,
                              .user_s = end->user_s,
                              .system_s = end->system_s,
                              .max_rss = end->max_rss,
                              .read_bytes = end->read_bytes,
                              .written_bytes = end->written_bytes,
                              .continued = end->continued,
                              .work = rc == 0 ? end->work : (struct result_work){0}};
    if (rc < 0) {
        size_t n = strlen(err->text);
        struct result_record message = {.kind = RESULT_MESSAGE,
                                        .dtype = GM_U8,
                                        .ndim = 1,
                                        .dims = {n},
                                        .data = err->text,
                                        .nbytes = n};
        parcel_drop_outputs(parcel);
        (void)parcel_add(parcel, &message, NULL);
    }
    (void)writer_commit(w->setup->writer, &c, parcel, !again);
}

/* The leader's decision; *end gets the reason that the others know. */
static enum worker_decision
decide(const struct attempt *a, int rc, struct attempt_end *end)
{
    if (rc < 0 && end->reason == RESULT_OK) {
        end->reason = RESULT_ERROR;
        end->exit_code = -1;
    }
    if (rc == -ETIMEDOUT) /* perhaps another rank of the group saw it first */
        end->reason = RESULT_TIMEOUT;
    if (rc == -ECANCELED || rc == -EOWNERDEAD)
        return WORKER_GIVE_BACK;
    if (rc == 0 || !worker_may_retry(&a->spec->stages[a->stage], end->reason, a->number))
        return WORKER_NEXT;
    return pulse_stopping(a->pulse) ? WORKER_LATER : WORKER_AGAIN;
}

/* One attempt: what the whole group does after it. */
static enum worker_decision run_attempt(struct worker *w, const struct attempt *a)
{
    const struct jobspec_stage *stage = &a->spec->stages[a->stage];
    struct parcel *parcel = parcel_make();
    struct attempt_end end;
    struct gm_error err = {0};
    bool leads = comm_face(a->comm)->rank == 0;
    int rc;
    if (a->saving != NULL)
        saving_open(a->saving, a, parcel);
    if (stage->kernel != NULL)
        rc = attempt_kernel(a, parcel, &end, &err);
    else if (leads)
        rc = command_attempt(a, parcel, &end, &err);
    else
        rc = 0; /* a command runs once, on the first rank of its group */
    if (rc < 0)
        comm_abandon(a->comm);
    rc = comm_settle(a->comm, rc, &err);
    int decision = leads ? (int)decide(a, rc, &end) : (int)WORKER_NEXT;
    decision = comm_decide(a->comm, decision);
    if (decision < 0) /* the leader was lost */
        decision = WORKER_GIVE_BACK;
    if (leads && decision != WORKER_GIVE_BACK)
        worker_commit(w, a, &end, rc, decision != WORKER_NEXT, parcel, &err);
    else
        parcel_free(parcel);
    if (leads && a->saving != NULL && decision != WORKER_GIVE_BACK)
        saving_settle(a->saving, w->setup->writer, rc == 0);
    return (enum worker_decision)decision;
}

void worker_give_back(
    struct worker *w, unsigned stage, uint64_t first, uint64_t count, unsigned attempts)
{
    struct farm_report r = {.stage = stage,
                            .outcome = FARM_RETURNED,
                            .first = first,
                            .count = count,
                            .attempts = attempts};
    if (count > 0)
        pulse_report(w->setup->pulse, &r);
}

bool worker_task(struct worker *w,
                 const struct farm_assign *work,
                 uint64_t task,
                 unsigned *attempts)
{
    const struct worker_setup *s = w->setup;
    struct attempt a = {.spec = s->spec,
                        .plan = s->plan,
                        .rank = s->rank,
                        .stage = work->stage,
                        .task = task,
                        .comm = s->comm,
                        .pulse = s->pulse,
                        .source = w->source,
                        .seat = &s->seat,
                        .opened = &w->stages[work->stage],
                        .place = crew_place(w->crew),
                        .saving = s->spec->stages[work->stage].checkpoint > 0 ? w->saving
                                                                              : NULL,
                        .look = worker_look,
                        .look_ctx = w};
    enum worker_decision next = WORKER_AGAIN;
    while (next == WORKER_AGAIN) {
        a.number = *attempts + 1;
        comm_join(s->comm, work->members, work->n_members, work->epoch, a.number);
        next = run_attempt(w, &a);
        *attempts += next != WORKER_GIVE_BACK;
    }
    return next == WORKER_NEXT;
}

/* A task that came by message: of a group, or a seated job's own. */
static void run_group(struct worker *w, const struct farm_assign *work)
{
    const struct worker_setup *s = w->setup;
    bool stop = work->n_members == 1 && pulse_stopping(s->pulse);
    bool leads = work->members[0] == s->rank;
    unsigned attempts = work->attempt;
    double start = clock_monotonic();
    board_running(s->board, work->stage, work->first);
    bool over = !stop && worker_task(w, work, work->first, &attempts);
    if (leads && over)
        board_done(s->board, work->stage, 1, clock_monotonic() - start);
    else if (leads)
        worker_give_back(w, work->stage, work->first, 1, attempts);
    board_running(s->board, UINT32_MAX, 0);
}

bool worker_too_late(struct worker *w, const struct board_claim *claim)
{
    struct farm_report r = {.stage = claim->stage, .outcome = FARM_LATE};
    if (!pulse_late(w->setup->pulse, claim->stage))
        return false;
    r.count = board_give_back(w->setup->board, &r.first);
    if (r.count > 0)
        pulse_report(w->setup->pulse, &r);
    return true;
}

/* A claim of the board, and what a crew claimed while it had cores to spare. */
static void run_claims(struct worker *w, struct board_claim claim)
{
    const struct jobspec *spec = w->setup->spec;
    while (claim.count > 0) {
        struct board_claim next = {.count = 0};
        if (worker_too_late(w, &claim))
            return;
        if (spec->stages[claim.stage].kernel == NULL)
            crew_run(w->crew, &claim, &next);
        else
            chunk_run(w->chunk, &claim);
        claim = next;
    }
}

/* Until the farm says stop: what came by message first, then what the board has. */
static void run_all(struct worker *w)
{
    const struct worker_setup *s = w->setup;
    for (;;) {
        struct farm_assign work;
        struct board_claim claim;
        uint64_t version = board_version(s->board);
        int came = pulse_look(s->pulse, &work);
        if (came == 0 && board_claim(s->board, &claim) == BOARD_CLAIMED) {
            pulse_busy(s->pulse);
            run_claims(w, claim);
            continue;
        }
        if (came == 0) {
            double since = clock_monotonic();
            writer_hurry(s->writer);
            came = pulse_wait(s->pulse, version, &work);
            w->waited += clock_monotonic() - since;
        }
        if (came == 0)
            continue;
        if (work.kind == FARM_STOP)
            return;
        run_group(w, &work);
    }
}

/* Processor seconds of this process and of the commands that have ended. */
static double cpu_used(void)
{
    double s = 0;
    for (int own = 0; own < 2; own++) {
        struct rusage u;
        if (getrusage(own ? RUSAGE_SELF : RUSAGE_CHILDREN, &u) == 0)
            s += (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    }
    return s;
}

static void tell_use(const struct worker *w, struct result_use *use)
{
    struct rusage own;
    use->v[USE_ENDED] = clock_unix();
    use->v[USE_WAIT] = w->waited;
    use->v[USE_COMM] = comm_waited(w->setup->comm);
    use->v[USE_WRITE] = writer_blocked(w->setup->writer);
    use->v[USE_CPU] = cpu_used() - use->v[USE_CPU];
    if (getrusage(RUSAGE_SELF, &own) == 0)
        use->v[USE_RSS] = 1024.0 * (double)own.ru_maxrss;
}

int worker_run(const struct worker_setup *setup,
               struct result_use *ret_use,
               struct gm_error *err)
{
    struct worker w = {.setup = setup};
    const struct jobspec *spec = setup->spec;
    ret_use->v[USE_BEGAN] = clock_unix();
    ret_use->v[USE_CPU] = cpu_used();
    w.source = source_make(spec, setup->writer, setup->plan->folder, setup->rank, 0);
    w.stages = xcalloc(spec->n_stages, sizeof(*w.stages));
    w.crew = crew_make(&w);
    w.saving = saving_make(spec, setup->plan, setup->rank);
    w.chunk = chunk_make(&w, setup->own, setup->own_bytes, NULL);
    run_all(&w);
    tell_use(&w, ret_use);
    worker_look(&w, NULL); /* a rank that got no task is looked at, too */
    for (unsigned i = 0; i < spec->n_stages; i++)
        attempt_stage_close(&w.stages[i], spec->stages[i].kernel);
    free(w.stages);
    crew_free(w.crew);
    saving_free(w.saving);
    chunk_free(w.chunk);
    source_free(w.source);
    idset_free(w.seen);
    return w.binding.code < 0 ? gm_fail(err, w.binding.code, "%s", w.binding.text) : 0;
}
