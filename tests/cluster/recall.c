/* Preloaded into the ranks: on the host that SLOW_HOST names a nanosleep of 10 ms or more
 * takes ten times as long, and each run of tasks that a rank gives back to rank 0 because
 * it was recalled leaves a line in the file RECALLS. The tag and the words are
 * dispatch.c's. */
#include <dlfcn.h>
#include <fcntl.h>
#include <inttypes.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TAG_RECALLED = 6, SLOWER = 10, SHORT_NS = 10000000 };

typedef int send_fn(const void *, int, MPI_Datatype, int, int, MPI_Comm, MPI_Request *);
typedef int sleep_fn(const struct timespec *, struct timespec *);

struct recalled {
    uint64_t lot, first, count;
};

static void tell(const struct recalled *r)
{
    char line[64];
    const char *path = getenv("RECALLS");
    int fd = path != NULL ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;
    int n = snprintf(line, sizeof(line), "%" PRIu64 " %" PRIu64 "\n", r->first, r->count);
    if (fd >= 0) {
        (void)!write(fd, line, (size_t)n);
        (void)close(fd);
    }
}

int MPI_Isend(const void *buf,
              int n,
              MPI_Datatype type,
              int to,
              int tag,
              MPI_Comm comm,
              MPI_Request *request)
{
    struct recalled r;
    send_fn *real;
    *(void **)&real = dlsym(RTLD_NEXT, "MPI_Isend");
    if (tag == TAG_RECALLED && n == (int)sizeof(r)) {
        memcpy(&r, buf, sizeof(r));
        if (r.count > 0)
            tell(&r);
    }
    return real(buf, n, type, to, tag, comm, request);
}

int nanosleep(const struct timespec *want, struct timespec *rest)
{
    char host[256] = "";
    const char *slow = getenv("SLOW_HOST");
    struct timespec t = *want;
    sleep_fn *real;
    *(void **)&real = dlsym(RTLD_NEXT, "nanosleep");
    if (slow != NULL && gethostname(host, sizeof(host) - 1) == 0 &&
        strcmp(host, slow) == 0 && (t.tv_sec > 0 || t.tv_nsec >= SHORT_NS)) {
        t.tv_nsec *= SLOWER;
        t.tv_sec = t.tv_sec * SLOWER + t.tv_nsec / 1000000000;
        t.tv_nsec %= 1000000000;
    }
    return real(&t, rest);
}
