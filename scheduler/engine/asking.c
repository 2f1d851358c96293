/* See asking.h. Invariant: children are killed only once all have ended or are to end:
 * the orphans of one cannot be told from those of another. */
#include "asking.h"
#include "base/clock.h"
#include "base/memory.h"
#include "engine.h"
#include "stop.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>

/* What an answer may be at most; more is read and dropped. */
enum { MOST_OUT = 256 << 20, MOST_ERR = 1 << 20 };

static void drain(int *fd, struct str *into, size_t most)
{
    char buf[65536];
    while (*fd >= 0) {
        ssize_t n = read(*fd, buf, sizeof(buf));
        if (n > 0) {
            if (into->len + (size_t)n <= most)
                str_add_n(into, buf, (size_t)n);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            (void)close(*fd);
            *fd = -1;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

static void start(struct asking *a)
{
    struct gm_error err = {0};
    a->started = child_start(a->line, NULL, &a->child, &err) == 0;
    if (!a->started)
        str_add(&a->err, err.text);
}

/* Reads what is there; whether it is over. */
static bool tend(struct asking *a)
{
    if (!a->started)
        return true;
    child_poll(&a->child);
    drain(&a->child.out, &a->out, MOST_OUT);
    drain(&a->child.err, &a->err, MOST_ERR);
    return a->child.ended;
}

static void await(const struct asking *all, unsigned n, double left)
{
    size_t n_fds = 3 * (size_t)n;
    AUTO_FREE(struct pollfd) fds = xcalloc(n_fds, sizeof(*fds));
    for (size_t i = 0; i < n; i++) {
        const struct child *c = &all[i].child;
        bool open = all[i].started && !c->ended;
        fds[3 * i] = (struct pollfd){.fd = open ? c->out : -1, .events = POLLIN};
        fds[3 * i + 1] = (struct pollfd){.fd = open ? c->err : -1, .events = POLLIN};
        fds[3 * i + 2] = (struct pollfd){.fd = open ? c->pidfd : -1, .events = POLLIN};
    }
    double most = 0.1; /* a stop on request is noticed so soon */
    (void)poll(fds, n_fds, (int)(1e3 * (left < most ? left : most)) + 1);
}

/* Launchers end what they started when they are asked; who does not is killed. */
static void end_all(struct asking *all, unsigned n)
{
    static const double patience = 2;
    bool open = false;
    for (unsigned i = 0; i < n; i++) {
        all[i].late = !tend(&all[i]);
        open = open || all[i].late;
        if (all[i].late)
            child_signal(&all[i].child, SIGTERM);
    }
    double until = clock_monotonic() + patience;
    while (open && clock_monotonic() < until) {
        open = false;
        for (unsigned i = 0; i < n; i++)
            open = !tend(&all[i]) || open;
        clock_sleep(open ? 0.01 : 0);
    }
    for (unsigned i = 0; i < n; i++) {
        if (all[i].started)
            child_kill(&all[i].child);
        (void)tend(&all[i]);
    }
}

static void on_signal(int number)
{
    (void)number;
    engine_stop();
}

/* Signals that would end this process end the wait instead, where nobody catches them:
 * the launchers are in groups of their own, and Ctrl-C does not reach them. */
static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
enum { N_ENDING = sizeof(ending) / sizeof(ending[0]) };

static void catch_ending(struct sigaction before[N_ENDING])
{
    struct sigaction ours = {.sa_handler = on_signal};
    (void)sigemptyset(&ours.sa_mask);
    for (int i = 0; i < N_ENDING; i++) {
        (void)sigaction(ending[i], NULL, &before[i]);
        if (before[i].sa_handler == SIG_DFL)
            (void)sigaction(ending[i], &ours, NULL);
    }
}

static void restore_ending(const struct sigaction before[N_ENDING])
{
    for (int i = 0; i < N_ENDING; i++)
        (void)sigaction(ending[i], &before[i], NULL);
}

int asking_run(struct asking *all, unsigned n, double limit, struct gm_error *err)
{
    struct sigaction before[N_ENDING];
    catch_ending(before);
    double until = clock_monotonic() + limit;
    bool stopped = false;
    for (unsigned i = 0; i < n; i++)
        start(&all[i]);
    for (bool open = true; open && !stopped;) {
        open = false;
        for (unsigned i = 0; i < n; i++)
            open = !tend(&all[i]) || open;
        double left = until - clock_monotonic();
        stopped = stop_asked() > 0;
        if (left <= 0)
            break;
        if (open && !stopped)
            await(all, n, left);
    }
    end_all(all, n);
    restore_ending(before);
    return stopped ? gm_fail(err, -ECANCELED, "stopped on request") : 0;
}

void asking_free(struct asking *a)
{
    if (a->started)
        child_close(&a->child);
    launch_line_free(a->line);
    str_free(&a->out);
    str_free(&a->err);
    *a = (struct asking){0};
}
