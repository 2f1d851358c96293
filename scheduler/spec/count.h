/* RFC 14 `count`: how many of a resource are acceptable. An integer; an idset (RFC 22) of
 * acceptable counts; a range (RFC 45), as text or as a mapping of min, max, operator and
 * operand. Flux's order for text: an integer, else an idset, else a range. */
#ifndef SPEC_COUNT_H
#define SPEC_COUNT_H

#include "base/arena.h"
#include "base/json.h"
#include "spec/range.h"

enum count_kind {
    COUNT_FIXED = 1, /* min == max */
    COUNT_SET,
    COUNT_RANGE
};

struct count {
    enum count_kind kind;
    struct range range; /* FIXED: min == max; SET: its bounds */
    /* SET: its members as closed runs, ascending: [lo, hi] (never expanded). */
    const struct count_run {
        int64_t lo, hi;
    } * runs;
    unsigned n_runs;
    bool mapping; /* was written as a mapping; count_json writes it so again */
    bool ended;   /* ... with max; operated: with operator and operand */
    bool operated;
};

/* Text of any of the three kinds. Members are 1 .. RANGE_MAX; the empty set, 0 and what
 * is beyond are -EINVAL. */
int count_parse(struct arena *a,
                const char *text,
                struct count *ret,
                struct gm_error *err);
struct count count_fixed(int64_t n);

static inline bool count_is_fixed(const struct count *c)
{
    return c->kind == COUNT_FIXED;
}
int64_t count_min(const struct count *c);
/* The largest acceptable one that is <= v, or 0: none. */
int64_t count_floor(const struct count *c, int64_t v);
bool count_has(const struct count *c, int64_t v);

/* As text: "4", "4,9,16", "2-8:2:*". */
void count_format(const struct count *c, struct str *out);
/* As a value of the canonical form: an integer, a string, or the mapping it was. */
void count_json(struct json *j, const struct count *c);

#endif
