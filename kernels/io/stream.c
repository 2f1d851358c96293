/* gzip or plain bytes through zlib, which passes through what is not gzip. The buffer
 * holds what was read ahead: [at, end). A line that does not fit makes it grow. */
#include "stream.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#define CHUNK          (256U << 10)
#define LINE_MAX_BYTES ((size_t)16 << 20)

struct stream {
    char *path;
    gzFile file;
    char *buf;
    size_t room, at, end;
    uint64_t offset; /* of buf[at] */
    bool over;       /* the file has no more */
    uint64_t size;   /* of the file on the disk */
};

int stream_open(const char *path, struct stream **ret, struct gm_error *err)
{
    AUTO(stream) s = calloc(1, sizeof(*s));
    if (s == NULL || (s->path = strdup(path)) == NULL || (s->buf = malloc(CHUNK)) == NULL)
        return gm_fail(err, -ENOMEM, "%s: out of memory", path);
    s->room = CHUNK;
    struct stat st;
    errno = 0;
    s->file = gzopen(path, "rbe");
    if (s->file == NULL || stat(path, &st) != 0) {
        int e = errno == 0 ? ENOMEM : errno;
        return gm_fail(err, -e, "%s: %s", path, strerror(e));
    }
    if (!S_ISREG(st.st_mode))
        return gm_fail(err, -EINVAL, "%s: is not a regular file", path);
    s->size = (uint64_t)st.st_size;
    (void)gzbuffer(s->file, CHUNK);
    *ret = steal(&s);
    return 0;
}

void stream_close(struct stream *s)
{
    if (s == NULL)
        return;
    if (s->file != NULL)
        (void)gzclose_r(s->file);
    free(s->buf);
    free(s->path);
    free(s);
}

/* Reads more behind buf[end); `over` once there is none. */
static int fill(struct stream *s, struct gm_error *err)
{
    size_t room = s->room - s->end;
    unsigned ask = room > INT_MAX ? INT_MAX : (unsigned)room;
    int n = gzread(s->file, s->buf + s->end, ask);
    if (n > 0)
        s->end += (size_t)n;
    if (n == (int)ask)
        return 0;
    int code = Z_OK;
    const char *why = gzerror(s->file, &code);
    if (code == Z_BUF_ERROR)
        return gm_fail(
            err, -EINVAL, "%s: the gzip data ends early: the file is truncated", s->path);
    if (code == Z_ERRNO)
        return gm_fail(err, -EIO, "%s: %s", s->path, strerror(errno));
    if (code != Z_OK && code != Z_STREAM_END)
        return gm_fail(err, -EINVAL, "%s: the gzip data is damaged (%s)", s->path, why);
    s->over = n <= 0;
    return 0;
}

int stream_peek(
    struct stream *s, void *buf, size_t n, size_t *ret_n, struct gm_error *err)
{
    while (s->end - s->at < n && !s->over && s->end < s->room) {
        int rc = fill(s, err);
        if (rc != 0)
            return rc;
    }
    size_t have = s->end - s->at;
    *ret_n = have < n ? have : n;
    memcpy(buf, s->buf + s->at, *ret_n);
    return 0;
}

int64_t stream_read(struct stream *s, void *buf, size_t n, struct gm_error *err)
{
    size_t done = 0;
    while (done < n) {
        if (s->at == s->end) {
            if (s->over)
                break;
            s->at = s->end = 0;
            int rc = fill(s, err);
            if (rc != 0)
                return rc;
            continue;
        }
        size_t part = s->end - s->at < n - done ? s->end - s->at : n - done;
        memcpy((char *)buf + done, s->buf + s->at, part);
        s->at += part;
        s->offset += part;
        done += part;
    }
    return (int64_t)done;
}

int stream_need(
    struct stream *s, void *buf, size_t n, const char *what, struct gm_error *err)
{
    int64_t got = stream_read(s, buf, n, err);
    if (got < 0)
        return (int)got;
    if ((uint64_t)got < n)
        return gm_fail(
            err, -EINVAL, "%s: ends inside %s: the file is truncated", s->path, what);
    return 0;
}

/* Room for more of a line that has filled the buffer. */
static int make_room(struct stream *s, struct gm_error *err)
{
    if (s->at > 0) {
        memmove(s->buf, s->buf + s->at, s->end - s->at);
        s->end -= s->at;
        s->at = 0;
    }
    if (s->end < s->room - 1)
        return 0;
    if (s->room >= LINE_MAX_BYTES)
        return gm_fail(
            err, -EINVAL, "%s: has a line of more than 16 MiB: is it text?", s->path);
    char *bigger = realloc(s->buf, 2 * s->room);
    if (bigger == NULL)
        return gm_fail(err, -ENOMEM, "%s: out of memory", s->path);
    s->buf = bigger;
    s->room *= 2;
    return 0;
}

int stream_line(struct stream *s, char **ret, size_t *ret_len, struct gm_error *err)
{
    size_t seen = 0; /* bytes after `at` known to hold no newline */
    for (;;) {
        char *line = s->buf + s->at, *end = NULL;
        if (s->end - s->at > seen)
            end = memchr(line + seen, '\n', s->end - s->at - seen);
        if (end != NULL || (s->over && s->end > s->at)) {
            size_t len = end != NULL ? (size_t)(end - line) : s->end - s->at;
            size_t taken = len + (end != NULL);
            s->at += taken;
            s->offset += taken;
            if (len > 0 && line[len - 1] == '\r')
                len--;
            line[len] = '\0';
            *ret = line;
            *ret_len = len;
            return 1;
        }
        if (s->over)
            return 0;
        seen = s->end - s->at;
        int rc = make_room(s, err);
        if (rc == 0)
            rc = fill(s, err);
        if (rc != 0)
            return rc;
    }
}

const char *stream_path(const struct stream *s)
{
    return s->path;
}

uint64_t stream_offset(const struct stream *s)
{
    return s->offset;
}

bool stream_size(const struct stream *s, uint64_t *ret)
{
    if (!gzdirect(s->file))
        return false;
    *ret = s->size;
    return true;
}
