/* See capture.h. Invariant: the child is gone when this returns. */
#include "capture.h"
#include "base/auto.h"
#include "base/clock.h"
#include <poll.h>
#include <signal.h>

int capture_run(const char *const *argv,
                const char *const *env,
                double seconds,
                struct str *out,
                struct proc_end *ret,
                struct gm_error *err)
{
    int ends[2];
    int rc = proc_pipe(ends, err);
    if (rc != 0)
        return rc;
    AUTO_FD from = ends[0];
    pid_t pid;
    struct proc_spec spec = {
        .argv = argv, .env = env, .in = -1, .out = ends[1], .err = ends[1]};
    rc = proc_spawn(&spec, &pid, err);
    (void)close(ends[1]);
    if (rc != 0)
        return rc;
    double limit = clock_monotonic() + seconds;
    for (bool open = true; open;) {
        double left = limit - clock_monotonic();
        struct pollfd p = {.fd = from, .events = POLLIN};
        char buf[4096];
        if (left <= 0 || poll(&p, 1, (int)(left * 1e3) + 1) == 0) {
            proc_signal_group(pid, SIGKILL);
            rc = gm_fail(err, -ETIMEDOUT, "%s: no answer in %.0f s", argv[0], seconds);
            break;
        }
        ssize_t n = read(from, buf, sizeof(buf));
        if (n > 0)
            str_add_n(out, buf, (size_t)n);
        open = n > 0 || (n < 0 && errno == EINTR);
    }
    (void)proc_reap(pid, true, ret);
    return rc;
}
