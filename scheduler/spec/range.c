/* See range.h. Invariant: a range that range_check took has 1 <= min <= max <= RANGE_MAX,
 * and a step from a member either is greater than it or leaves the range; so every walk
 * ends: after 31 steps for * and 5 for ^, and + is arithmetic. */
#include "range.h"

int range_number(const char *text, const char **at, int64_t *ret, struct gm_error *err)
{
    const char *p = *at;
    size_t place = (size_t)(p - text) + 1;
    if (*p < '0' || *p > '9')
        return gm_fail(
            err, -EINVAL, "'%.80s': a number must stand at character %zu", text, place);
    if (p[0] == '0' && p[1] >= '0' && p[1] <= '9')
        return gm_fail(
            err, -EINVAL, "'%.80s': a leading zero at character %zu", text, place);
    int64_t v = 0;
    for (; *p >= '0' && *p <= '9' && v <= RANGE_MAX; p++)
        v = v * 10 + (*p - '0');
    if (v < 1 || v > RANGE_MAX)
        return gm_fail(err,
                       -EINVAL,
                       "'%.80s': the number at character %zu must be 1 .. %lld",
                       text,
                       place,
                       (long long)RANGE_MAX);
    *at = p;
    *ret = v;
    return 0;
}

int range_check(const struct range *r, struct gm_error *err)
{
    int64_t least = r->op == '+' ? 1 : 2;
    if (r->op != '+' && r->op != '*' && r->op != '^')
        return gm_fail(err, -EINVAL, "the operator must be one of + * ^");
    if (r->min < 1 || r->min > RANGE_MAX)
        return gm_fail(
            err, -EINVAL, "the least count must be 1 .. %lld", (long long)RANGE_MAX);
    if (r->max < r->min || r->max > RANGE_MAX)
        return gm_fail(err,
                       -EINVAL,
                       "the largest count must be %lld .. %lld",
                       (long long)r->min,
                       (long long)RANGE_MAX);
    if (r->operand < least || r->operand > RANGE_MAX)
        return gm_fail(err,
                       -EINVAL,
                       "the operand of %c must be %lld .. %lld",
                       r->op,
                       (long long)least,
                       (long long)RANGE_MAX);
    if (r->op == '^' && r->min < 2)
        return gm_fail(err, -EINVAL, "the least count must be 2 or more with ^");
    return 0;
}

/* ":operand" or ":operand:op", where there is one. */
static int
parse_step(const char *text, const char **at, struct range *r, struct gm_error *err)
{
    if (**at != ':')
        return 0;
    (*at)++;
    int rc = range_number(text, at, &r->operand, err);
    if (rc != 0 || **at != ':')
        return rc;
    (*at)++;
    if (**at != '+' && **at != '*' && **at != '^')
        return gm_fail(err,
                       -EINVAL,
                       "'%.80s': one of + * ^ must stand at character %zu",
                       text,
                       (size_t)(*at - text) + 1);
    r->op = *(*at)++;
    return 0;
}

/* "min-max" or "min+" */
static int
parse_ends(const char *text, const char **at, struct range *r, struct gm_error *err)
{
    int rc = range_number(text, at, &r->min, err);
    if (rc != 0)
        return rc;
    if (**at != '-' && **at != '+')
        return gm_fail(err,
                       -EINVAL,
                       "'%.80s': - or + must stand at character %zu",
                       text,
                       (size_t)(*at - text) + 1);
    r->open = **at == '+';
    r->max = RANGE_MAX;
    (*at)++;
    return r->open ? 0 : range_number(text, at, &r->max, err);
}

int range_end(const char *text, const char *at, struct gm_error *err)
{
    bool bracket = text[0] == '[', closed = *at == ']';
    if (closed == bracket && at[bracket] == '\0')
        return 0;
    return gm_fail(err,
                   -EINVAL,
                   "'%.80s': %s at character %zu",
                   text,
                   bracket && *at == '\0' ? "a ] must stand" : "nothing may follow",
                   (size_t)(at - text) + 1 + (bracket && closed));
}

int range_parse(const char *text, struct range *ret, struct gm_error *err)
{
    struct range r = {.op = '+', .operand = 1};
    bool bracket = text[0] == '[';
    const char *at = text + bracket;
    int rc = parse_ends(text, &at, &r, err);
    if (rc == 0)
        rc = parse_step(text, &at, &r, err);
    if (rc != 0)
        return rc;
    if ((rc = range_end(text, at, err)) != 0)
        return rc;
    rc = range_check(&r, err);
    if (rc != 0) {
        (void)gm_prefix(err, "'%.80s'", text);
        return rc;
    }
    if (r.min == r.max) { /* no step to take */
        r.op = '+';
        r.operand = 1;
    }
    *ret = r;
    return 0;
}

void range_format(const struct range *r, struct str *out)
{
    str_printf(out, r->open ? "%lld+" : "%lld-", (long long)r->min);
    if (!r->open)
        str_printf(out, "%lld", (long long)r->max);
    if (r->op != '+')
        str_printf(out, ":%lld:%c", (long long)r->operand, r->op);
    else if (r->operand != 1)
        str_printf(out, ":%lld", (long long)r->operand);
}

/* The member after v, or 0: v was the last. */
static int64_t next(const struct range *r, int64_t v)
{
    int64_t n = v;
    if (r->op == '^') {
        for (int64_t i = 1; i < r->operand && n <= r->max; i++)
            n *= v; /* v >= 2, so 31 rounds; below 2^62 */
    } else {
        n = r->op == '+' ? v + r->operand : v * r->operand; /* both below 2^31 */
    }
    return n > v && n <= r->max ? n : 0;
}

int64_t range_floor(const struct range *r, int64_t v)
{
    if (v < r->min)
        return 0;
    if (v > r->max)
        v = r->max;
    if (r->op == '+')
        return v - (v - r->min) % r->operand;
    int64_t last = r->min;
    for (int64_t m = last; m != 0 && m <= v; m = next(r, m))
        last = m;
    return last;
}

int64_t range_ceil(const struct range *r, int64_t v)
{
    if (v <= r->min)
        return r->min;
    int64_t below = range_floor(r, v);
    return below == v ? v : next(r, below);
}

bool range_has(const struct range *r, int64_t v)
{
    return v >= r->min && range_floor(r, v) == v;
}

uint64_t range_count(const struct range *r)
{
    if (r->op == '+')
        return (uint64_t)((r->max - r->min) / r->operand) + 1;
    uint64_t n = 0;
    for (int64_t m = r->min; m != 0; m = next(r, m))
        n++;
    return n;
}
