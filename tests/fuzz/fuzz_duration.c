/* spec/units.h: a duration is what strtod makes of its number, times its unit; sizes are
 * whole and below 2^63. */
#include "base/auto.h"
#include "fuzz.h"
#include "spec/units.h"
#include <ctype.h>
#include <math.h>

static double factor_of(const char *unit)
{
    switch (unit[0]) {
    case 'm':
        return unit[1] == 's' ? 1e-3 : 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    default:
        return 1;
    }
}

static void check_duration(const char *text)
{
    double v = -1;
    struct gm_error err = {0};
    int rc = units_duration(text, &v, &err);
    if (rc != 0) {
        fuzz_refused(rc, -EINVAL, &err, text);
        FUZZ_CHECK(v < 0, "%s touched its result", text);
        return;
    }
    FUZZ_CHECK(v >= 0, "%s: %g", text, v);
    FUZZ_CHECK(!isspace((unsigned char)text[0]), "'%s' begins with a blank", text);
    char *end;
    double number = strtod(text, &end), want = number * factor_of(end);
    bool near = fabs(v - want) <= 1e-15 * want || (isinf(v) && isinf(want));
    FUZZ_CHECK(near || want < 1e-300, "%s: %g, not %g", text, v, want);
    FUZZ_CHECK(v > 0 || !(number > 0), "%s became 0", text);
}

static void check_bytes(const char *text)
{
    uint64_t n = UINT64_MAX;
    struct gm_error err = {0};
    int rc = units_bytes(text, &n, &err);
    if (rc != 0) {
        fuzz_refused(rc, -EINVAL, &err, text);
        FUZZ_CHECK(n == UINT64_MAX, "%s touched its result", text);
        return;
    }
    FUZZ_CHECK(n <= INT64_MAX, "%s", text);
    char again[32];
    uint64_t same = 0;
    (void)snprintf(again, sizeof(again), "%lluB", (unsigned long long)n);
    FUZZ_CHECK(units_bytes(again, &same, NULL) == 0 && same == n, "%s", text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE(char) text = fuzz_text(data, size);
    check_duration(text);
    check_bytes(text);
    return 0;
}
