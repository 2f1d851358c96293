/* Counting newlines, in blocks. A last piece without one counts as a line. */
#include "lines.h"

#include "stream.h"
#include <inttypes.h>
#include <string.h>

#define BLOCK 65536

struct scan {
    uint64_t lines;      /* complete so far */
    uint64_t offset;     /* of the block that is looked at */
    uint64_t line_begin; /* where the line after those begins */
    uint64_t first, past;
    uint64_t begin, end;
};

/* A line ends just before `at`. */
static void line_ends(struct scan *s, uint64_t at)
{
    if (s->lines == s->first)
        s->begin = s->line_begin;
    s->lines++;
    s->line_begin = at;
    if (s->lines == s->past)
        s->end = at;
}

static int scan_file(const char *path, struct scan *s, struct gm_error *err)
{
    AUTO(stream) in = NULL;
    int rc = stream_open(path, &in, err);
    if (rc != 0)
        return rc;
    char block[BLOCK];
    int64_t n;
    while ((n = stream_read(in, block, sizeof(block), err)) > 0) {
        const char *end = block + n;
        for (const char *p = block; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
            line_ends(s, s->offset + (uint64_t)(p - block) + 1);
        s->offset += (uint64_t)n;
        if (s->past > 0 && s->lines >= s->past)
            return 0;
    }
    if (n < 0)
        return (int)n;
    if (s->offset > s->line_begin)
        line_ends(s, s->offset);
    return 0;
}

int lines_count(const char *path, uint64_t *ret_lines, struct gm_error *err)
{
    struct scan s = {.first = UINT64_MAX};
    int rc = scan_file(path, &s, err);
    if (rc == 0)
        *ret_lines = s.lines;
    return rc;
}

int lines_range(const char *path,
                uint64_t first,
                uint64_t count,
                uint64_t *ret_begin,
                uint64_t *ret_end,
                struct gm_error *err)
{
    struct scan s = {.first = first};
    if (count == 0 || __builtin_add_overflow(first, count, &s.past))
        return gm_fail(err,
                       -EINVAL,
                       "%s: lines %" PRIu64 " + %" PRIu64 " are no range",
                       path,
                       first,
                       count);
    int rc = scan_file(path, &s, err);
    if (rc != 0)
        return rc;
    if (s.lines < s.past)
        return gm_fail(err,
                       -EINVAL,
                       "%s: has %" PRIu64 " lines, line %" PRIu64 " is asked for",
                       path,
                       s.lines,
                       s.past);
    *ret_begin = s.begin;
    *ret_end = s.end;
    return 0;
}
