/* What a data source is: size, date, digest, and its rows or lines. Invariant: a source
 * that is accepted here can be read by the ranks, as far as one look tells: small tables
 * are read whole, large ones have their rows counted; an HDF5 file, whose library can be
 * brought down by a hostile one, is opened in a process of its own. */
#include "base/auto.h"
#include "base/memory.h"
#include "base/proc.h"
#include "engine.h"
#include "kernels/io/lines.h"
#include "kernels/io/table.h"
#include "result/hash.h"
#include "result/reader.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum {
    CHECK_MOST = 64 << 20, /* bytes of a file whose every number is looked at */
    PROBE_SECONDS = 20     /* that a well-formed HDF5 file never needs */
};

/* "F.h5:/DATASET" -> the length of "F.h5"; a plain path -> its whole length. */
static size_t file_part(const char *path)
{
    const char *colon = strstr(path, ":/");
    return colon != NULL && colon > path ? (size_t)(colon - path) : strlen(path);
}

struct probe {
    int rc;
    uint64_t rows;
    struct gm_error err;
};

/* The child: whatever the library does to it, the parent gets a word or its end. */
_Noreturn static void probe_rows(const char *path, int fd)
{
    struct rlimit cpu = {PROBE_SECONDS, PROBE_SECONDS}, none = {0, 0};
    (void)setrlimit(RLIMIT_CPU, &cpu);
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)signal(SIGALRM, SIG_DFL);
    (void)alarm(PROBE_SECONDS);
    struct probe p = {0};
    p.rc = reader_table_rows(path, &p.rows, &p.err);
    _exit(write(fd, &p, sizeof(p)) == (ssize_t)sizeof(p) ? 0 : 1);
}

static int hdf5_rows(const char *path, uint64_t *ret, struct gm_error *err)
{
    int ends[2];
    int rc = proc_pipe(ends, err);
    if (rc != 0)
        return rc;
    pid_t pid = fork();
    if (pid == 0)
        probe_rows(path, ends[1]);
    (void)close(ends[1]);
    struct probe p = {0};
    ssize_t n = -1;
    do
        n = pid > 0 ? read(ends[0], &p, sizeof(p)) : -1;
    while (n < 0 && pid > 0 && errno == EINTR);
    (void)close(ends[0]);
    if (pid < 0)
        return gm_fail(err, -EIO, "%s: fork: %s", path, strerror(errno));
    struct proc_end end;
    (void)proc_reap(pid, true, &end);
    if (n != (ssize_t)sizeof(p)) /* less than PIPE_BUF: whole or not at all */
        return gm_fail(
            err,
            -EINVAL,
            "%s: is a malformed HDF5 file (the HDF5 library did not survive it)",
            path);
    if (p.rc != 0)
        return gm_fail(err, p.rc, "%s", p.err.text);
    *ret = p.rows;
    return 0;
}

static int
table_look(const char *path, uint64_t size, uint64_t *ret, struct gm_error *err)
{
    if (size > CHECK_MOST)
        return table_rows(path, ret, err);
    struct table t = {0};
    int rc = table_read(path, 0, TABLE_ALL, &t, err);
    if (rc == 0)
        *ret = t.rows;
    table_free(&t);
    return rc;
}

static int
count(const char *path, uint32_t unit, uint64_t size, uint64_t *ret, struct gm_error *err)
{
    switch (unit) {
    case 0:
        return 0;
    case GM_LINES:
        return lines_count(path, ret, err);
    case GM_ROWS:
        return path[file_part(path)] != '\0' ? hdf5_rows(path, ret, err)
                                             : table_look(path, size, ret, err);
    default:
        return gm_fail(err, -EINVAL, "%s: no way to count unit %u", path, unit);
    }
}

int engine_look(void *ctx,
                const char *path,
                uint32_t unit,
                struct jobspec_source *ret,
                struct gm_error *err)
{
    (void)ctx;
    AUTO_FREE(char) file = xstrdup(path);
    file[file_part(path)] = '\0';
    struct stat st;
    if (stat(file, &st) != 0) {
        int code = -errno;
        return gm_fail(err, code, "%s: %s", file, strerror(-code));
    }
    if (!S_ISREG(st.st_mode))
        return gm_fail(err, -EINVAL, "%s: is no regular file", file);
    struct jobspec_source found = {.path = ret->path,
                                   .size = (uint64_t)st.st_size,
                                   .mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 +
                                               st.st_mtim.tv_nsec,
                                   .unit = unit};
    int rc = count(path, unit, found.size, &found.rows, err);
    if (rc == 0)
        rc = hash_file(file, found.sha256, err);
    if (rc == 0)
        *ret = found;
    return rc;
}
