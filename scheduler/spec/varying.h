/* What varies from task to task, as a rule: the canonical text that tasks_args gives as
 * `varying` (a test compares), computed from the task's number alone. So results need not
 * keep it for each of 10^7 tasks. */
#ifndef SPEC_VARYING_H
#define SPEC_VARYING_H

#include "base/str.h"
#include "spec/jobspec.h"

enum varying_kind {
    VARYING_TEXT = 0, /* texts[0] */
    VARYING_CHOICE,   /* texts[number] */
    VARYING_INTEGER,  /* first + number * step */
    VARYING_REAL,     /* the same as a floating-point number */
    VARYING_REST      /* the least of step and first - number * step */
};

struct varying_piece { /* its number: task / divisor % modulus */
    enum varying_kind kind;
    uint64_t divisor, modulus; /* not 0 */
    int64_t first, step;
    const char *const *texts; /* as they stand in the JSON */
};

struct varying { /* the pieces side by side; n 0: nothing varies */
    const struct varying_piece *pieces;
    unsigned n;
};

#define VARYING_PIECES_MOST 100000u

/* -ENOTSUP (err untouched): what varies depends on what other tasks committed, on which
 * files there are, takes more pieces than that, or it is a command's. Everything is
 * allocated in `a`. */
int varying_make(const struct jobspec *spec,
                 unsigned stage,
                 struct arena *a,
                 struct varying *ret,
                 struct gm_error *err);
void varying_text(const struct varying *v, uint64_t task, struct str *out);

#endif
