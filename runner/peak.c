/* See peak.h. What the kernel tells at a process's end counts from before its exec, when
 * it had our memory; /proc counts from exec on. A tree of more processes than MOST is
 * looked at in part. */
#include "peak.h"
#include "base/auto.h"
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

enum { MOST = 256, TEXT = 4096 };

/* The length; 0 where there is none. */
static size_t read_text(const char *path, char text[static TEXT])
{
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, TEXT - 1);
    text[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

static uint64_t own_peak(pid_t pid)
{
    static const char name[] = "\nVmHWM:";
    char path[64], text[TEXT];
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    (void)read_text(path, text);
    const char *at = strstr(text, name);
    return at == NULL ? 0 : strtoull(at + sizeof(name) - 1, NULL, 10) * 1024;
}

/* Its main thread's children: others' are rare in commands. */
static unsigned add_children(pid_t pid, pid_t *all, unsigned n)
{
    char path[64], text[TEXT];
    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    (void)read_text(path, text);
    for (char *p = text, *end; n < MOST; p = end) {
        long child = strtol(p, &end, 10);
        if (end == p || *end != ' ') /* the last may be cut */
            break;
        all[n++] = (pid_t)child;
    }
    return n;
}

uint64_t peak_of(pid_t pid)
{
    pid_t all[MOST] = {pid};
    uint64_t most = 0;
    for (unsigned i = 0, n = 1; i < n; i++) {
        uint64_t own = own_peak(all[i]);
        most = own > most ? own : most;
        n = add_children(all[i], all, n);
    }
    return most;
}
