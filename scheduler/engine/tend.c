/* See tend.h. Invariant: once the launcher has ended, no process of it is left on this
 * host. */
#include "tend.h"
#include "base/clock.h"
#include "stop.h"
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

/* Seconds that ranks have beyond their grace, and then to die, before the next, harder
 * step. */
static const double drain_limit = 5, term_limit = 10;
/* Seconds from the ranks' last word to the launcher's end that are no hang; a launcher
 * that has lost a host never ends by itself (mpirun 4). */
static const double end_limit = 60, lost_limit = 3;
/* Rank 0 speaks ten times a second while tasks run. A rank that was stopped for 10 s
 * comes back; one that is silent for so long is behind a cut link, or gone. */
static const double silence_limit = 15;
/* mpirun 4 with --enable-recovery may stay when all ranks died in MPI_Init. */
static const double desert_limit = 5;
static const double look_every = 1;
/* When we did not run ourselves for so long, silence is not the ranks'. */
static const double own_sleep = 2;

enum step {
    RUNNING,
    DRAINING,    /* SIGUSR1: ranks commit what they have */
    TERMINATING, /* SIGTERM: the launcher ends them */
    KILLED
};

struct launch {
    struct tend *t;
    struct child *child;
    enum step step;
    double step_limit; /* clock_monotonic when the next step is due */
    unsigned heard;    /* requests to stop that made a step; the clock makes them, too */
    double looked;     /* clock_monotonic of the last look */
    double slept;      /* s that do not count as silence since the last word */
    double word;       /* relay->heard_at of it */
    double began;      /* clock_monotonic, later by what we slept */
    double family;     /* clock_monotonic when the launcher last had ranks under it */
    double asked;      /* clock_monotonic of the last question for rank 0's loss */
    bool bereft;       /* it was noted then */
};

bool tend_lost(const struct relay *r)
{
    return r->ended && strcmp(r->last.outcome, "lost") == 0;
}

/* After a loss ranks leave without MPI_Finalize, all at once. */
static double patience_after(const struct relay *r)
{
    return tend_lost(r) || r->last.lost > 0 ? lost_limit : end_limit;
}

/* Reads what is there; closes the descriptor at its end. */
static void
drain(int *fd, struct relay *relay, void (*take)(struct relay *, const char *, size_t))
{
    char buf[16384];
    while (*fd >= 0) {
        ssize_t n = read(*fd, buf, sizeof(buf));
        if (n > 0) {
            take(relay, buf, (size_t)n);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            (void)close(*fd);
            *fd = -1;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

static void set_step(struct launch *l, enum step step, double limit)
{
    l->step = step;
    l->step_limit = clock_monotonic() + limit;
}

/* Before the ranks are up nobody listens to SIGUSR1 (it would kill them, and mpirun too).
 */
static void begin_stop(struct launch *l, const char *why)
{
    struct tend *t = l->t;
    if (t->why == NULL)
        t->why = why;
    bool listens = t->relay->started;
    child_signal(l->child, listens ? SIGUSR1 : SIGTERM);
    set_step(l,
             listens ? DRAINING : TERMINATING,
             listens ? t->grace + drain_limit : term_limit);
    t->stopping(t->ctx, t->why);
}

static void terminate(struct launch *l)
{
    child_signal(l->child, SIGTERM);
    const struct relay *r = l->t->relay;
    bool lost = l->t->silent || l->t->noted || l->t->deserted || l->t->stuck ||
                (r->ended && patience_after(r) < end_limit);
    set_step(l, TERMINATING, lost ? lost_limit : term_limit);
}

/* Ranks that compute, and rank 0 is not heard of. */
static bool is_silent(struct launch *l, double now)
{
    const struct relay *r = l->t->relay;
    const struct wire *w = &r->last;
    bool computes = r->started && !r->ended && w->kind != WIRE_PACKING &&
                    w->done + w->failed + w->skipped < w->total;
    if (r->heard_at > l->word) {
        l->word = r->heard_at;
        l->slept = 0;
    }
    return l->t->several && computes && now - r->heard_at - l->slept > silence_limit;
}

/* Ranks, or the launcher itself, that hang at their start. */
static bool is_stuck(const struct launch *l, double now)
{
    const struct relay *r = l->t->relay;
    return !r->started && !r->ended && now - l->began > l->t->start;
}

/* Rank 0's loss was noted a second ago, and the ranks have not said so: those that are
 * left are on other hosts, and wait for a word from it. */
static bool is_bereft(struct launch *l, double now)
{
    const struct relay *r = l->t->relay;
    bool before = l->bereft;
    if (!l->t->several || !r->started || r->ended || now - l->asked < look_every)
        return false;
    l->asked = now;
    l->bereft = l->t->bereft(l->t->ctx);
    return before && l->bereft;
}

/* No rank is left under the launcher. */
static bool is_deserted(struct launch *l, double now)
{
    if (!l->t->parent || l->t->relay->ended || child_has_family(l->child))
        l->family = now;
    return now - l->family > desert_limit;
}

/* What did not run for a while were we ourselves, with the whole machine. */
static void mind_sleep(struct launch *l, double now)
{
    if (now - l->looked > own_sleep) {
        l->slept += now - l->looked;
        l->began += now - l->looked;
    }
    l->looked = now;
}

/* Does the launch go on without us for ever? */
static bool is_over(struct launch *l, double now)
{
    struct tend *t = l->t;
    t->silent = is_silent(l, now);
    t->noted = is_bereft(l, now);
    t->deserted = is_deserted(l, now);
    t->stuck = is_stuck(l, now);
    return t->silent || t->noted || t->deserted || t->stuck;
}

/* Takes the next step towards the end when it is asked for or due. */
static void mind_stop(struct launch *l)
{
    struct tend *t = l->t;
    bool asked = stop_asked() > l->heard;
    double now = clock_monotonic();
    double patience = patience_after(t->relay);
    mind_sleep(l, now);
    bool hangs = t->relay->ended && now >= t->relay->ended_at + patience;
    switch (l->step) {
    case RUNNING:
        if (asked) {
            begin_stop(l, "stopped on request");
        } else if (now >= t->deadline && !t->relay->ended) {
            begin_stop(l, "the job's time is over");
        } else if (hangs) {
            terminate(l);
        } else if (is_over(l, now)) {
            terminate(l);
        }
        break;
    case DRAINING:
        if (asked || now >= l->step_limit)
            terminate(l);
        break;
    case TERMINATING:
        if (asked || now >= l->step_limit) {
            child_kill(l->child);
            set_step(l, KILLED, (double)INFINITY);
        }
        break;
    case KILLED:
        break;
    }
    l->heard += asked;
}

/* Sleeps until there is something to read, the launcher ends, a signal comes or a limit.
 */
static void await(const struct launch *l, const sigset_t *mask)
{
    const struct relay *r = l->t->relay;
    double patience = patience_after(r);
    double until = l->step != RUNNING ? l->step_limit
                   : r->ended         ? r->ended_at + patience
                                      : l->t->deadline;
    double left = until - clock_monotonic();
    bool blind = l->child->pidfd < 0; /* then the end is polled for */
    bool looks = l->t->several || l->t->parent || (!r->started && isfinite(l->t->start));
    double most = blind ? 0.05 : looks ? 0.5 * own_sleep : 3600;
    left = left < 0 ? 0 : left > most ? most : left;
    struct timespec t = {.tv_sec = (time_t)left,
                         .tv_nsec = (long)(1e9 * (left - floor(left)))};
    struct pollfd fds[] = {{.fd = l->child->out, .events = POLLIN},
                           {.fd = l->child->err, .events = POLLIN},
                           {.fd = l->child->pidfd, .events = POLLIN}};
    (void)ppoll(fds, 3, &t, mask);
}

static void take_all(struct launch *l)
{
    drain(&l->child->out, l->t->relay, relay_out);
    drain(&l->child->err, l->t->relay, relay_err);
}

static void loop(struct launch *l)
{
    /* Signals come in only while ppoll waits: none is lost between the look and the wait.
     */
    sigset_t stops, before;
    struct tend *t = l->t;
    (void)sigemptyset(&stops);
    (void)sigaddset(&stops, SIGINT);
    (void)sigaddset(&stops, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &stops, &before);
    bool family = false, told = false;
    while (!l->child->ended) {
        mind_stop(l);
        await(l, &before);
        take_all(l);
        if (t->relay->started && !family) {
            child_know_family(l->child);
            family = true;
        }
        if (t->relay->ended && !told) {
            t->ended(t->ctx);
            told = true;
        }
        child_poll(l->child);
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    take_all(l);
    relay_flush(t->relay);
    child_kill(l->child); /* ranks whose launcher was killed */
}

int tend_launch(struct tend *t,
                const struct launch_line *line,
                struct child *child,
                struct gm_error *err)
{
    double now = clock_monotonic();
    struct launch l = {
        .t = t, .child = child, .looked = now, .family = now, .began = now};
    int rc = child_start(line, t->env, child, err);
    if (rc == 0)
        loop(&l);
    return rc;
}
