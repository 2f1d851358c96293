/* See pulse.h. Messages on the farm's communicator, each a tag:
 *   IDLE    rank -> 0  empty                 I want work
 *   REPORT  rank -> 0  farm_report[n]        committed, failed or given back
 *   ASSIGN  0 -> rank  farm_assign + members
 *   STOP    rank -> 0, 0 -> all  empty       stop handing out; end what runs
 * Rank 0 talks to its own farm directly. Invariant: MPI is called by the pulse thread
 * alone (on this communicator), the mailbox is touched under the lock alone. */
#include "pulse.h"
#include "base/clock.h"
#include "base/memory.h"
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { TAG_IDLE = 1, TAG_REPORT, TAG_ASSIGN, TAG_STOP };

/* Seconds between polls. A beat costs some 30 us, and a message waits for the next one:
 * so it is a share of the silence since the last message, which soon finds its ceiling,
 * and beyond that a hundredth, so that a long task is left alone (50 beats a second:
 * 0.3 % of a core) and yet nobody waits for more than a hundredth of it. */
static const double FAST_BEAT = 50e-6;
static const double SHARE_OF_SILENCE = 0.2, SHARE_OF_LONG_SILENCE = 0.01;

struct tempo {
    double soon, longest; /* ceilings: of the first share, and of all */
};
static const struct tempo while_idle = {250e-6, 2e-3}, while_computing = {2e-3, 20e-3};
static const double PROGRESS_EVERY = 0.1;

struct outgoing {
    MPI_Request request;
    void *bytes;
};

struct pulse {
    MPI_Comm mpi;
    int rank, n_ranks;
    struct pulse_hooks hooks;
    struct farm *farm; /* rank 0 */
    pthread_t thread;
    atomic_bool stopping;

    pthread_mutex_t lock;
    pthread_cond_t to_compute, to_pulse;
    /* the mailbox, under the lock */
    bool wants_work, has_work, finish, gave_up, never_began;
    struct farm_assign work;
    uint32_t *work_members;
    struct farm_report *reports;
    size_t n_reports, room_reports;

    /* the pulse thread's own */
    struct outgoing *out;
    size_t n_out;
    bool told_stop, got_stop;
    double last_traffic, next_progress; /* monotonic s */
};

static void post(struct pulse *p, int to, int tag, const void *bytes, size_t n)
{
    struct outgoing o = {.bytes = memcpy(xcalloc(n + 1, 1), n > 0 ? bytes : "", n)};
    (void)MPI_Isend(o.bytes, (int)n, MPI_BYTE, to, tag, p->mpi, &o.request);
    p->out = xrealloc(p->out, p->n_out + 1, sizeof(*p->out));
    p->out[p->n_out++] = o;
}

static void reap_sends(struct pulse *p)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->n_out; i++) {
        int done = 0;
        (void)MPI_Test(&p->out[i].request, &done, MPI_STATUS_IGNORE);
        if (done != 0)
            free(p->out[i].bytes);
        else
            p->out[kept++] = p->out[i];
    }
    p->n_out = kept;
}

/* Gives an assignment to this rank's compute thread. */
static void deliver(struct pulse *p, const struct farm_assign *a, const uint32_t *members)
{
    (void)pthread_mutex_lock(&p->lock);
    p->work = *a;
    p->work_members = xrealloc(p->work_members, a->n_members, sizeof(*members));
    memcpy(p->work_members, members, a->n_members * sizeof(*members));
    p->has_work = true;
    (void)pthread_cond_signal(&p->to_compute);
    (void)pthread_mutex_unlock(&p->lock);
}

static void hand_out(struct pulse *p, const struct farm_assign *a)
{
    size_t members = a->n_members * sizeof(*a->members);
    unsigned char *bytes = xcalloc(1, sizeof(*a) + members);
    memcpy(bytes, a, sizeof(*a));
    memcpy(bytes + sizeof(*a), a->members, members);
    for (uint32_t i = 0; i < a->n_members; i++) {
        if (a->members[i] == 0)
            deliver(p, a, a->members);
        else
            post(p, (int)a->members[i], TAG_ASSIGN, bytes, sizeof(*a) + members);
    }
    free(bytes);
}

/* Rank 0: what can be skipped, handed out and told now. True: something was. */
static bool run_farm(struct pulse *p)
{
    bool any = false;
    struct farm_skip skip;
    struct farm_assign assign;
    while (farm_next_skip(p->farm, &skip) > 0)
        p->hooks.skip(p->hooks.ctx, &skip);
    for (int over; (over = farm_stage_over(p->farm)) >= 0;)
        p->hooks.stage_over(p->hooks.ctx, (unsigned)over);
    for (; farm_next(p->farm, &assign) > 0; any = true) {
        hand_out(p, &assign);
        p->got_stop |= assign.stop != 0;
    }
    double now = clock_monotonic();
    if (now >= p->next_progress) {
        struct farm_counts counts;
        farm_count(p->farm, &counts);
        p->hooks.progress(p->hooks.ctx, &counts);
        p->next_progress = now + PROGRESS_EVERY;
    }
    return any;
}

static void take_message(struct pulse *p, MPI_Message *m, const MPI_Status *status)
{
    int n;
    (void)MPI_Get_count(status, MPI_BYTE, &n);
    AUTO_FREE(unsigned char) bytes = xcalloc((size_t)n + 1, 1);
    (void)MPI_Mrecv(bytes, n, MPI_BYTE, m, MPI_STATUS_IGNORE);
    if (status->MPI_TAG == TAG_IDLE) {
        farm_idle(p->farm, (unsigned)status->MPI_SOURCE);
    } else if (status->MPI_TAG == TAG_REPORT) {
        for (size_t i = 0; i < (size_t)n / sizeof(struct farm_report); i++) {
            struct farm_report r;
            memcpy(&r, bytes + i * sizeof(r), sizeof(r));
            farm_report(p->farm, &r);
        }
    } else if (status->MPI_TAG == TAG_ASSIGN) {
        struct farm_assign a;
        memcpy(&a, bytes, sizeof(a));
        AUTO_FREE(uint32_t) members = xcalloc(a.n_members, sizeof(*members));
        memcpy(members, bytes + sizeof(a), a.n_members * sizeof(*members));
        p->got_stop |= a.stop != 0;
        deliver(p, &a, members);
    } else {
        atomic_store(&p->stopping, true);
        p->told_stop |= p->rank != 0; /* rank 0 knows: it said so */
    }
}

static bool take_messages(struct pulse *p)
{
    bool any = false;
    for (;;) {
        int flag = 0;
        MPI_Message m;
        MPI_Status status;
        (void)MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, p->mpi, &flag, &m, &status);
        if (flag == 0)
            return any;
        take_message(p, &m, &status);
        any = true;
    }
}

/* What this rank's other threads left in the mailbox. */
static bool take_mail(struct pulse *p, bool *ret_finish)
{
    (void)pthread_mutex_lock(&p->lock);
    bool wants = p->wants_work, gave_up = p->gave_up;
    struct farm_report *reports = p->reports;
    size_t n = p->n_reports;
    p->wants_work = false;
    p->reports = NULL;
    p->n_reports = p->room_reports = 0;
    *ret_finish = p->finish;
    p->got_stop |= p->never_began;
    (void)pthread_mutex_unlock(&p->lock);

    for (size_t i = 0; i < n && p->rank == 0; i++)
        farm_report(p->farm, &reports[i]);
    if (n > 0 && p->rank != 0)
        post(p, 0, TAG_REPORT, reports, n * sizeof(*reports));
    if (wants && p->rank == 0)
        farm_idle(p->farm, 0);
    if (wants && p->rank != 0)
        post(p, 0, TAG_IDLE, NULL, 0);
    free(reports);
    if (gave_up)
        atomic_store(&p->stopping, true);
    return n > 0 || wants;
}

/* Nobody listens any more once the farm has ended. */
static void spread_stop(struct pulse *p)
{
    if (p->got_stop)
        return;
    if (!p->told_stop && p->hooks.must_stop(p->hooks.ctx))
        atomic_store(&p->stopping, true);
    if (p->told_stop || !atomic_load(&p->stopping))
        return;
    p->told_stop = true;
    if (p->rank != 0) {
        post(p, 0, TAG_STOP, NULL, 0);
        return;
    }
    farm_stop(p->farm);
    for (int to = 1; to < p->n_ranks; to++)
        post(p, to, TAG_STOP, NULL, 0);
}

static double beat_after(double silence, const struct tempo *t)
{
    double soon = SHARE_OF_SILENCE * silence, late = SHARE_OF_LONG_SILENCE * silence;
    soon = soon < FAST_BEAT ? FAST_BEAT : soon < t->soon ? soon : t->soon;
    double beat = late > soon ? late : soon;
    return beat < t->longest ? beat : t->longest;
}

static void rest(struct pulse *p, bool busy)
{
    double now = clock_monotonic();
    if (busy)
        p->last_traffic = now;
    (void)pthread_mutex_lock(&p->lock);
    bool waiting = !p->has_work && !p->got_stop;
    double beat =
        beat_after(now - p->last_traffic, waiting ? &while_idle : &while_computing);
    if (!p->wants_work && p->n_reports == 0 && !p->finish) {
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += (long)(beat * 1e9);
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&p->to_pulse, &p->lock, &until);
    }
    (void)pthread_mutex_unlock(&p->lock);
}

static void *pulse_main(void *arg)
{
    struct pulse *p = arg;
    for (;;) {
        bool finish;
        bool busy = take_mail(p, &finish);
        busy |= take_messages(p);
        spread_stop(p);
        if (p->rank == 0)
            busy |= run_farm(p);
        reap_sends(p);
        if (finish && p->got_stop && p->n_out == 0)
            return NULL;
        rest(p, busy);
    }
}

static void destroy(struct pulse *p)
{
    (void)pthread_cond_destroy(&p->to_compute);
    (void)pthread_cond_destroy(&p->to_pulse);
    (void)pthread_mutex_destroy(&p->lock);
    farm_free(p->farm);
    free(p->work_members);
    free(p->reports);
    free(p->out);
    free(p);
}

int pulse_start(const struct jobspec *spec,
                MPI_Comm mpi,
                const struct pulse_hooks *hooks,
                struct pulse **ret,
                struct gm_error *err)
{
    struct pulse *p = xcalloc(1, sizeof(*p));
    p->mpi = mpi;
    p->hooks = *hooks;
    p->last_traffic = clock_monotonic();
    (void)MPI_Comm_rank(mpi, &p->rank);
    (void)MPI_Comm_size(mpi, &p->n_ranks);
    if (p->rank == 0)
        p->farm = farm_make(spec, (unsigned)p->n_ranks);
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->to_compute, NULL);
    (void)pthread_cond_init(&p->to_pulse, &attr);
    (void)pthread_condattr_destroy(&attr);
    int rc = pthread_create(&p->thread, NULL, pulse_main, p);
    if (rc != 0) {
        destroy(p);
        return gm_fail(err, -rc, "cannot start a thread: %s", strerror(rc));
    }
    *ret = p;
    return 0;
}

void pulse_next(struct pulse *p, struct farm_assign *ret)
{
    (void)pthread_mutex_lock(&p->lock);
    p->has_work = false;
    p->wants_work = true;
    (void)pthread_cond_signal(&p->to_pulse);
    while (!p->has_work)
        (void)pthread_cond_wait(&p->to_compute, &p->lock);
    *ret = p->work;
    ret->members = p->work_members;
    (void)pthread_mutex_unlock(&p->lock);
}

void pulse_report(struct pulse *p, const struct farm_report *r)
{
    (void)pthread_mutex_lock(&p->lock);
    struct farm_report *last = p->n_reports > 0 ? &p->reports[p->n_reports - 1] : NULL;
    if (last != NULL && last->stage == r->stage && last->outcome == r->outcome &&
        last->first + last->count == r->first) {
        last->count += r->count;
        last->seconds += r->seconds;
    } else {
        if (p->n_reports == p->room_reports) {
            p->room_reports = 2 * p->room_reports + 16;
            p->reports = xrealloc(p->reports, p->room_reports, sizeof(*p->reports));
        }
        assert(p->reports != NULL);
        p->reports[p->n_reports++] = *r;
    }
    (void)pthread_cond_signal(&p->to_pulse);
    (void)pthread_mutex_unlock(&p->lock);
}

bool pulse_stopping(void *pulse)
{
    struct pulse *p = pulse;
    return atomic_load_explicit(&p->stopping, memory_order_relaxed) ||
           p->hooks.must_stop(p->hooks.ctx);
}

void pulse_give_up(struct pulse *p)
{
    (void)pthread_mutex_lock(&p->lock);
    p->gave_up = true;
    (void)pthread_cond_signal(&p->to_pulse);
    (void)pthread_mutex_unlock(&p->lock);
}

void pulse_drop(struct pulse *p)
{
    struct farm_counts counts;
    bool complete;
    (void)pthread_mutex_lock(&p->lock);
    p->never_began = true;
    (void)pthread_mutex_unlock(&p->lock);
    pulse_finish(p, &counts, &complete);
}

void pulse_finish(struct pulse *p, struct farm_counts *ret_counts, bool *ret_complete)
{
    (void)pthread_mutex_lock(&p->lock);
    p->finish = true;
    (void)pthread_cond_signal(&p->to_pulse);
    (void)pthread_mutex_unlock(&p->lock);
    (void)pthread_join(p->thread, NULL);
    *ret_complete = p->rank == 0 && farm_complete(p->farm);
    if (p->rank == 0)
        farm_count(p->farm, ret_counts);
    destroy(p);
}
