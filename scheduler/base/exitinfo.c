/* See exitinfo.h. */
#include "exitinfo.h"
#include "auto.h"
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

/* linux/pidfd.h of Linux 6.15, in the first form of the struct. */
struct info {
    uint64_t mask, cgroup;
    uint32_t pid, tgid, ppid, uids[8];
    int32_t exit_code;
};
_Static_assert(sizeof(struct info) == 64, "as the kernel has it");
#define GET_INFO  _IOWR(0xff, 11, struct info)
#define INFO_EXIT (UINT64_C(1) << 3)

static int of_reaped(int pidfd)
{
    struct info i = {.mask = INFO_EXIT};
    if (pidfd < 0 || ioctl(pidfd, GET_INFO, &i) != 0 || (i.mask & INFO_EXIT) == 0)
        return -1;
    return i.exit_code;
}

/* The 52nd field of its stat; the second is a name in brackets, which may hold anything.
 */
static int of_zombie(pid_t pid)
{
    enum { STATE = 3, EXIT_CODE = 52 };
    char path[64], text[2048];
    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    AUTO_FILE f = fopen(path, "re");
    size_t n = f != NULL ? fread(text, 1, sizeof(text) - 1, f) : 0;
    text[n] = '\0';
    char *at = strrchr(text, ')');
    if (at == NULL || at[1] != ' ' || (at[2] != 'Z' && at[2] != 'X'))
        return -1;
    at += 2;
    for (int field = STATE; at != NULL && field < EXIT_CODE; field++) {
        at = strchr(at, ' ');
        at = at != NULL ? at + 1 : NULL;
    }
    return at != NULL ? (int)strtol(at, NULL, 10) : -1;
}

int exitinfo_of(pid_t pid, int pidfd)
{
    int status = of_reaped(pidfd);
    return status >= 0 ? status : of_zombie(pid);
}
