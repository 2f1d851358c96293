/* CSV of numbers. A line is split and converted in place; every line must have as many
 * fields as the first one (a header counts). Numbers are read to the nearest double, then
 * float. */
#include "format.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define EXACT_DIGITS 15 /* decimal digits that a double holds exactly */
#define EXACT_POWER  22 /* powers of ten that a double holds exactly */

/* The digits of a number, as far as a double holds them exactly. */
struct digits {
    uint64_t mantissa;
    int scale; /* the value is mantissa * 10^scale */
    int n, significant;
};

static inline const char *scan_digits(const char *p, struct digits *d)
{
    bool point = false;
    for (;; p++) {
        if (*p == '.' && !point) {
            point = true;
            continue;
        }
        if (!isdigit((unsigned char)*p))
            return p;
        d->n++;
        d->significant += d->significant > 0 || *p != '0';
        if (d->significant <= EXACT_DIGITS)
            d->mantissa = d->mantissa * 10 + (uint64_t)(*p - '0');
        d->scale -= point && d->scale > -1000000;
    }
}

/* The decimal number at *text, moved past. Short numbers need one exact multiplication or
 * division (Clinger 1990); the others go to strtod. */
static bool number(const char **text, double *ret)
{
    static const double powers[EXACT_POWER + 1] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const char *start = *text;
    struct digits d = {0};
    const char *p = scan_digits(start + (*start == '-' || *start == '+'), &d);
    if (d.n == 0)
        return false;
    bool plain = d.significant <= EXACT_DIGITS;
    if (*p == 'e' || *p == 'E') {
        const char *e = p + 1 + (p[1] == '-' || p[1] == '+');
        if (!isdigit((unsigned char)*e))
            return false;
        while (isdigit((unsigned char)*e))
            e++;
        p = e;
        plain = false;
    }
    *text = p;
    if (plain && -d.scale <= EXACT_POWER) {
        double v = (double)d.mantissa / powers[-d.scale];
        *ret = *start == '-' ? -v : v;
    } else {
        *ret = strtod(start, NULL);
    }
    return true;
}

static const char *skip_blanks(const char *p)
{
    while (*p == ' ' || *p == '\t')
        p++;
    return p;
}

/* The field at p, cut for an error text. */
static void quote(const char *p, char ret[24])
{
    size_t n = strcspn(p, ",");
    bool cut = n > 16;
    for (size_t i = 0; i < n && i < 16; i++)
        ret[i] = p[i] >= ' ' && p[i] < 127 ? p[i] : '?';
    memcpy(ret + (cut ? 16 : n), cut ? "..." : "", cut ? 4 : 1);
}

static bool is_nonfinite_word(const char *p)
{
    return strncasecmp(p, "nan", 3) == 0 || strncasecmp(p, "inf", 3) == 0;
}

/* A header has a field that starts as a word does. */
static bool is_header(const char *line)
{
    for (const char *p = line; p != NULL; p = strchr(p, ',')) {
        p = skip_blanks(*p == ',' ? p + 1 : p);
        if ((isalpha((unsigned char)*p) && !is_nonfinite_word(p)) || *p == '"' ||
            *p == '_')
            return true;
    }
    return false;
}

static uint64_t count_fields(const char *line, size_t len)
{
    uint64_t n = 1;
    for (const char *p = line, *end = line + len;
         (p = memchr(p, ',', (size_t)(end - p))) != NULL;
         p++)
        n++;
    return n;
}

static int bad_field(
    const char *path, uint64_t line, uint64_t col, const char *p, struct gm_error *err)
{
    char text[24];
    quote(p, text);
    if (*text == '\0')
        return gm_fail(err,
                       -EINVAL,
                       "%s: line %" PRIu64 ", column %" PRIu64 ": is empty",
                       path,
                       line,
                       col);
    return gm_fail(err,
                   -EINVAL,
                   "%s: line %" PRIu64 ", column %" PRIu64
                   ": '%s' is not a finite number",
                   path,
                   line,
                   col,
                   text);
}

/* The values of one line of `cols` fields. */
static int parse_line(const char *path,
                      uint64_t line,
                      const char *text,
                      uint64_t cols,
                      float *ret,
                      struct gm_error *err)
{
    const char *p = text;
    for (uint64_t c = 0; c < cols; c++) {
        const char *field = p = skip_blanks(p);
        double v;
        if (!number(&p, &v))
            return bad_field(path, line, c + 1, field, err);
        p = skip_blanks(p);
        float f = (float)v;
        if ((*p != ',' && *p != '\0') || !isfinite(f))
            return bad_field(path, line, c + 1, field, err);
        ret[c] = f;
        p += *p == ',';
    }
    return 0;
}

/* Walks the lines of data: what csv_rows and csv_read have in common. */
struct walk {
    struct stream *s;
    uint64_t line; /* of the file, from 1 */
    uint64_t cols;
    bool started;
};

/* 1: a line of data, 0: the end, < 0. Every line has w->cols fields. */
static int next_line(struct walk *w, char **ret, struct gm_error *err)
{
    const char *path = stream_path(w->s);
    for (;;) {
        char *text;
        size_t len;
        int rc = stream_line(w->s, &text, &len, err);
        if (rc <= 0)
            return rc;
        w->line++;
        if (memchr(text, '\0', len) != NULL)
            return gm_fail(err,
                           -EINVAL,
                           "%s: line %" PRIu64 " has a zero byte: is it text?",
                           path,
                           w->line);
        if (*skip_blanks(text) == '\0') {
            uint64_t empty = w->line;
            while ((rc = stream_line(w->s, &text, &len, err)) == 1) {
                if (*skip_blanks(text) != '\0')
                    return gm_fail(
                        err, -EINVAL, "%s: line %" PRIu64 " is empty", path, empty);
            }
            return rc;
        }
        uint64_t cols = count_fields(text, len);
        if (w->started && cols != w->cols)
            return gm_fail(err,
                           -EINVAL,
                           "%s: line %" PRIu64 ": %" PRIu64
                           " columns where line 1 has %" PRIu64,
                           path,
                           w->line,
                           cols,
                           w->cols);
        bool header = !w->started && is_header(text);
        w->started = true;
        w->cols = cols;
        if (!header) {
            *ret = text;
            return 1;
        }
    }
}

int csv_rows(struct stream *s, uint64_t *ret_rows, struct gm_error *err)
{
    struct walk w = {.s = s};
    uint64_t rows = 0;
    char *text;
    int rc;
    while ((rc = next_line(&w, &text, err)) == 1)
        rows++;
    if (rc == 0)
        *ret_rows = rows;
    return rc;
}

/* Room for one more row, doubling. */
static int grow(const char *path, struct table *t, uint64_t *room, struct gm_error *err)
{
    if (t->rows < *room)
        return 0;
    uint64_t more = *room == 0 ? 256 : 2 * *room;
    size_t bytes;
    if (__builtin_mul_overflow(more, t->cols * sizeof(float), &bytes))
        return gm_fail(err, -EOVERFLOW, "%s: does not fit into memory", path);
    float *bigger = realloc(t->values, bytes);
    if (bigger == NULL)
        return gm_fail(err, -ENOMEM, "%s: no memory for %" PRIu64 " rows", path, more);
    t->values = bigger;
    *room = more;
    return 0;
}

int csv_read(struct stream *s,
             uint64_t first,
             uint64_t count,
             struct table *ret,
             struct gm_error *err)
{
    const char *path = stream_path(s);
    struct walk w = {.s = s};
    struct table t = {0};
    uint64_t row = 0, room = 0;
    char *text;
    int rc = 0;
    while (t.rows < count && (rc = next_line(&w, &text, err)) == 1) {
        t.cols = w.cols;
        if (row++ < first)
            continue;
        rc = grow(path, &t, &room, err);
        if (rc == 0)
            rc = parse_line(path, w.line, text, t.cols, t.values + t.rows * t.cols, err);
        if (rc != 0)
            break;
        t.rows++;
    }
    if (rc >= 0 && row < first + (count == TABLE_ALL ? 0 : count))
        rc = gm_fail(err,
                     -EINVAL,
                     "%s: has %" PRIu64 " rows, row %" PRIu64 " is asked for",
                     path,
                     row,
                     count == TABLE_ALL ? first : first + count - 1);
    if (rc >= 0 && t.values == NULL && (t.values = malloc(1)) == NULL)
        rc = gm_fail(err, -ENOMEM, "%s: out of memory", path);
    if (rc < 0)
        table_free(&t);
    else
        *ret = t;
    return rc < 0 ? rc : 0;
}
