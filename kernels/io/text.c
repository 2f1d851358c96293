/* What is in front of `begin` is read and dropped: a packed file has no other way to it.
 */
#include "text.h"

#include "stream.h"
#include <inttypes.h>
#include <stdlib.h>

#define BLOCK ((size_t)1 << 16)

struct text {
    char *bytes;
    size_t len, room;
};

/* Room for `more` bytes and a terminator. */
static int grow(const char *path, struct text *t, size_t more, struct gm_error *err)
{
    size_t need, room = t->room == 0 ? BLOCK : t->room;
    if (__builtin_add_overflow(t->len + 1, more, &need))
        return gm_fail(err, -ENOMEM, "%s: is too long for memory", path);
    while (room < need)
        room = room > SIZE_MAX / 2 ? need : 2 * room;
    if (room == t->room)
        return 0;
    char *grown = realloc(t->bytes, room);
    if (grown == NULL)
        return gm_fail(err, -ENOMEM, "%s: no memory for %zu bytes of it", path, room);
    t->bytes = grown;
    t->room = room;
    return 0;
}

static int skip(struct stream *in, uint64_t n, struct gm_error *err)
{
    char block[4096];
    while (n > 0) {
        size_t want = n < sizeof(block) ? (size_t)n : sizeof(block);
        int64_t got = stream_read(in, block, want, err);
        if (got < 0)
            return (int)got;
        if (got == 0)
            return 0;
        n -= (uint64_t)got;
    }
    return 0;
}

static int fill(struct stream *in, uint64_t want, struct text *t, struct gm_error *err)
{
    const char *path = stream_path(in);
    int rc = grow(path, t, 0, err);
    while (rc == 0 && t->len < want) {
        size_t block = want - t->len < BLOCK ? (size_t)(want - t->len) : BLOCK;
        rc = grow(path, t, block, err);
        int64_t got = rc == 0 ? stream_read(in, t->bytes + t->len, block, err) : 0;
        if (got < 0)
            return (int)got;
        if (got == 0)
            break;
        t->len += (size_t)got;
    }
    return rc;
}

int text_read(const char *path,
              uint64_t begin,
              uint64_t end,
              char **ret,
              size_t *ret_len,
              struct gm_error *err)
{
    AUTO(stream) in = NULL;
    struct text t = {0};
    uint64_t want = end == TEXT_ALL ? SIZE_MAX : end - begin;
    int rc = stream_open(path, &in, err);
    if (rc == 0)
        rc = skip(in, begin, err);
    if (rc == 0)
        rc = fill(in, want, &t, err);
    if (rc == 0 && end != TEXT_ALL && t.len < want)
        rc = gm_fail(err,
                     -EINVAL,
                     "%s: ends at byte %" PRIu64 ", byte %" PRIu64 " is asked for",
                     path,
                     stream_offset(in),
                     end);
    if (rc != 0) {
        free(t.bytes);
        return rc;
    }
    t.bytes[t.len] = '\0';
    *ret = t.bytes;
    *ret_len = t.len;
    return 0;
}
