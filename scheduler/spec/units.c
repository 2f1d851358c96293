/* See units.h. The number of a duration is what C's strtod takes, as RFC 23 has it
 * ("1e3", "0x10"), without blanks, "nan" and a minus; that of a size is a plain decimal,
 * so that a suffix is never swallowed by the number. */
#include "units.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <strings.h>

struct suffix {
    const char *text;
    double factor;
};

/* Digits with at most one point; returns what follows, NULL when there is no number. */
static const char *number_end(const char *text)
{
    size_t whole = strspn(text, "0123456789"), part = 0;
    const char *p = text + whole;
    if (*p == '.') {
        part = strspn(p + 1, "0123456789");
        p += 1 + part;
    }
    return whole + part > 0 ? p : NULL;
}

static const struct suffix *suffix_find(const struct suffix *all, const char *text)
{
    for (; all->text != NULL; all++) {
        if (strcmp(all->text, text) == 0)
            return all;
    }
    return NULL;
}

/* RFC 23's number at the front; what follows it, NULL when there is none. */
static const char *duration_number(const char *text, double *ret)
{
    const char *digits = text + (*text == '+');
    char *end;
    if (*digits != '.' && (*digits < '0' || *digits > '9'))
        return NULL;
    *ret = strtod(text, &end);
    return end > text ? end : NULL;
}

int units_duration(const char *text, double *ret, struct gm_error *err)
{
    static const struct suffix suffixes[] = {
        {"", 1}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {NULL, 0}};
    if (strcasecmp(text, "inf") == 0 || strcasecmp(text, "infinity") == 0) {
        *ret = (double)INFINITY;
        return 0;
    }
    if (text[0] == '-')
        return gm_fail(err, -EINVAL, "must not be negative");
    double number = 0;
    errno = 0;
    const char *end = duration_number(text, &number);
    bool rounded = errno == ERANGE;
    if (end == NULL)
        return gm_fail(
            err, -EINVAL, "'%.80s' is no duration: write 90, 90s, 1.5h or inf", text);
    const struct suffix *unit = suffix_find(suffixes, end);
    if (unit == NULL && (end[0] == ':' || (strchr("smhd", end[0]) != NULL &&
                                           end[strcspn(end, "0123456789")] != '\0')))
        return gm_fail(err,
                       -EINVAL,
                       "'%.80s' is no duration: write one number and one unit, as in 90m "
                       "or 1.5h",
                       text);
    if (unit == NULL)
        return gm_fail(err,
                       -EINVAL,
                       "'%.80s' is no duration: '%.80s' is not one of ms, s, m, h, d",
                       text,
                       end);
    double v = strcmp(unit->text, "ms") == 0 ? number / 1e3 : number * unit->factor;
    if (!isfinite(v))
        return gm_fail(err, -EINVAL, "'%.80s' is too long: write inf", text);
    if (!(v > 0) && (rounded || number > 0))
        return gm_fail(err, -EINVAL, "'%.80s' is too short to be told from 0", text);
    *ret = v;
    return 0;
}

/* "2G" could be either: the words that it might mean. */
static const char *ambiguous(const char *suffix)
{
    static const char *const words[] = {"K",
                                        "kB or KiB",
                                        "k",
                                        "kB or KiB",
                                        "M",
                                        "MB or MiB",
                                        "G",
                                        "GB or GiB",
                                        "T",
                                        "TB or TiB",
                                        NULL};
    for (size_t i = 0; words[i] != NULL; i += 2) {
        if (strcmp(words[i], suffix) == 0)
            return words[i + 1];
    }
    return NULL;
}

static int too_large(const char *text, struct gm_error *err)
{
    return gm_fail(err, -EINVAL, "'%.80s' is more than 2^63 - 1 bytes", text);
}

int units_bytes(const char *text, uint64_t *ret, struct gm_error *err)
{
    static const struct suffix suffixes[] = {{"", 1},
                                             {"B", 1},
                                             {"kB", 1e3},
                                             {"KB", 1e3},
                                             {"MB", 1e6},
                                             {"GB", 1e9},
                                             {"TB", 1e12},
                                             {"KiB", 1024},
                                             {"MiB", 1 << 20},
                                             {"GiB", 1 << 30},
                                             {"TiB", 1099511627776.0},
                                             {NULL, 0}};
    if (text[0] == '-')
        return gm_fail(err, -EINVAL, "must not be negative");
    const char *end = number_end(text);
    if (end == NULL)
        return gm_fail(
            err, -EINVAL, "'%.80s' is no size: write 512MB, 2GiB or 1024", text);
    const char *either = ambiguous(end);
    if (either != NULL)
        return gm_fail(
            err, -EINVAL, "'%.80s' may mean two things: write %s", text, either);
    const struct suffix *unit = suffix_find(suffixes, end);
    if (unit == NULL)
        return gm_fail(
            err,
            -EINVAL,
            "'%.80s' is no size: '%.80s' is not one of B, kB, MB, GB, TB, KiB, MiB, "
            "GiB, TiB",
            text,
            end);
    uint64_t v = 0;
    if (memchr(text, '.', (size_t)(end - text)) == NULL) {
        errno = 0;
        unsigned long long n = strtoull(text, NULL, 10);
        bool over =
            errno == ERANGE || __builtin_mul_overflow(n, (uint64_t)unit->factor, &v);
        if (over || v > INT64_MAX)
            return too_large(text, err);
    } else {
        double d = strtod(text, NULL) * unit->factor;
        if (d >= 9223372036854775808.0)
            return too_large(text, err);
        v = (uint64_t)d;
        if ((double)v != d)
            return gm_fail(err, -EINVAL, "'%.80s' is no whole number of bytes", text);
    }
    *ret = v;
    return 0;
}
