/* See exec.h. Invariant: a child is reaped after its group was killed, so that no signal
 * of ours can reach a group that took over its number. A grandchild that left the group
 * may hold the pipes open after the child is gone: then what has come is taken. */
#include "exec.h"
#include "base/clock.h"
#include "peak.h"
#include "topo/bind.h"
#include <fcntl.h>
#include <math.h>
#include <stdatomic.h>
#include <sys/resource.h>

static const double GRACE = 2.0;                     /* s between SIGTERM and SIGKILL */
static const double BEAT = 20e-3;                    /* s between looks at the clock */
static const double FIRST_LOOK = 10e-3, LOOKS = 1.0; /* s: at memory */
static const double SHORT_NAP = 20e-6, LONG_NAP = 5e-3;
static const uint64_t BLUR = 4 << 20; /* bytes: Linux counts a process's pages in parts */
/* A pipe takes 64 KiB without us. So a young child's end alone is waited for: a short
 * command costs one wake instead of three. */
static const double YOUNG = 2e-3;

static void close_end(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static int make_pipes(int out[2], int errors[2], struct gm_error *err)
{
    int rc = proc_pipe(out, err);
    if (rc < 0)
        return rc;
    rc = proc_pipe(errors, err);
    if (rc < 0) {
        close_end(&out[0]);
        close_end(&out[1]);
    }
    return rc;
}

static uint64_t own_peak(void)
{
    struct rusage use;
    return getrusage(RUSAGE_SELF, &use) == 0 ? (uint64_t)use.ru_maxrss * 1024 : 0;
}

int exec_start(const struct exec_spec *spec,
               struct exec_child *c,
               struct exec_end *ret,
               struct gm_error *err)
{
    int out[2], errors[2];
    *ret = (struct exec_end){.reason = RESULT_ERROR, .exit_code = -1};
    capture_init(&ret->out, spec->most_output, spec->spill);
    capture_init(&ret->err, spec->most_output, spec->spill);
    *c = (struct exec_child){.spec = spec,
                             .end = ret,
                             .pidfd = -1,
                             .start = clock_monotonic(),
                             .nap = SHORT_NAP};
    c->next_look = c->start + FIRST_LOOK;
    int rc = make_pipes(out, errors, err);
    if (rc < 0)
        return rc;
    struct proc_spec child = {.argv = spec->argv,
                              .env = spec->env,
                              .cwd = spec->cwd,
                              .in = spec->in,
                              .out = out[1],
                              .err = errors[1],
                              .ends_with_us = true,
                              .confined = true,
                              .cpus = spec->cpus,
                              .limits = spec->limits,
                              .n_limits = spec->n_limits,
                              .changed = spec->changed,
                              .mark = spec->mark,
                              .ret_pidfd = &c->pidfd};
    rc = proc_spawn(&child, &c->pid, err);
    close_end(&out[1]);
    close_end(&errors[1]);
    c->pipes[0] = out[0];
    c->pipes[1] = errors[0];
    for (int i = 0; i < 2; i++) {
        if (rc < 0)
            close_end(&c->pipes[i]);
        else
            (void)fcntl(c->pipes[i], F_SETFL, O_NONBLOCK);
    }
    if (rc == 0)
        c->ours = own_peak();
    if (rc == 0 && spec->look)
        (void)bind_read(c->pid, &ret->seen, NULL);
    return rc;
}

/* Seconds until it wants attention although nothing came from it. */
static double patience(const struct exec_child *c, double now)
{
    double s = BEAT;
    if (c->pidfd >= 0 && now - c->start < YOUNG)
        s = fmin(s, c->start + YOUNG - now);
    if (c->spec->timeout > 0 && c->term_at <= 0)
        s = fmin(s, fmax(c->start + c->spec->timeout - now, 0));
    if (c->pidfd < 0 && c->pipes[0] < 0 && c->pipes[1] < 0)
        s = fmin(s, c->nap);
    return s;
}

/* Its descriptors to wait for; how many. */
static unsigned list(const struct exec_child *c, double now, struct pollfd *fds)
{
    unsigned n = 0;
    bool young = c->pidfd >= 0 && now - c->start < YOUNG;
    if (c->pidfd >= 0)
        fds[n++] = (struct pollfd){.fd = c->pidfd, .events = POLLIN};
    for (unsigned k = 0; k < 2 && !young; k++) {
        if (c->pipes[k] >= 0)
            fds[n++] = (struct pollfd){.fd = c->pipes[k], .events = POLLIN};
    }
    return n;
}

void exec_wait(struct exec_child *const *children, unsigned n, struct pollfd *fds)
{
    double now = clock_monotonic(), longest = BEAT;
    nfds_t n_fds = 0, at = 0;
    for (unsigned i = 0; i < n; i++) {
        longest = fmin(longest, patience(children[i], now));
        n_fds += children[i]->n_polled = list(children[i], now, fds + n_fds);
    }
    struct timespec most = {.tv_nsec = (long)(longest * 1e9)};
    int came = ppoll(fds, n_fds, &most, NULL);
    for (unsigned i = 0; i < n; i++) {
        struct exec_child *c = children[i];
        c->over = c->pidfd < 0;
        c->spoke = false;
        for (nfds_t end = at + c->n_polled; at < end; at++) {
            bool ready = came > 0 && fds[at].revents != 0;
            c->over |= ready && fds[at].fd == c->pidfd;
            c->spoke |= ready && fds[at].fd != c->pidfd;
        }
    }
}

/* Signals that are due now: at a stop, at the timeout, and after the grace. */
static void press(struct exec_child *c, double now)
{
    const struct exec_spec *spec = c->spec;
    if (c->term_at <= 0) {
        c->timed_out = spec->timeout > 0 && now - c->start >= spec->timeout;
        c->stopped = !c->timed_out && spec->stop != NULL && spec->stop(spec->stop_ctx);
        if (!c->timed_out && !c->stopped)
            return;
        proc_signal_group(c->pid, SIGTERM);
        c->term_at = now;
    } else if (!c->killed && now - c->term_at >= GRACE) {
        proc_signal_group(c->pid, SIGKILL);
        c->killed = true;
    }
}

static void look(struct exec_child *c, double now)
{
    if (now < c->next_look)
        return;
    uint64_t seen = peak_of(c->pid);
    c->largest = seen > c->largest ? seen : c->largest;
    c->next_look = now + fmin(LOOKS, now - c->start);
}

static void drain(struct exec_child *c)
{
    struct capture *into[2] = {&c->end->out, &c->end->err};
    for (int i = 0; i < 2; i++) {
        if (c->pipes[i] >= 0 && capture_drain(into[i], c->pipes[i]))
            close_end(&c->pipes[i]);
    }
}

static void finish(struct exec_child *c)
{
    struct exec_end *end = c->end;
    struct proc_end how = {.status = -1};
    proc_signal_group(c->pid, SIGKILL); /* whatever is left of the group */
    if (c->spec->mark != NULL)
        atomic_store(c->spec->mark, 0);
    (void)proc_reap(c->pid, true, &how);
    drain(c);
    close_end(&c->pipes[0]);
    close_end(&c->pipes[1]);
    close_end(&c->pidfd);
    end->exit_code = how.status;
    end->signal = how.signal;
    end->user_s = how.user_s;
    end->system_s = how.system_s;
    end->read_bytes = how.read_bytes;
    end->written_bytes = how.written_bytes;
    uint64_t told = (uint64_t)how.max_rss;
    end->max_rss = told > c->ours + BLUR ? told : c->largest;
    end->reason = c->timed_out      ? RESULT_TIMEOUT
                  : how.signal != 0 ? RESULT_SIGNAL
                  : how.status != 0 ? RESULT_EXIT
                                    : RESULT_OK;
}

bool exec_attend(struct exec_child *c)
{
    double now = clock_monotonic();
    if (c->over && (c->pidfd >= 0 || proc_ended(c->pid))) {
        finish(c);
        return true;
    }
    if (c->spoke)
        drain(c);
    if (c->pidfd < 0 && c->pipes[0] < 0 && c->pipes[1] < 0)
        c->nap = fmin(2 * c->nap, LONG_NAP); /* it closed both, or is just ending */
    look(c, now);
    press(c, now);
    return false;
}

int exec_run(const struct exec_spec *spec, struct exec_end *ret, struct gm_error *err)
{
    struct exec_child child, *all = &child;
    struct pollfd fds[3];
    int rc = exec_start(spec, &child, ret, err);
    if (rc < 0)
        return rc;
    do
        exec_wait(&all, 1, fds);
    while (!exec_attend(&child));
    return child.stopped ? gm_fail(err, -ECANCELED, "asked to stop") : 0;
}

void exec_end_free(struct exec_end *e)
{
    capture_free(&e->out);
    capture_free(&e->err);
    idset_free(e->seen);
}
