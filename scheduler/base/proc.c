/* See proc.h. posix_spawn is vfork underneath: its price does not grow with our heap. */
#include "proc.h"
#include "auto.h"
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int add_stream(posix_spawn_file_actions_t *actions, int fd, int as)
{
    if (fd < 0)
        return posix_spawn_file_actions_addopen(
            actions, as, "/dev/null", as == STDIN_FILENO ? O_RDONLY : O_WRONLY, 0);
    return posix_spawn_file_actions_adddup2(actions, fd, as);
}

static int set_attributes(posix_spawnattr_t *attr)
{
    sigset_t none, all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    int rc = posix_spawnattr_setflags(
        attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    if (rc == 0)
        rc = posix_spawnattr_setpgroup(attr, 0);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(attr, &all);
    if (rc == 0)
        rc = posix_spawnattr_setsigmask(attr, &none);
    return rc;
}

int proc_spawn(const struct proc_spec *spec, pid_t *ret, struct gm_error *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0)
        return gm_fail(err, -rc, "%s: %s", spec->argv[0], strerror(rc));
    rc = posix_spawnattr_init(&attr);
    if (rc == 0)
        rc = set_attributes(&attr);
    if (rc == 0)
        rc = add_stream(&actions, spec->in, STDIN_FILENO);
    if (rc == 0)
        rc = add_stream(&actions, spec->out, STDOUT_FILENO);
    if (rc == 0)
        rc = add_stream(&actions, spec->err, STDERR_FILENO);
    if (rc == 0 && spec->cwd != NULL)
        rc = posix_spawn_file_actions_addchdir_np(&actions, spec->cwd);
    pid_t pid = -1;
    if (rc == 0)
        rc = posix_spawnp(&pid,
                          spec->argv[0],
                          &actions,
                          &attr,
                          (char *const *)spec->argv,
                          spec->env != NULL ? (char *const *)spec->env : environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attr);
    if (rc != 0)
        return gm_fail(err, -rc, "%s: %s", spec->argv[0], strerror(rc));
    *ret = pid;
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
    };
    return 1;
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
