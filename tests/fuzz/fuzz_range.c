/* spec/range.h: text both ways; floor, ceil, has and count agree with each other. */
#include "base/auto.h"
#include "fuzz.h"
#include "spec/range.h"

static void check_members(const struct range *r, const char *text)
{
    int64_t v = r->min;
    unsigned n = 0;
    for (; v != 0 && n < 100; n++) {
        int64_t after = range_ceil(r, v + 1);
        FUZZ_CHECK(v >= r->min && v <= r->max, "%s: %lld", text, (long long)v);
        FUZZ_CHECK(range_has(r, v) && range_floor(r, v) == v, "%s", text);
        FUZZ_CHECK(range_ceil(r, v) == v, "%s", text);
        FUZZ_CHECK(after == 0 || after > v, "%s", text);
        FUZZ_CHECK(after == 0 || range_floor(r, after - 1) == v, "%s", text);
        FUZZ_CHECK(after <= v + 1 || !range_has(r, v + 1), "%s", text);
        v = after;
    }
    FUZZ_CHECK(v != 0 || range_count(r) == n, "%s: %u members", text, n);
    FUZZ_CHECK(v == 0 || range_count(r) > n, "%s: more than %u members", text, n);
    FUZZ_CHECK(
        range_ceil(r, r->max + 1) == 0 && range_floor(r, r->min - 1) == 0, "%s", text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE(char) text = fuzz_text(data, size);
    struct range r = {0}, again = {0};
    struct gm_error err = {0};
    int rc = range_parse(text, &r, &err);
    if (rc != 0) {
        fuzz_refused(rc, -EINVAL, &err, text);
        return 0;
    }
    FUZZ_CHECK(range_check(&r, &err) == 0, "%s: %s", text, err.text);
    AUTO_STR back = {0};
    range_format(&r, &back);
    FUZZ_CHECK(back.len <= strlen(text), "%s is longer than %s", back.text, text);
    FUZZ_CHECK(range_parse(back.text, &again, &err) == 0, "%s", err.text);
    bool same = r.min == again.min && r.max == again.max && r.open == again.open &&
                r.op == again.op && r.operand == again.operand;
    FUZZ_CHECK(same, "%s is not %s", back.text, text);
    check_members(&r, text);
    return 0;
}
