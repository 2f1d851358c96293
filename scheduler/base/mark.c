/* See mark.h. Invariant: a number is not given away while a process or a group has it. So
 * a group without its first process is ours, unless all of it ended, a new process got
 * the number, made a group and ended before us: then the session tells. */
#include "mark.h"
#include "procstat.h"
#include <ctype.h>
#include <dirent.h>
#include <signal.h>
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

/* The first process is gone: what others of the group are there? */
static bool is_left_of(pid_t group, uint32_t began, pid_t session)
{
    DIR *dir = opendir("/proc");
    bool any = false, ours = true;
    const struct dirent *e;
    while (dir != NULL && ours && (e = readdir(dir)) != NULL) {
        struct procstat p;
        if (!isdigit((unsigned char)e->d_name[0]) ||
            !procstat_read((pid_t)strtol(e->d_name, NULL, 10), &p) || p.group != group)
            continue;
        any = true;
        ours = p.session == session && began_after(&p, began);
    }
    if (dir != NULL)
        (void)closedir(dir);
    return any && ours;
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
