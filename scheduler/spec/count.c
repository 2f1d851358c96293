/* See count.h. Invariant: of what count_parse gave, each set of numbers has one form: one
 * number is FIXED, a closed run of them is a SET of one run (never "2-5:1" as a RANGE),
 * runs ascend and do not touch. So equal text means equal counts. */
#include "count.h"

struct count count_fixed(int64_t n)
{
    return (struct count){.kind = COUNT_FIXED,
                          .range = {.min = n, .max = n, .op = '+', .operand = 1}};
}

/* "3" or "2-5" of a set */
static int read_run(const char *text,
                    const char **at,
                    int64_t above,
                    struct count_run *ret,
                    struct gm_error *err)
{
    size_t place = (size_t)(*at - text) + 1;
    int rc = range_number(text, at, &ret->lo, err);
    ret->hi = ret->lo;
    if (rc == 0 && **at == '-') {
        (*at)++;
        rc = range_number(text, at, &ret->hi, err);
    }
    if (rc != 0)
        return rc;
    if (ret->lo <= above || ret->hi < ret->lo)
        return gm_fail(
            err, -EINVAL, "'%.80s': numbers must ascend at character %zu", text, place);
    return 0;
}

static unsigned count_commas(const char *text)
{
    unsigned n = 0;
    for (; (text = strchr(text, ',')) != NULL; text++)
        n++;
    return n;
}

/* An idset (RFC 22) of acceptable counts, one number included. */
static int
parse_set(struct arena *a, const char *text, struct count *ret, struct gm_error *err)
{
    const char *at = text + (text[0] == '[');
    struct count_run *runs =
        arena_alloc(a, (size_t)count_commas(text) + 1, sizeof(*runs));
    unsigned n = 0;
    int64_t last = 0;
    for (bool more = true; more; at += more) {
        struct count_run run = {0};
        int rc = read_run(text, &at, last, &run, err);
        if (rc != 0)
            return rc;
        if (n > 0 && run.lo == last + 1)
            runs[n - 1].hi = run.hi;
        else
            runs[n++] = run;
        last = run.hi;
        more = *at == ',';
    }
    int rc = range_end(text, at, err);
    if (rc != 0)
        return rc;
    *ret = count_fixed(runs[0].lo);
    if (last == runs[0].lo)
        return 0;
    ret->kind = COUNT_SET;
    ret->range.max = last;
    ret->runs = runs;
    ret->n_runs = n;
    return 0;
}

static int
parse_range(struct arena *a, const char *text, struct count *ret, struct gm_error *err)
{
    struct range r;
    int rc = range_parse(text, &r, err);
    if (rc != 0)
        return rc;
    *ret = count_fixed(r.min);
    if (!r.open && r.min == r.max)
        return 0;
    ret->range = r;
    ret->kind = COUNT_RANGE;
    if (!r.open && r.op == '+' && r.operand == 1) {
        struct count_run *run = arena_alloc(a, 1, sizeof(*run));
        *run = (struct count_run){.lo = r.min, .hi = r.max};
        ret->kind = COUNT_SET;
        ret->runs = run;
        ret->n_runs = 1;
    }
    return 0;
}

/* A range that is no idset has a + or a : in it, and an idset has neither: what Flux
 * finds by trying one after the other. */
int count_parse(struct arena *a,
                const char *text,
                struct count *ret,
                struct gm_error *err)
{
    if (text[strcspn(text, "+:")] != '\0')
        return parse_range(a, text, ret, err);
    return parse_set(a, text, ret, err);
}

int64_t count_min(const struct count *c)
{
    return c->range.min;
}

/* How many runs begin at v or below. */
static unsigned runs_upto(const struct count *c, int64_t v)
{
    unsigned from = 0, to = c->n_runs;
    while (from < to) {
        unsigned mid = from + (to - from) / 2;
        if (c->runs[mid].lo <= v)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

int64_t count_floor(const struct count *c, int64_t v)
{
    if (c->kind != COUNT_SET)
        return range_floor(&c->range, v);
    unsigned n = runs_upto(c, v);
    if (n == 0)
        return 0;
    return v < c->runs[n - 1].hi ? v : c->runs[n - 1].hi;
}

bool count_has(const struct count *c, int64_t v)
{
    return v >= c->range.min && count_floor(c, v) == v;
}

void count_format(const struct count *c, struct str *out)
{
    if (c->kind == COUNT_SET) {
        for (unsigned i = 0; i < c->n_runs; i++) {
            str_printf(out, i > 0 ? ",%lld" : "%lld", (long long)c->runs[i].lo);
            if (c->runs[i].hi > c->runs[i].lo)
                str_printf(out, "-%lld", (long long)c->runs[i].hi);
        }
    } else if (c->range.min == c->range.max && !c->range.open) {
        str_printf(out, "%lld", (long long)c->range.min);
    } else {
        range_format(&c->range, out);
    }
}

static void mapping_json(struct json *j, const struct count *c)
{
    const char op[] = {c->range.op, '\0'};
    json_begin(j, '{');
    json_put_int(j, "min", c->range.min);
    if (c->ended)
        json_put_int(j, "max", c->range.max);
    if (c->operated) {
        json_put_string(j, "operator", op);
        json_put_int(j, "operand", c->range.operand);
    }
    json_end(j, '}');
}

void count_json(struct json *j, const struct count *c)
{
    if (c->mapping) {
        mapping_json(j, c);
    } else if (c->kind == COUNT_FIXED) {
        json_int(j, c->range.min);
    } else {
        AUTO_STR text = {0};
        count_format(c, &text);
        json_string(j, str_text(&text));
    }
}
