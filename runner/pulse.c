/* See pulse.h. Invariant: on the farm's communicator MPI is called by the pulse thread
 * alone (dispatch.c); the mailbox is touched under the lock alone. */
#include "pulse.h"
#include "base/clock.h"
#include "base/memory.h"
#include "dispatch.h"
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

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

/* A task is not started when this share of its stage's took longer than the time that is
 * left; known once as many are measured. */
static const double LATE_SHARE = 0.95;
enum { LATE_LEAST = 5 };

/* s at the end of the grace, or its half. */
static const double ENDING = 4;

/* An idle rank says so again when it has looked at a new board in vain, but no oftener.
 */
static const double SAY_IDLE_EVERY = 2e-3;
static const double MOST_TO_FINISH = 1;
/* An idle rank looks at its board, which others fill, as often as this. */
static const double FIRST_NAP = 50e-6, LONGEST_NAP = 1e-3;

struct sealed {
    unsigned rank;
    uint32_t stage; /* UINT32_MAX: it left nothing written */
    uint64_t task;
};

struct pulse {
    int rank, n_ranks;
    struct pulse_hooks hooks;
    const struct jobspec *spec;
    struct board *board;
    struct dispatch *dispatch;
    struct farm *farm; /* rank 0: the dispatch's */
    struct watch *watch;
    unsigned *hosts;
    pthread_t thread;
    atomic_int stop; /* enum pulse_stop; the pulse thread alone raises it */
    double press_at; /* monotonic s: then commands are ended; before `stop` is raised */

    pthread_mutex_t lock;
    pthread_cond_t to_compute, to_pulse;
    /* the mailbox, under the lock */
    bool has_work, finish, gave_up, never_began;
    bool idle, low;
    uint64_t idle_says; /* how often the compute thread has said that it is idle */
    struct farm_assign work;
    uint32_t *work_members;
    struct farm_report *reports;
    size_t n_reports, room_reports;
    struct sealed *sealed;
    size_t n_sealed;
    struct farm_counts counts; /* rank 0: when the stop was given */
    bool complete;

    uint64_t low_version; /* compute's own: of the board that was last found low */
    /* the pulse thread's own */
    enum pulse_stop told; /* to all */
    bool got_stop, told_idle;
    uint64_t told_says;
    double next_say;
    double last_traffic, next_progress, deadline; /* monotonic s */
    double finish_at;                             /* when it is asked for; 0: not yet */
};

/* Gives a group's task or the stop to this rank's compute thread. */
static void deliver(void *ctx, const struct farm_assign *a)
{
    struct pulse *p = ctx;
    size_t members = a->n_members * sizeof(*a->members);
    struct farm_counts counts = {0};
    if (a->kind == FARM_STOP && p->farm != NULL) { /* for the last time: then the end
                                                      is told, by another thread */
        farm_count(p->farm, &counts);
        p->hooks.progress(p->hooks.ctx, &counts);
    }
    p->got_stop |= a->kind == FARM_STOP;
    p->told_idle = false;
    (void)pthread_mutex_lock(&p->lock);
    p->work = *a;
    p->work_members = xrealloc(p->work_members, a->n_members, sizeof(*a->members));
    memcpy(p->work_members, a->members, members);
    p->has_work = true;
    p->idle = false;
    if (a->kind == FARM_STOP && p->farm != NULL) {
        p->counts = counts;
        p->complete = farm_complete(p->farm);
    }
    (void)pthread_cond_signal(&p->to_compute);
    (void)pthread_mutex_unlock(&p->lock);
}

/* Until when commands may end by themselves: then comes SIGTERM, 2 s later SIGKILL, and
 * what they printed is still to be written in the grace. */
static double commands_share(double grace)
{
    return grace > 2 * ENDING ? grace - ENDING : grace / 2;
}

static void raise_stop(struct pulse *p, enum pulse_stop level)
{
    if ((int)level <= atomic_load(&p->stop))
        return;
    if (atomic_load(&p->stop) == PULSE_GO)
        p->press_at = clock_monotonic() + commands_share(p->spec->grace);
    atomic_store(&p->stop, level);
}

static void take_stop(void *ctx, enum pulse_stop level)
{
    struct pulse *p = ctx;
    raise_stop(p, level);
    if (p->rank != 0 && p->told < level) /* rank 0 knows: it said so */
        p->told = level;
}

static void take_word(void *ctx, unsigned from, const struct watch_word *word)
{
    const struct pulse *p = ctx;
    watch_take(p->watch, from, word);
}

static void send_word(void *ctx, unsigned to, const struct watch_word *word)
{
    const struct pulse *p = ctx;
    dispatch_word(p->dispatch, to, word);
}

static void seal(void *ctx, unsigned rank)
{
    const struct pulse *p = ctx;
    p->hooks.seal(p->hooks.ctx, rank);
}

bool pulse_late(const struct pulse *p, unsigned stage)
{
    if (p->deadline <= 0 || p->spec->stages[stage].checkpoint > 0)
        return false;
    double left = p->deadline - clock_monotonic();
    return board_quantile(p->board, stage, LATE_SHARE, LATE_LEAST) > left;
}

/* Groups' tasks are the farm's to hold back: a group cannot agree on it. */
static void close_groups(const struct pulse *p)
{
    for (unsigned i = 0; p->deadline > 0 && i < p->spec->n_stages; i++) {
        if (p->spec->stages[i].group != 1 && pulse_late(p, i))
            farm_close(p->farm, i);
    }
}

/* Rank 0: what is decided, handed out and told now. True: something was. */
static bool run_farm(struct pulse *p)
{
    struct farm_verdict verdict;
    while (farm_next_verdict(p->farm, &verdict) > 0)
        p->hooks.verdict(p->hooks.ctx, &verdict);
    for (int over; (over = farm_stage_over(p->farm)) >= 0;)
        p->hooks.stage_over(p->hooks.ctx, (unsigned)over);
    bool any = dispatch_hand_out(p->dispatch);
    double now = clock_monotonic();
    if (now >= p->next_progress && !p->got_stop) {
        struct farm_counts counts;
        close_groups(p);
        farm_count(p->farm, &counts);
        p->hooks.progress(p->hooks.ctx, &counts);
        p->next_progress = now + PROGRESS_EVERY;
    }
    return any;
}

/* Nobody tells this rank to stop any more: rank 0 is lost, or the others have given this
 * one up. */
static void stop_alone(struct pulse *p)
{
    uint32_t self = (uint32_t)p->rank;
    struct farm_assign stop = {.kind = FARM_STOP, .n_members = 1, .members = &self};
    raise_stop(p, PULSE_END);
    if (p->farm != NULL)
        farm_stop(p->farm);
    if (!p->got_stop)
        deliver(p, &stop);
}

/* Who lives: to the end, since ranks that part wait for each other. */
static bool step_watch(struct pulse *p)
{
    struct watch_news news;
    bool any = false;
    for (; watch_step(p->watch, clock_monotonic(), &news); any = true) {
        p->hooks.news(p->hooks.ctx, p->watch, &news);
        if (news.kind == WATCH_LOST || news.kind == WATCH_ROOT_LOST)
            dispatch_lost(p->dispatch, news.rank);
        if (news.kind == WATCH_ROOT_LOST || news.kind == WATCH_OUTCAST)
            stop_alone(p);
    }
    return any;
}

/* IDLE and BUSY as the compute thread's state asks for them. */
static bool say_state(struct pulse *p, bool idle, uint64_t says)
{
    double now = clock_monotonic();
    if (!idle && p->told_idle) {
        p->told_idle = false;
        dispatch_busy(p->dispatch);
        return true;
    }
    if (!idle || (p->told_idle && (says == p->told_says || now < p->next_say)))
        return false;
    p->told_idle = true;
    p->told_says = says;
    p->next_say = now + SAY_IDLE_EVERY;
    dispatch_idle(p->dispatch);
    return true;
}

/* What it wrote as it died is surer than what it said before. */
static void take_sealed(struct pulse *p, struct sealed *s)
{
    if (s->stage == UINT32_MAX)
        (void)watch_was_running(p->watch, s->rank, &s->stage, &s->task);
    dispatch_sealed(p->dispatch, s->rank, s->stage, s->task);
}

/* What this rank's other threads left in the mailbox. */
static bool take_mail(struct pulse *p, bool *ret_finish)
{
    (void)pthread_mutex_lock(&p->lock);
    bool idle = p->idle, low = p->low, gave_up = p->gave_up;
    uint64_t says = p->idle_says;
    AUTO_FREE(struct farm_report) reports = steal(&p->reports);
    AUTO_FREE(struct sealed) sealed = steal(&p->sealed);
    size_t n = p->n_reports, n_sealed = p->n_sealed;
    p->low = false;
    p->n_reports = p->room_reports = p->n_sealed = 0;
    *ret_finish = p->finish;
    p->got_stop |= p->never_began;
    (void)pthread_mutex_unlock(&p->lock);

    dispatch_report(p->dispatch, reports, n);
    for (size_t i = 0; i < n_sealed; i++)
        take_sealed(p, &sealed[i]);
    if (low)
        dispatch_low(p->dispatch);
    if (gave_up)
        raise_stop(p, PULSE_END);
    /* Nobody answers a report. */
    return say_state(p, idle, says) || n_sealed > 0 || low;
}

/* What is said to ranks that have left already is never taken. */
static bool is_late(struct pulse *p)
{
    double now = clock_monotonic();
    if (p->finish_at == 0)
        p->finish_at = now;
    return now - p->finish_at > MOST_TO_FINISH;
}

/* Nobody listens any more once the farm has ended. */
static void spread_stop(struct pulse *p)
{
    if (p->got_stop)
        return;
    raise_stop(p, p->hooks.must_stop(p->hooks.ctx));
    enum pulse_stop level = (enum pulse_stop)atomic_load(&p->stop);
    if (level <= p->told)
        return;
    p->told = level;
    dispatch_stop(p->dispatch, level);
}

static double beat_after(double silence, const struct tempo *t)
{
    double soon = SHARE_OF_SILENCE * silence, late = SHARE_OF_LONG_SILENCE * silence;
    soon = soon < FAST_BEAT ? FAST_BEAT : soon < t->soon ? soon : t->soon;
    double beat = late > soon ? late : soon;
    return beat < t->longest ? beat : t->longest;
}

static void after(double seconds, struct timespec *ret)
{
    (void)clock_gettime(CLOCK_MONOTONIC, ret);
    ret->tv_nsec += (long)(seconds * 1e9);
    ret->tv_sec += ret->tv_nsec / 1000000000;
    ret->tv_nsec %= 1000000000;
}

static void rest(struct pulse *p, bool busy)
{
    double now = clock_monotonic();
    if (busy)
        p->last_traffic = now;
    (void)pthread_mutex_lock(&p->lock);
    bool waiting = p->idle && !p->got_stop;
    bool mail = p->n_reports > 0 || p->n_sealed > 0 || p->finish || p->low ||
                p->idle != p->told_idle;
    double beat =
        beat_after(now - p->last_traffic, waiting ? &while_idle : &while_computing);
    if (!mail) {
        struct timespec until;
        after(beat, &until);
        (void)pthread_cond_timedwait(&p->to_pulse, &p->lock, &until);
    }
    (void)pthread_mutex_unlock(&p->lock);
}

static void *pulse_main(void *arg)
{
    struct pulse *p = arg;
    for (;;) {
        bool finish;
        bool busy = take_mail(p, &finish); /* an answer may come soon */
        busy |= dispatch_step(p->dispatch);
        busy |= step_watch(p);
        spread_stop(p);
        if (p->rank == 0)
            busy |= run_farm(p);
        bool said = dispatch_said_all(p->dispatch);
        if (finish && p->got_stop && (said || is_late(p)))
            return NULL;
        rest(p, busy);
    }
}

static void destroy(struct pulse *p)
{
    (void)pthread_cond_destroy(&p->to_compute);
    (void)pthread_cond_destroy(&p->to_pulse);
    (void)pthread_mutex_destroy(&p->lock);
    watch_free(p->watch);
    dispatch_free(p->dispatch);
    free(p->hosts);
    free(p->work_members);
    free(p->reports);
    free(p->sealed);
    free(p);
}

static void make_parts(struct pulse *p, const struct pulse_setup *s)
{
    p->hosts = xcalloc((size_t)p->n_ranks, sizeof(*p->hosts));
    for (int r = 0; r < p->n_ranks; r++)
        p->hosts[r] = s->seats[r].host;
    struct farm_setup farm = {.spec = s->spec,
                              .seats = s->seats,
                              .n_ranks = (unsigned)p->n_ranks,
                              .n_hosts = s->n_hosts,
                              .past = s->past};
    p->dispatch = dispatch_make(&(struct dispatch_setup){.mpi = s->mpi,
                                                         .board = s->board,
                                                         .hosts = p->hosts,
                                                         .farm = &farm,
                                                         .ctx = p,
                                                         .deliver = deliver,
                                                         .stop = take_stop,
                                                         .word = take_word,
                                                         .seal = seal});
    p->farm = dispatch_farm(p->dispatch);
    for (size_t i = 0; p->farm != NULL && i < s->n_crashes; i++)
        farm_crashed_before(p->farm, s->crashes[i].stage, s->crashes[i].task);
    p->watch = watch_make(&(struct watch_setup){.rank = (unsigned)p->rank,
                                                .n_ranks = (unsigned)p->n_ranks,
                                                .n_hosts = s->n_hosts,
                                                .hosts = p->hosts,
                                                .board = s->board,
                                                .send = send_word,
                                                .ctx = p},
                          clock_monotonic());
}

int pulse_start(const struct pulse_setup *setup, struct pulse **ret, struct gm_error *err)
{
    struct pulse *p = xcalloc(1, sizeof(*p));
    p->hooks = setup->hooks;
    p->board = setup->board;
    p->spec = setup->spec;
    p->deadline = setup->deadline;
    p->last_traffic = clock_monotonic();
    (void)MPI_Comm_rank(setup->mpi, &p->rank);
    (void)MPI_Comm_size(setup->mpi, &p->n_ranks);
    make_parts(p, setup);
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->to_compute, &attr);
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

static int take_work_locked(struct pulse *p, struct farm_assign *ret)
{
    if (!p->has_work)
        return 0;
    p->has_work = false;
    *ret = p->work;
    ret->members = p->work_members;
    return 1;
}

int pulse_look(struct pulse *p, struct farm_assign *ret)
{
    (void)pthread_mutex_lock(&p->lock);
    int got = take_work_locked(p, ret);
    (void)pthread_mutex_unlock(&p->lock);
    return got;
}

int pulse_wait(struct pulse *p, uint64_t version, struct farm_assign *ret)
{
    double nap = FIRST_NAP;
    (void)pthread_mutex_lock(&p->lock);
    if (!p->has_work) {
        p->idle = true;
        p->idle_says++;
        (void)pthread_cond_signal(&p->to_pulse);
    }
    while (!p->has_work && board_version(p->board) == version) {
        struct timespec until;
        after(nap, &until);
        (void)pthread_cond_timedwait(&p->to_compute, &p->lock, &until);
        nap = 1.5 * nap < LONGEST_NAP ? 1.5 * nap : LONGEST_NAP;
    }
    int got = take_work_locked(p, ret);
    (void)pthread_mutex_unlock(&p->lock);
    return got;
}

void pulse_busy(struct pulse *p)
{
    uint64_t version = board_version(p->board);
    bool low = version != p->low_version && board_low(p->board);
    if (low)
        p->low_version = version;
    (void)pthread_mutex_lock(&p->lock);
    bool news = p->idle || low;
    p->idle = false;
    p->low |= low;
    if (news)
        (void)pthread_cond_signal(&p->to_pulse);
    (void)pthread_mutex_unlock(&p->lock);
}

void pulse_sealed(struct pulse *p, unsigned rank, const struct losses_crash *crash)
{
    struct sealed s = {.rank = rank, .stage = UINT32_MAX};
    if (crash != NULL && crash->stage < p->spec->n_stages &&
        crash->task < p->spec->stages[crash->stage].n_tasks)
        s = (struct sealed){rank, crash->stage, crash->task};
    (void)pthread_mutex_lock(&p->lock);
    p->sealed = xrealloc(p->sealed, p->n_sealed + 1, sizeof(*p->sealed));
    p->sealed[p->n_sealed++] = s;
    (void)pthread_cond_signal(&p->to_pulse);
    (void)pthread_mutex_unlock(&p->lock);
}

const struct watch *pulse_watch(const struct pulse *p)
{
    return p->watch;
}

void pulse_report(struct pulse *p, const struct farm_report *r)
{
    (void)pthread_mutex_lock(&p->lock);
    struct farm_report *last = p->n_reports > 0 ? &p->reports[p->n_reports - 1] : NULL;
    if (last != NULL && last->stage == r->stage && last->outcome == r->outcome &&
        last->attempts == 0 && r->attempts == 0 &&
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
    return atomic_load_explicit(&p->stop, memory_order_relaxed) != PULSE_GO ||
           p->hooks.must_stop(p->hooks.ctx) != PULSE_GO;
}

bool pulse_pressing(void *pulse)
{
    struct pulse *p = pulse;
    int stop = atomic_load_explicit(&p->stop, memory_order_acquire);
    return stop == PULSE_END ||
           (stop == PULSE_DRAIN && (clock_monotonic() >= p->press_at ||
                                    p->hooks.must_stop(p->hooks.ctx) == PULSE_END));
}

void pulse_give_up(struct pulse *p)
{
    (void)pthread_mutex_lock(&p->lock);
    p->gave_up = true;
    (void)pthread_cond_signal(&p->to_pulse);
    (void)pthread_mutex_unlock(&p->lock);
}

/* Nobody waits for this rank, or will tell it that others are lost. */
static bool is_alone(const struct pulse *p)
{
    return watch_outcast(p->watch) || watch_root_lost(p->watch);
}

bool pulse_lost(void *pulse, unsigned rank)
{
    const struct pulse *p = pulse;
    return watch_lost(p->watch, rank) || (is_alone(p) && rank != (unsigned)p->rank);
}

unsigned pulse_n_lost(void *pulse)
{
    const struct pulse *p = pulse;
    return watch_n_lost(p->watch) + is_alone(p);
}

void pulse_over(struct pulse *p, struct farm_counts *ret_counts, bool *ret_complete)
{
    (void)pthread_mutex_lock(&p->lock);
    *ret_counts = p->counts;
    *ret_complete = p->complete;
    (void)pthread_mutex_unlock(&p->lock);
}

void pulse_drop(struct pulse *p)
{
    (void)pthread_mutex_lock(&p->lock);
    p->never_began = true;
    (void)pthread_mutex_unlock(&p->lock);
    pulse_finish(p);
}

void pulse_finish(struct pulse *p)
{
    (void)pthread_mutex_lock(&p->lock);
    p->finish = true;
    (void)pthread_cond_signal(&p->to_pulse);
    (void)pthread_mutex_unlock(&p->lock);
    (void)pthread_join(p->thread, NULL);
    destroy(p);
}
