/* See alive.h. Invariant: nobody is called gone for what is not known of him: a number
 * that a later process has got is unknown. */
#include "alive.h"
#include "base/procstat.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void alive_self(struct board_sitter *ret)
{
    struct procstat self;
    *ret = (struct board_sitter){.pid = getpid()};
    if (!procstat_read(ret->pid, &self))
        return;
    ret->space = procstat_space();
    ret->began = self.began;
}

static bool means_the_same(const struct board_sitter *who)
{
    return who->space != 0 && who->space == procstat_space();
}

int alive_open(const struct board_sitter *who)
{
    struct procstat its;
    if (!means_the_same(who))
        return -ENOTSUP;
    int fd = (int)syscall(SYS_pidfd_open, who->pid, 0);
    if (fd < 0)
        return -errno;
    if (procstat_read(who->pid, &its) && its.began == who->began)
        return fd;
    (void)close(fd); /* it ended since we opened it, or the number is another's */
    return -EAGAIN;
}

enum alive_state alive_look(const struct board_sitter *who)
{
    struct procstat its;
    if (!means_the_same(who))
        return ALIVE_UNKNOWN;
    if (!procstat_read(who->pid, &its)) /* or /proc hides it */
        return kill(who->pid, 0) != 0 && errno == ESRCH ? ALIVE_GONE : ALIVE_UNKNOWN;
    if (its.began != who->began)
        return ALIVE_UNKNOWN;
    return strchr("ZXx", its.state) != NULL  ? ALIVE_GONE
           : strchr("Tt", its.state) != NULL ? ALIVE_STOPPED
                                             : ALIVE_RUNS;
}
