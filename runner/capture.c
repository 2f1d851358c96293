/* See capture.h. Invariant: memory never holds more than CAPTURE_IN_MEMORY bytes and one
 * read of a stream; once there is a file, all but what `text` holds stands in it. */
#include "capture.h"
#include <fcntl.h>
#include <unistd.h>

enum { READ_BYTES = 64 << 10, MOST_READS = 16 };

/* A file that goes with its last descriptor. */
static int open_file(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    AUTO_STR path = {0};
    str_printf(&path, "%s/output.XXXXXX", folder);
    fd = mkostemp(path.text, O_CLOEXEC);
    if (fd >= 0)
        (void)unlink(path.text);
    return fd;
}

static int write_all(int fd, const char *data, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, data, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done < 0 ? -errno : -EIO;
        data += done;
        n -= (size_t)done;
    }
    return 0;
}

/* The file becomes the place of what stood in memory. */
static int move_to_file(struct capture *c)
{
    int fd = open_file(c->folder);
    if (fd < 0)
        return -errno;
    int rc = write_all(fd, str_text(&c->text), c->text.len);
    if (rc < 0) {
        (void)close(fd);
        return rc;
    }
    str_free(&c->text);
    c->file = fd;
    return 0;
}

static int put(struct capture *c, const char *data, size_t n)
{
    int rc = 0;
    bool in_file = c->folder != NULL && c->len + n > CAPTURE_IN_MEMORY;
    if (in_file && c->file < 0)
        rc = move_to_file(c);
    if (rc == 0 && c->file >= 0)
        rc = write_all(c->file, data, n);
    else if (rc == 0)
        str_add_n(&c->text, data, n);
    if (rc == 0)
        c->len += n;
    return rc;
}

/* No more of it is kept; why: an errno, or 0 for the limit. */
static void cut(struct capture *c, int why)
{
    AUTO_STR marker = {0};
    str_add(&marker, "\n[gridmill: output cut here");
    if (why != 0)
        str_printf(&marker, ": %s", strerror(why));
    str_add(&marker, "]\n");
    c->cut = true;
    if (c->file < 0) {
        str_add_n(&c->text, marker.text, marker.len);
        c->len += marker.len;
        return;
    }
    off_t end = (off_t)c->len; /* a write that failed may have come half through */
    if (ftruncate(c->file, end) == 0 &&
        pwrite(c->file, marker.text, marker.len, end) == (ssize_t)marker.len)
        c->len += marker.len;
}

static void take(struct capture *c, const char *data, size_t n)
{
    if (c->cut)
        return;
    size_t room = c->most - c->len < n ? (size_t)(c->most - c->len) : n;
    int rc = put(c, data, room);
    if (rc < 0)
        cut(c, -rc);
    else if (n > room)
        cut(c, 0);
}

void capture_init(struct capture *c, uint64_t most, const char *folder)
{
    *c = (struct capture){.most = most, .folder = folder, .file = -1};
}

bool capture_drain(struct capture *c, int fd)
{
    char buf[READ_BYTES];
    for (unsigned i = 0; i < MOST_READS;) {
        ssize_t n = read(fd, buf, sizeof(buf));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 || errno != EAGAIN;
        take(c, buf, (size_t)n);
        i++;
    }
    return false;
}

int capture_add(struct capture *c, struct parcel *p, uint32_t kind, struct gm_error *err)
{
    struct result_record r = {
        .kind = kind, .dtype = GM_U8, .ndim = 1, .dims = {c->len}, .nbytes = c->len};
    if (c->file >= 0)
        return parcel_add_file(p, &r, c->file, err);
    return parcel_add_text(p, kind, str_text(&c->text), c->text.len, err);
}

void capture_free(struct capture *c)
{
    str_free(&c->text);
    if (c->file >= 0)
        (void)close(c->file);
    c->file = -1;
}
