/* See apart.h. Invariant: the child touches nothing that is the parent's: it writes one
 * answer to its pipe and leaves by _exit, so buffers and open files of the parent stay as
 * they are. */
#include "apart.h"
#include "base/auto.h"
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct answer {
    int rc;
    uint64_t value;
    struct gm_error err;
};

static void limit(int what, rlim_t most)
{
    struct rlimit l = {.rlim_cur = most, .rlim_max = most};
    (void)setrlimit(what, &l);
}

_Noreturn static void child(const struct apart *what, int out)
{
    static const int fatal[] = {
        SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU, SIGTERM};
    for (unsigned i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
        (void)signal(fatal[i], SIG_DFL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0)
        (void)dup2(null, STDERR_FILENO);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, what->seconds);
    struct answer a = {0};
    a.rc = what->fn(what->what, &a.value, &a.err);
    ssize_t n = write(out, &a, sizeof(a));
    _exit(n == (ssize_t)sizeof(a) ? 0 : 1);
}

/* The whole answer, or false when the child ended before it gave one. */
static bool receive(int in, struct answer *ret)
{
    size_t got = 0;
    while (got < sizeof(*ret)) {
        ssize_t n = read(in, (char *)ret + got, sizeof(*ret) - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

static int died(const struct apart *a, int status, struct gm_error *err)
{
    bool hung = WIFSIGNALED(status) &&
                (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL);
    return gm_fail(err,
                   -EINVAL,
                   "%s: damaged: %s %s on it",
                   a->path,
                   a->library,
                   hung ? "hangs" : "crashes");
}

int apart_call(const struct apart *a, uint64_t *ret_value, struct gm_error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        int code = -errno;
        return gm_fail(err, code, "%s: %s", a->path, strerror(-code));
    }
    pid_t pid = fork();
    if (pid == 0)
        child(a, ends[1]);
    int code = pid < 0 ? -errno : 0;
    (void)close(ends[1]);
    struct answer answer;
    bool whole = pid > 0 && receive(ends[0], &answer);
    (void)close(ends[0]);
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (pid < 0)
        return gm_fail(err, code, "%s: %s", a->path, strerror(-code));
    if (!whole)
        return died(a, status, err);
    if (answer.rc != 0)
        return gm_fail(err, answer.rc, "%s", answer.err.text);
    *ret_value = answer.value;
    return 0;
}
