/* See proc.h. The child is a vfork (clone with CLONE_VM): its price does not grow with
 * our heap. Invariant: until exec it runs in our memory on a stack of its own, so it
 * makes system calls and writes into `struct start`, nothing else; signals are blocked
 * until no handler of ours is left in it. */
#include "proc.h"
#include "auto.h"
#include "mark.h"
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000 /* older kernels pass over it */
#endif

#ifdef __SANITIZE_THREAD__ /* it takes clone for a fork, and resets its state: ours */
int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
#define clone __clone
#endif

enum { CHILD_STACK = 32 << 10 };

struct start {
    const struct proc_spec *spec;
    char *const *env;
    const char *path; /* where argv[0] is searched; NULL: it is a path itself */
    const sigset_t *changed;
    pid_t parent;
    uint32_t began; /* mark_now */
    bool failed;
    int code;         /* errno of what failed */
    const char *what; /* which step; NULL: exec */
};

/* The child's side of memory errors would be told as ours. */
#define IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined")))

/* Out of the way of the others' numbers. */
IN_CHILD static int aside(int fd, int as)
{
    return fd >= 0 && fd <= STDERR_FILENO && fd != as
               ? fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
               : fd;
}

IN_CHILD static int stream(int fd, int as)
{
    int mode = as == STDIN_FILENO ? O_RDONLY : O_WRONLY;
    int from = fd >= 0 ? fd : open("/dev/null", mode | O_CLOEXEC);
    if (from < 0)
        return -1;
    return from == as ? fcntl(as, F_SETFD, 0) : dup2(from, as);
}

IN_CHILD static int streams(const struct proc_spec *spec)
{
    int asked[] = {spec->in, spec->out, spec->err}, from[3];
    for (int i = 0; i < 3; i++) {
        from[i] = aside(asked[i], i);
        if (from[i] < 0 && asked[i] >= 0)
            return -1;
    }
    for (int i = 0; i < 3; i++) {
        if (stream(from[i], i) < 0)
            return -1;
    }
    return 0;
}

IN_CHILD static int limit(const struct proc_limit *l)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)l->resource, &now) != 0)
        return -1;
    rlim_t most = l->most < now.rlim_max ? (rlim_t)l->most : now.rlim_max;
    /* The soft one of CPU time warns (SIGXCPU) before the hard one kills. */
    bool warns = l->resource == RLIMIT_CPU && most < now.rlim_max;
    rlim_t hard = l->soft ? now.rlim_max : warns ? most + 1 : most;
    now = (struct rlimit){.rlim_cur = most, .rlim_max = hard};
    return setrlimit((__rlimit_resource_t)l->resource, &now);
}

IN_CHILD static void reset_signals(const sigset_t *changed)
{
    /* The kernel's struct, SIG_DFL; a sanitizer's sigaction would take it for ours. */
    static const unsigned char standard[64];
    for (int n = 1; n < NSIG; n++) {
        if (sigismember(changed, n) == 1)
            (void)syscall(SYS_rt_sigaction, n, standard, NULL, NSIG / 8);
    }
}

/* What failed, or NULL. */
IN_CHILD static const char *dress(const struct start *s)
{
    const struct proc_spec *spec = s->spec;
    const struct idset *cpus = spec->cpus;
    if (setpgid(0, 0) != 0)
        return "setpgid";
    if (spec->mark != NULL)
        atomic_store(spec->mark, mark_make(getpid(), s->began));
    reset_signals(s->changed);
    if (spec->ends_with_us && prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return "parent's death";
    if (spec->ends_with_us && getppid() != s->parent)
        (void)syscall(SYS_exit_group, 127); /* it is gone already */
    if (cpus != NULL && sched_setaffinity(0,
                                          cpus->n_words * sizeof(*cpus->words),
                                          (const cpu_set_t *)cpus->words) != 0)
        return "affinity";
    if (streams(spec) < 0)
        return "standard streams";
    if (spec->confined && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return "no new privileges";
    if (spec->cwd != NULL && chdir(spec->cwd) != 0)
        return spec->cwd;
#ifdef SYS_close_range /* a library may have opened some without O_CLOEXEC */
    if (spec->confined)
        (void)syscall(SYS_close_range, STDERR_FILENO + 1, UINT_MAX, 0);
#endif
    for (unsigned i = 0; i < spec->n_limits; i++) {
        if (limit(&spec->limits[i]) != 0)
            return "limits";
    }
    sigset_t none;
    (void)sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL) != 0 ? "signal mask" : NULL;
}

/* As execvp, without its shell for what is no program. */
IN_CHILD static int run_program(const struct start *s)
{
    char *const *argv = (char *const *)s->spec->argv;
    char file[PATH_MAX];
    size_t name = strlen(argv[0]);
    int code = ENOENT;
    if (s->path == NULL) {
        (void)execve(argv[0], argv, s->env);
        return errno;
    }
    for (const char *p = s->path;; p++) {
        size_t n = strcspn(p, ":");
        if (n + name + 2 <= sizeof(file)) {
            memcpy(file, p, n);
            file[n] = '/';
            memcpy(file + n + (n > 0), argv[0], name + 1); /* "": the working folder */
            (void)execve(file, argv, s->env);
            if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
                return errno;
            code = errno == EACCES ? EACCES : code;
        }
        p += n;
        if (*p == '\0')
            return code;
    }
}

IN_CHILD static int child_main(void *arg)
{
    struct start *s = arg;
    s->what = dress(s);
    s->code = s->what != NULL ? errno : run_program(s);
    s->failed = true;
    (void)syscall(SYS_exit_group, 127);
    return 127;
}

static const char *search_path(char *const *env)
{
    for (size_t i = 0; env[i] != NULL; i++) {
        if (strncmp(env[i], "PATH=", 5) == 0)
            return env[i] + 5;
    }
    const char *ours = getenv("PATH");
    return ours != NULL ? ours : "/bin:/usr/bin";
}

void proc_changed_signals(sigset_t *ret)
{
    struct sigaction now;
    (void)sigemptyset(ret);
    for (int n = 1; n < NSIG; n++) {
        if (sigaction(n, NULL, &now) == 0 && now.sa_handler != SIG_DFL)
            (void)sigaddset(ret, n);
    }
}

/* Who started us may have us ignore the end of children: then the kernel reaps them, and
 * nobody learns how they ended. */
static void see_ends(void)
{
    struct sigaction now;
    if (sigaction(SIGCHLD, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
        (void)signal(SIGCHLD, SIG_DFL);
}

/* The clone itself: we go on once the child has exec'ed or is gone. */
static pid_t start_child(struct start *s, int *ret_pidfd)
{
    _Alignas(16) char stack[CHILD_STACK];
    sigset_t all, before;
    int flags = CLONE_VM | CLONE_VFORK | SIGCHLD | (ret_pidfd != NULL ? CLONE_PIDFD : 0);
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = clone(child_main, stack + sizeof(stack), flags, s, ret_pidfd);
    int code = errno;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    errno = code;
    return pid;
}

static int say_failure(const struct start *s, struct gm_error *err)
{
    const char *name = s->spec->argv[0], *why = strerror(s->code);
    if (s->what == NULL || s->what == s->spec->cwd)
        return gm_fail(err, -s->code, "%s: %s", s->what == NULL ? name : s->what, why);
    return gm_fail(err, -s->code, "%s: %s: %s", name, s->what, why);
}

int proc_spawn(const struct proc_spec *spec, pid_t *ret, struct gm_error *err)
{
    sigset_t changed;
    int pidfd = -1;
    struct start s = {.spec = spec,
                      .env = spec->env != NULL ? (char *const *)spec->env : environ,
                      .changed = spec->changed,
                      .parent = getpid()};
    if (s.changed == NULL) {
        proc_changed_signals(&changed);
        s.changed = &changed;
    }
    if (strchr(spec->argv[0], '/') == NULL)
        s.path = search_path(s.env);
    if (spec->mark != NULL)
        s.began = mark_now();
    if (sigismember(s.changed, SIGCHLD) == 1)
        see_ends();
    pid_t pid = start_child(&s, spec->ret_pidfd != NULL ? &pidfd : NULL);
    if (pid < 0)
        return gm_fail(err, -errno, "%s: %s", spec->argv[0], strerror(errno));
    if (s.failed) {
        if (spec->mark != NULL)
            atomic_store(spec->mark, 0);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        if (pidfd >= 0)
            (void)close(pidfd);
        return say_failure(&s, err);
    }
    *ret = pid;
    if (spec->ret_pidfd != NULL)
        *spec->ret_pidfd = pidfd;
    return 0;
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

int proc_reap(pid_t pid, bool block, struct proc_end *ret)
{
    int status;
    struct rusage use;
    pid_t got;
    do
        got = wait4(pid, &status, block ? 0 : WNOHANG, &use);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    if (got == 0)
        return 0;
    *ret = (struct proc_end){
        .status = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
        .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
        .user_s = seconds(use.ru_utime),
        .system_s = seconds(use.ru_stime),
        .max_rss = use.ru_maxrss * 1024L,
        .read_bytes = (uint64_t)use.ru_inblock * 512,
        .written_bytes = (uint64_t)use.ru_oublock * 512,
    };
    return 1;
}

bool proc_ended(pid_t pid)
{
    siginfo_t info = {0};
    int rc;
    do
        rc = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
    while (rc != 0 && errno == EINTR);
    return rc != 0 || info.si_pid == pid;
}

void proc_signal_group(pid_t pid, int signal)
{
    if (pid > 0)
        (void)kill(-pid, signal);
}

int proc_pipe(int ret[2], struct gm_error *err)
{
    if (pipe2(ret, O_CLOEXEC) != 0)
        return gm_fail(err, -errno, "pipe: %s", strerror(errno));
    return 0;
}
