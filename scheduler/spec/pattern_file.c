/* See pattern.h: a matrix of bytes between ranks, from a text file. Invariant: what is
 * kept names ranks below PATTERN_MOST_RANKS and weights that are finite and above 0. */
#include "base/arena.h"
#include "base/file.h"
#include "base/memory.h"
#include "spec/pattern.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 256 << 20 };

#define MOST_WEIGHT 1e30 /* sums of 2^24 of them are finite as floats */

struct reading {
    const char *path;
    const char *p, *begin; /* here; of this line */
    unsigned line;
    unsigned columns; /* of the first line with numbers; 3: a list */
    unsigned rows;
    struct pattern_pair *pairs;
    size_t n, room;
    struct gm_error *err;
};

/* Puts the place before the sentence. */
static int at_place(const struct reading *r, const char *at)
{
    (void)gm_prefix(r->err, "%s:%u:%zu", r->path, r->line, (size_t)(at - r->begin) + 1);
    return -EINVAL;
}

static const char *skip_blanks(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == ',' || *p == '\r')
        p++;
    return p;
}

static bool line_is_over(const char *p)
{
    return *p == '\0' || *p == '\n' || *p == '#';
}

/* One number of the line; *ret_at is where it begins. */
static int read_number(struct reading *r, const char **ret_at, double *ret)
{
    const char *at = skip_blanks(r->p);
    size_t len = strcspn(at, " \t,\r\n#");
    char *end;
    double v = strtod(at, &end);
    if (len == 0 || end != at + len || strspn(at, "0123456789.+-eE") < len) {
        (void)gm_fail(
            r->err, -EINVAL, "'%.*s' is no number", len < 40 ? (int)len : 40, at);
        return at_place(r, at);
    }
    if (!isfinite(v) || v > MOST_WEIGHT) {
        (void)gm_fail(r->err,
                      -EINVAL,
                      "%.*s: must be %g or less",
                      len < 40 ? (int)len : 40,
                      at,
                      MOST_WEIGHT);
        return at_place(r, at);
    }
    if (v < 0) {
        (void)gm_fail(r->err,
                      -EINVAL,
                      "%.*s: bytes cannot be less than 0",
                      len < 40 ? (int)len : 40,
                      at);
        return at_place(r, at);
    }
    *ret_at = at;
    *ret = v;
    r->p = end;
    return 0;
}

static int keep(struct reading *r, unsigned a, unsigned b, double weight)
{
    if (a == b || !((float)weight > 0))
        return 0;
    if (r->n == PATTERN_MOST_PAIRS) {
        (void)gm_fail(r->err, -EINVAL, "more than %u pairs of ranks", PATTERN_MOST_PAIRS);
        return at_place(r, r->p);
    }
    if (r->n == r->room) {
        r->room = r->room > 0 ? 2 * r->room : 256;
        r->pairs = xrealloc(r->pairs, r->room, sizeof(*r->pairs));
    }
    r->pairs[r->n++] = (struct pattern_pair){a, b, (float)weight};
    return 0;
}

/* The first line's numbers say what the file is. */
static unsigned count_numbers(const char *p)
{
    unsigned n = 0;
    for (p = skip_blanks(p); !line_is_over(p); p = skip_blanks(p)) {
        p += strcspn(p, " \t,\r\n#");
        n++;
    }
    return n;
}

static int read_rank(struct reading *r, unsigned *ret)
{
    const char *at = r->p;
    double v = 0;
    int rc = read_number(r, &at, &v);
    if (rc == 0 && (v != floor(v) || v >= PATTERN_MOST_RANKS)) {
        (void)gm_fail(r->err,
                      -EINVAL,
                      "a line is `i j weight`, and ranks are whole numbers below %u",
                      PATTERN_MOST_RANKS);
        rc = at_place(r, at);
    }
    if (rc == 0)
        *ret = (unsigned)v;
    return rc;
}

static int read_pair(struct reading *r)
{
    const char *at = r->p;
    unsigned a = 0, b = 0;
    double weight = 0;
    int rc = read_rank(r, &a);
    if (rc == 0)
        rc = read_rank(r, &b);
    if (rc == 0)
        rc = read_number(r, &at, &weight);
    return rc == 0 ? keep(r, a, b, weight) : rc;
}

static int read_row(struct reading *r)
{
    int rc = 0;
    if (r->rows > r->columns) {
        (void)gm_fail(
            r->err, -EINVAL, "row %u of a matrix of %u columns", r->rows, r->columns);
        return at_place(r, r->p);
    }
    for (unsigned k = 0; k < r->columns && rc == 0; k++) {
        const char *at = r->p;
        double weight = 0;
        rc = read_number(r, &at, &weight);
        if (rc == 0)
            rc = keep(r, r->rows - 1, k, weight);
    }
    return rc;
}

static int read_line(struct reading *r)
{
    r->begin = r->p;
    r->line++;
    r->p = skip_blanks(r->p);
    unsigned n = count_numbers(r->p);
    if (n > 0 && r->columns == 0)
        r->columns = n;
    if (n > PATTERN_MOST_RANKS) {
        (void)gm_fail(r->err, -EINVAL, "more than %u numbers", PATTERN_MOST_RANKS);
        return at_place(r, r->p);
    }
    if (n > 0 && n != r->columns) {
        (void)gm_fail(r->err,
                      -EINVAL,
                      "%u number%s, and the lines above have %u",
                      n,
                      n == 1 ? "" : "s",
                      r->columns);
        return at_place(r, r->p);
    }
    int rc = 0;
    if (n > 0) {
        r->rows++;
        rc = r->columns == 3 ? read_pair(r) : read_row(r);
    }
    r->p += strcspn(r->p, "\n");
    r->p += *r->p == '\n';
    return rc;
}

int pattern_read(const char *path,
                 struct arena *a,
                 struct pattern *ret,
                 struct gm_error *err)
{
    AUTO_FREE(char) text = NULL;
    size_t len;
    int rc = file_read(path, MOST_BYTES, &text, &len, err);
    if (rc != 0)
        return rc;
    struct reading r = {.path = path, .p = text, .begin = text, .err = err};
    while (rc == 0 && *r.p != '\0')
        rc = read_line(&r);
    if (rc == 0 && (size_t)(r.p - text) < len)
        rc = gm_fail(err,
                     -EINVAL,
                     "%s: byte %zu is zero: this is no text",
                     path,
                     (size_t)(r.p - text) + 1);
    else if (rc == 0 && r.rows == 0)
        rc = gm_fail(err, -EINVAL, "%s: holds no numbers", path);
    else if (rc == 0 && r.columns != 3 && r.rows != r.columns)
        rc =
            gm_fail(err,
                    -EINVAL,
                    "%s:%u: %u row%s of %u numbers: a matrix has as many rows as columns",
                    path,
                    r.line,
                    r.rows,
                    r.rows == 1 ? "" : "s",
                    r.columns);
    if (rc == 0) {
        struct pattern_pair *pairs = arena_alloc(a, r.n, sizeof(*pairs));
        if (r.n > 0)
            memcpy(pairs, r.pairs, r.n * sizeof(*pairs));
        ret->pairs = pairs;
        ret->n_pairs = r.n;
        ret->n_ranks = r.columns == 3 ? 0 : r.columns;
    }
    free(r.pairs);
    return rc;
}
