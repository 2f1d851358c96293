/* See procstat.h. Invariant: a process's name, which may hold anything, is skipped. */
#include "procstat.h"
#include "auto.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool procstat_read(pid_t pid, struct procstat *ret)
{
    char path[64], text[1024];
    struct procstat p;
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    const char *name_end = strrchr(text, ')');
    if (name_end == NULL)
        return false;
    static const char fields[] = " %c %*d %d %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                                 "%*s %*s %*s %*s %*s %" SCNu64;
    /* NOLINTNEXTLINE(cert-err34-c): the kernel's own numbers */
    if (sscanf(name_end + 1, fields, &p.state, &p.group, &p.session, &p.began) != 4)
        return false;
    *ret = p;
    return true;
}

uint64_t procstat_space(void)
{
    struct stat st;
    return stat("/proc/self/ns/pid", &st) == 0 ? (uint64_t)st.st_ino : 0;
}
