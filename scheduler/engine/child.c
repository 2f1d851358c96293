/* See child.h. Invariant: a descendant is named by a pidfd, never by a number that may
 * have gone to another process meanwhile; a child of ours by its number, which is its own
 * until we reap it. */
#include "child.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

extern char **environ;

static int pidfd_of(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static bool same_name(const char *a, const char *b)
{
    size_t n = strcspn(a, "=");
    return n == strcspn(b, "=") && strncmp(a, b, n) == 0;
}

const char **child_environment(const char *const *add)
{
    size_t n = 0, m = 0;
    while (environ[n] != NULL)
        n++;
    while (add != NULL && add[m] != NULL)
        m++;
    const char **all = xcalloc(n + m + 1, sizeof(*all));
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        bool replaced = false;
        for (size_t j = 0; j < m && !replaced; j++)
            replaced = same_name(environ[i], add[j]);
        if (!replaced)
            all[used++] = environ[i];
    }
    for (size_t j = 0; j < m; j++)
        all[used++] = add[j];
    return all;
}

static void close_pair(int pair[2])
{
    for (int i = 0; i < 2; i++) {
        if (pair[i] >= 0)
            (void)close(pair[i]);
    }
}

enum { MOST_PIDS = 4096 };

/* The children of one thread, as the kernel lists them: "12 34 ". */
static void read_children(const char *path, pid_t *ret, unsigned most, unsigned *n)
{
    AUTO_FREE(char) text = NULL;
    size_t len;
    if (file_read(path, 1 << 20, &text, &len, NULL) != 0)
        return;
    char *p = text;
    for (char *end; *n < most; p = end) {
        long pid = strtol(p, &end, 10);
        if (end == p)
            return;
        ret[(*n)++] = (pid_t)pid;
    }
}

static void add_children(pid_t pid, pid_t *ret, unsigned most, unsigned *n)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%ld/task", (long)pid);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return;
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (e->d_name[0] == '.')
            continue;
        AUTO_STR list = {0};
        str_printf(&list, "%s/%s/children", path, e->d_name);
        read_children(list.text, ret, most, n);
    }
    (void)closedir(dir);
}

/* Become the parent of the launcher's orphans; who is a child already is none of them. */
static void adopt(struct child *c)
{
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    c->strangers = xcalloc(MOST_PIDS, sizeof(*c->strangers));
    add_children(getpid(), c->strangers, MOST_PIDS, &c->n_strangers);
}

/* Both lists one after the other; either may be NULL. */
static const char **join(const char *const *a, const char *const *b)
{
    size_t n = 0, m = 0;
    while (a != NULL && a[n] != NULL)
        n++;
    while (b != NULL && b[m] != NULL)
        m++;
    const char **all = xcalloc(n + m + 1, sizeof(*all));
    for (size_t i = 0; i < n + m; i++)
        all[i] = i < n ? a[i] : b[i - n];
    return all;
}

int child_start(const struct launch_line *line,
                const char *const *more,
                struct child *ret,
                struct gm_error *err)
{
    struct child c = {0};
    int out[2] = {-1, -1}, errs[2] = {-1, -1};
    int rc = proc_pipe(out, err);
    if (rc == 0)
        rc = proc_pipe(errs, err);
    pid_t pid = -1;
    if (rc == 0) {
        AUTO_FREE(const char *) add = join(line->env, more);
        AUTO_FREE(const char *) env = child_environment(add);
        struct proc_spec spec = {
            .argv = line->argv, .env = env, .in = -1, .out = out[1], .err = errs[1]};
        adopt(&c);
        rc = proc_spawn(&spec, &pid, err);
    }
    if (rc != 0) {
        free(c.strangers);
        close_pair(out);
        close_pair(errs);
        return rc;
    }
    (void)close(out[1]);
    (void)close(errs[1]);
    (void)fcntl(out[0], F_SETFL, O_NONBLOCK);
    (void)fcntl(errs[0], F_SETFL, O_NONBLOCK);
    c.pid = pid;
    c.pidfd = pidfd_of(pid);
    c.out = out[0];
    c.err = errs[0];
    *ret = c;
    return 0;
}

void child_poll(struct child *c)
{
    if (!c->ended && proc_reap(c->pid, false, &c->end) != 0)
        c->ended = true;
}

void child_signal(const struct child *c, int signal)
{
    if (!c->ended)
        (void)kill(c->pid, signal);
}

static void forget_family(struct child *c)
{
    for (unsigned i = 0; i < c->n_family; i++)
        (void)close(c->family[i]);
    free(c->family);
    c->family = NULL;
    c->n_family = 0;
}

void child_know_family(struct child *c)
{
    if (c->ended)
        return;
    AUTO_FREE(pid_t) pids = xcalloc(MOST_PIDS, sizeof(*pids));
    unsigned n = 0;
    add_children(c->pid, pids, MOST_PIDS, &n);
    for (unsigned i = 0; i < n; i++) /* n grows: breadth first */
        add_children(pids[i], pids, MOST_PIDS, &n);
    forget_family(c);
    c->family = xcalloc(n, sizeof(*c->family));
    for (unsigned i = 0; i < n; i++) {
        int fd = pidfd_of(pids[i]);
        if (fd >= 0)
            c->family[c->n_family++] = fd;
    }
}

static bool is_zombie(pid_t pid)
{
    char path[64];
    AUTO_FREE(char) text = NULL;
    size_t len;
    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    if (file_read(path, 4096, &text, &len, NULL) != 0)
        return true;
    const char *end = strrchr(text, ')'); /* of the name, which may hold anything */
    return end == NULL || strncmp(end, ") Z", 3) == 0 || strncmp(end, ") X", 3) == 0;
}

bool child_has_family(const struct child *c)
{
    AUTO_FREE(pid_t) pids = xcalloc(MOST_PIDS, sizeof(*pids));
    unsigned n = 0;
    add_children(c->pid, pids, MOST_PIDS, &n);
    for (unsigned i = 0; i < n; i++) {
        if (!is_zombie(pids[i]))
            return true;
    }
    return false;
}

/* Waits until every known descendant has ended, or `seconds` are over. */
static void await_family(const struct child *c, double seconds)
{
    double end = clock_monotonic() + seconds;
    for (unsigned i = 0; i < c->n_family; i++) {
        double left = end - clock_monotonic();
        struct pollfd p = {.fd = c->family[i], .events = POLLIN};
        (void)poll(&p, 1, left > 0 ? (int)(left * 1e3) : 0);
    }
}

static bool is_orphan(const struct child *c, pid_t pid)
{
    for (unsigned i = 0; i < c->n_strangers; i++) {
        if (c->strangers[i] == pid)
            return false;
    }
    return pid != c->pid;
}

/* Those under the launcher whose parents are gone are our children now. Their own
 * children follow when they end, hence the rounds. */
static void kill_orphans(const struct child *c, double seconds)
{
    double end = clock_monotonic() + seconds;
    AUTO_FREE(pid_t) pids = xcalloc(MOST_PIDS, sizeof(*pids));
    for (unsigned alive = 1; alive > 0 && clock_monotonic() < end;) {
        unsigned n = 0;
        alive = 0;
        add_children(getpid(), pids, MOST_PIDS, &n);
        for (unsigned i = 0; i < n; i++) {
            struct proc_end ended;
            if (!is_orphan(c, pids[i]))
                continue;
            (void)kill(pids[i], SIGKILL);
            alive += 1;
            (void)proc_reap(pids[i], false, &ended);
        }
        if (alive > 0)
            clock_sleep(1e-3);
    }
}

void child_kill(struct child *c)
{
    child_know_family(c);
    if (!c->ended)
        proc_signal_group(c->pid, SIGKILL);
    for (unsigned i = 0; i < c->n_family; i++)
        (void)syscall(SYS_pidfd_send_signal, c->family[i], SIGKILL, NULL, 0);
    await_family(c, 2);
    if (!c->ended && proc_reap(c->pid, true, &c->end) != 0)
        c->ended = true;
    kill_orphans(c, 2);
}

void child_close(struct child *c)
{
    if (!c->ended)
        child_kill(c);
    forget_family(c);
    free(c->strangers);
    c->strangers = NULL;
    c->n_strangers = 0;
    int *fds[] = {&c->pidfd, &c->out, &c->err};
    for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (*fds[i] >= 0)
            (void)close(*fds[i]);
        *fds[i] = -1;
    }
}
