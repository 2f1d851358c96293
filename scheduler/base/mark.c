/* See mark.h. Invariant: a number is not given away while a process or a group has it. So
 * a group without its first process is ours, unless all of it ended, a new process got
 * the number, made a group and ended before us: then the session tells. */
#include "mark.h"
#include "auto.h"
#include "procstat.h"
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdalign.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* From mark_now to the start of the process as the kernel has it, at most: a fork, on a
 * crowded machine. */
static const uint32_t FORK_SECONDS = 2;

static uint32_t ticks_a_second(void)
{
    return (uint32_t)sysconf(_SC_CLK_TCK);
}

uint32_t mark_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_BOOTTIME, &t);
    uint32_t hz = ticks_a_second();
    return (uint32_t)t.tv_sec * hz + (uint32_t)(t.tv_nsec / (1000000000 / hz));
}

static bool began_after(const struct procstat *p, uint32_t mark)
{
    return (uint32_t)p->began - mark < UINT32_MAX / 2;
}

/* Is that process of the group, and not ours? *any: it is of the group. */
static bool is_foreign(pid_t pid, pid_t group, uint32_t began, pid_t session, bool *any)
{
    struct procstat p;
    if (!procstat_read(pid, &p) || p.group != group)
        return false;
    *any = true;
    return p.session != session || !began_after(&p, began);
}

/* The first process is gone: what others of the group are there? Without opendir, which
 * takes memory: a copy of a thread may be asking (runner/guard.h). */
static bool is_left_of(pid_t group, uint32_t began, pid_t session)
{
    alignas(struct dirent64) char room[8192];
    AUTO_FD proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool any = false;
    for (ssize_t n; proc >= 0 && (n = getdents64(proc, room, sizeof(room))) > 0;) {
        const struct dirent64 *e;
        for (ssize_t at = 0; at < n; at += e->d_reclen) {
            e = (const struct dirent64 *)(room + at);
            if (isdigit((unsigned char)e->d_name[0]) &&
                is_foreign(
                    (pid_t)strtol(e->d_name, NULL, 10), group, began, session, &any))
                return false;
        }
    }
    return any;
}

void mark_kill(uint64_t mark, pid_t session)
{
    pid_t group = (pid_t)(mark >> 32);
    uint32_t began = (uint32_t)mark;
    struct procstat first;
    if (group <= 1 || kill(-group, 0) != 0)
        return;
    bool ours = procstat_read(group, &first)
                    ? (uint32_t)first.began - began <= FORK_SECONDS * ticks_a_second()
                    : is_left_of(group, began, session);
    if (ours)
        (void)kill(-group, SIGKILL);
}
