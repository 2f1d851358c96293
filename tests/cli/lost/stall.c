/* Preloaded into the ranks: writes to files whose path has STALL_NAME in it, and locks on
 * them, hang as long as the file STALL_FILE is there, as on a slow file system. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/types.h>
#include <unistd.h>

static int is_stalled(int fd)
{
    const char *name = getenv("STALL_NAME"), *file = getenv("STALL_FILE");
    char link[64], path[4096] = "";
    if (name == NULL || file == NULL)
        return 0;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    path[n < 0 ? 0 : n] = '\0';
    return strstr(path, name) != NULL && access(file, F_OK) == 0;
}

static void stall(int fd)
{
    while (is_stalled(fd))
        (void)usleep(50000);
}

typedef ssize_t pwrite_fn(int, const void *, size_t, off_t);

ssize_t pwrite(int fd, const void *buf, size_t n, off_t at);
ssize_t pwrite(int fd, const void *buf, size_t n, off_t at)
{
    pwrite_fn *real;
    *(void **)&real = dlsym(RTLD_NEXT, "pwrite");
    stall(fd);
    return real(fd, buf, n, at);
}

ssize_t pwrite64(int fd, const void *buf, size_t n, off_t at);
ssize_t pwrite64(int fd, const void *buf, size_t n, off_t at)
{
    return pwrite(fd, buf, n, at);
}

int flock(int fd, int how)
{
    int (*real)(int, int);
    *(void **)&real = dlsym(RTLD_NEXT, "flock");
    stall(fd);
    return real(fd, how);
}
