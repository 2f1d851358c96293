/* RFC 45: a range of counts. v0 = min; next = v + operand, v * operand or v ^ operand;
 * none above max. Text: "min-max[:operand[:op]]" or "min+[:operand[:op]]", op one of
 * + * ^, no leading zeros, no blanks, one optional pair of outer brackets:
 * "2-65536:2:^" is 2, 4, 16, 256, 65536.
 *
 * All numbers are 1 .. RANGE_MAX (2^31 - 1, as Flux stores them); stepping never wraps.
 */
#ifndef SPEC_RANGE_H
#define SPEC_RANGE_H

#include "base/str.h"
#include "gridmill/error.h"
#include <stdbool.h>
#include <stdint.h>

#define RANGE_MAX INT64_C(2147483647)

struct range {
    int64_t min, max; /* max == RANGE_MAX and open: without end */
    bool open;
    char op; /* '+', '*', '^' */
    int64_t operand;
};

/* The number at *at, in `text`; *at moves behind it. No leading zeros, 1 .. RANGE_MAX. */
int range_number(const char *text, const char **at, int64_t *ret, struct gm_error *err);

/* Nothing follows at `at` but the ] of a [ in front. */
int range_end(const char *text, const char *at, struct gm_error *err);

/* -EINVAL names what is wrong and where (characters from 1). Where min == max there is no
 * step: op and operand are '+' and 1 then. */
int range_parse(const char *text, struct range *ret, struct gm_error *err);
/* The rules that text and mapping share: 1 <= min <= max, operand >= 1 (2 for * and ^),
 * min >= 2 for ^, nothing above RANGE_MAX. */
int range_check(const struct range *r, struct gm_error *err);
/* The shortest text that parses to the same: "2-5", "2+", "1-9:2", "2-65536:2:^". */
void range_format(const struct range *r, struct str *out);

bool range_has(const struct range *r, int64_t v);
/* The largest member <= v, or 0: none. */
int64_t range_floor(const struct range *r, int64_t v);
/* The smallest member >= v, or 0: none. */
int64_t range_ceil(const struct range *r, int64_t v);
uint64_t range_count(const struct range *r);

#endif
