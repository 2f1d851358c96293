/* See outlet.h. Invariant: a file of that name is never there in part. */
#include "outlet.h"
#include "base/auto.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1 << 18 };

static int fail(const struct outlet *s, struct gm_error *err)
{
    int code = -errno;
    if (code == -EPIPE && s->path == NULL)
        return code;
    return gm_fail(err,
                   code,
                   "%s: %s",
                   s->path != NULL ? s->path : "standard output",
                   strerror(-code));
}

/* A pipe or a device is written to as it is: a file would take its place. */
static bool is_special(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

/* A table must never take the place of results, its own least of all. */
static bool is_results(const char *path)
{
    static const unsigned char magic[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    unsigned char head[sizeof(magic)];
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, head, sizeof(head)) == (ssize_t)sizeof(head) &&
           memcmp(head, magic, sizeof(magic)) == 0;
}

int outlet_open(const char *path, struct outlet *ret, struct gm_error *err)
{
    struct outlet s = {.fd = STDOUT_FILENO};
    if (path != NULL && strcmp(path, "-") != 0) {
        bool special = is_special(path);
        if (!special && is_results(path))
            return gm_fail(err,
                           -EEXIST,
                           "%s: is an HDF5 file, and would be lost: remove it, or name "
                           "another",
                           path);
        AUTO_STR name = {0};
        str_printf(&name, "%s%s", path, special ? "" : ".part");
        s.path = path;
        s.fd = open(name.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (s.fd < 0)
            return fail(&s, err);
        s.part = special ? NULL : str_steal(&name);
    }
    *ret = s;
    return 0;
}

static int put(struct outlet *s, struct gm_error *err)
{
    const char *p = str_text(&s->text);
    size_t len = s->text.len;
    while (len > 0) {
        ssize_t n = write(s->fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(s, err);
        p += n;
        len -= (size_t)n;
    }
    str_clear(&s->text);
    return 0;
}

int outlet_more(struct outlet *s, struct gm_error *err)
{
    return s->text.len >= PIECE ? put(s, err) : 0;
}

int outlet_close(struct outlet *s, int rc, struct gm_error *err)
{
    if (rc == 0)
        rc = put(s, err);
    if (s->part != NULL && rc == 0 && fsync(s->fd) != 0)
        rc = fail(s, err);
    if (s->path != NULL && close(s->fd) != 0 && rc == 0)
        rc = fail(s, err);
    if (s->part != NULL && rc == 0 && rename(s->part, s->path) != 0)
        rc = fail(s, err);
    if (s->part != NULL && rc != 0)
        (void)unlink(s->part);
    free(s->part);
    str_free(&s->text);
    *s = (struct outlet){.fd = -1};
    return rc == -EPIPE ? 0 : rc;
}
