/* See exec.h. One loop polls both pipes, the clock and the child. A grandchild may hold
 * the pipes open after the child is gone: then what has come is taken and the group is
 * ended. */
#include "exec.h"
#include "base/clock.h"
#include "base/proc.h"
#include "topo/bind.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

static const double GRACE = 2.0; /* s between SIGTERM and SIGKILL */
enum { POLL_MS = 20 };

struct running {
    pid_t pid;
    int pipes[2];          /* read ends of stdout and stderr; -1 once at their end */
    double start, term_at; /* term_at: when SIGTERM was sent, 0 before */
    bool killed, timed_out, stopped;
};

/* Takes what is there; past `most` bytes a marker stands once and the rest is dropped. */
static void drain(int *fd, struct str *into, size_t most)
{
    static const char marker[] = "\n[gridmill: output cut here]\n";
    char buf[65536];
    for (;;) {
        ssize_t n = read(*fd, buf, sizeof(buf));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            (void)close(*fd);
            *fd = -1;
            return;
        }
        if (into->len >= most)
            continue;
        size_t room = most - into->len;
        str_add_n(into, buf, (size_t)n < room ? (size_t)n : room);
        if ((size_t)n > room)
            str_add(into, marker);
    }
}

static int start(const struct exec_spec *spec, struct running *r, struct gm_error *err)
{
    int out[2], errors[2];
    int rc = proc_pipe(out, err);
    if (rc < 0)
        return rc;
    rc = proc_pipe(errors, err);
    if (rc < 0) {
        (void)close(out[0]);
        (void)close(out[1]);
        return rc;
    }
    struct proc_spec child = {.argv = spec->argv,
                              .env = spec->env,
                              .cwd = spec->cwd,
                              .in = -1,
                              .out = out[1],
                              .err = errors[1]};
    rc = proc_spawn(&child, &r->pid, err);
    (void)close(out[1]);
    (void)close(errors[1]);
    r->pipes[0] = out[0];
    r->pipes[1] = errors[0];
    for (int i = 0; i < 2; i++) {
        if (rc < 0)
            (void)close(r->pipes[i]);
        else
            (void)fcntl(r->pipes[i], F_SETFL, O_NONBLOCK);
    }
    return rc;
}

/* Signals that are due now: at a stop, at the timeout, and after the grace. */
static void press(const struct exec_spec *spec, struct running *r)
{
    double now = clock_monotonic();
    if (r->term_at <= 0) {
        r->timed_out = spec->timeout > 0 && now - r->start >= spec->timeout;
        r->stopped = !r->timed_out && spec->stop != NULL && spec->stop(spec->stop_ctx);
        if (!r->timed_out && !r->stopped)
            return;
        proc_signal_group(r->pid, SIGTERM);
        r->term_at = now;
    } else if (!r->killed && now - r->term_at >= GRACE) {
        proc_signal_group(r->pid, SIGKILL);
        r->killed = true;
    }
}

static void attend(const struct exec_spec *spec,
                   struct running *r,
                   struct exec_end *ret,
                   struct proc_end *end)
{
    double nap = 20e-6;
    for (bool ended = false; !ended;) {
        struct pollfd fds[2] = {{.fd = r->pipes[0], .events = POLLIN},
                                {.fd = r->pipes[1], .events = POLLIN}};
        bool open = r->pipes[0] >= 0 || r->pipes[1] >= 0;
        int timeout = POLL_MS;
        if (spec->timeout > 0 && spec->timeout < 1e-3 * POLL_MS)
            timeout = 1;
        if (open)
            (void)poll(fds, 2, timeout);
        if (r->pipes[0] >= 0)
            drain(&r->pipes[0], &ret->out, spec->most_output);
        if (r->pipes[1] >= 0)
            drain(&r->pipes[1], &ret->err, spec->most_output);
        ended = proc_reap(r->pid, false, end) != 0;
        if (!ended && !open) { /* it closed both, or is just ending */
            clock_sleep(nap);
            nap = nap < 5e-3 ? 2 * nap : nap;
        }
        if (!ended)
            press(spec, r);
    }
}

int exec_run(const struct exec_spec *spec, struct exec_end *ret, struct gm_error *err)
{
    struct running r = {.pid = -1, .start = clock_monotonic()};
    struct proc_end end = {0};
    *ret = (struct exec_end){.reason = RESULT_ERROR, .exit_code = -1};
    int rc = start(spec, &r, err);
    if (rc < 0)
        return rc;
    (void)bind_read(r.pid, &ret->seen, NULL);
    attend(spec, &r, ret, &end);
    proc_signal_group(r.pid, SIGKILL); /* whatever is left of the group */
    for (int i = 0; i < 2; i++) {
        if (r.pipes[i] < 0)
            continue;
        drain(&r.pipes[i], i == 0 ? &ret->out : &ret->err, spec->most_output);
        if (r.pipes[i] >= 0)
            (void)close(r.pipes[i]);
    }
    ret->exit_code = end.status;
    ret->signal = end.signal;
    ret->user_s = end.user_s;
    ret->system_s = end.system_s;
    ret->max_rss = (uint64_t)end.max_rss;
    ret->reason = r.timed_out       ? RESULT_TIMEOUT
                  : end.signal != 0 ? RESULT_SIGNAL
                  : end.status != 0 ? RESULT_EXIT
                                    : RESULT_OK;
    return r.stopped ? gm_fail(err, -ECANCELED, "asked to stop") : 0;
}

void exec_end_free(struct exec_end *e)
{
    str_free(&e->out);
    str_free(&e->err);
    idset_free(e->seen);
}
