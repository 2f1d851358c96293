/* See held.h. Invariant: the lock of a run that goes on is never taken, not for an
 * instant: it is listed, or trying it fails. */
#include "held.h"
#include "base/auto.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* "1: FLOCK  ADVISORY  WRITE 1234 08:02:131079 0 EOF"; one that waits has "->" first. */
static bool is_listed(const struct stat *st)
{
    char line[256], want[64];
    bool found = false;
    FILE *locks = fopen("/proc/locks", "re");
    if (locks == NULL)
        return false;
    (void)snprintf(want,
                   sizeof(want),
                   " %02x:%02x:%" PRIu64 " ",
                   major(st->st_dev),
                   minor(st->st_dev),
                   (uint64_t)st->st_ino);
    while (!found && fgets(line, sizeof(line), locks) != NULL)
        found = strstr(line, " FLOCK ") != NULL && strstr(line, "->") == NULL &&
                strstr(line, want) != NULL;
    (void)fclose(locks);
    return found;
}

bool held_here(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && is_listed(&st);
}

bool held(const char *path)
{
    struct stat st;
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        return false;
    if (is_listed(&st))
        return true;
    return flock(fd, LOCK_SH | LOCK_NB) != 0; /* closing it lets it go */
}
