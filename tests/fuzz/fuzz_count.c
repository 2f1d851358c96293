/* spec/count.h: text both ways, byte for byte from the second time on; a count is an
 * integer, an idset or a range, and idset and range agree with what it has. */
#include "base/idset.h"
#include "fuzz.h"
#include "spec/count.h"

static void check_floor(const struct count *c, int64_t v, const char *text)
{
    int64_t floor = count_floor(c, v);
    FUZZ_CHECK(floor >= 0 && floor <= (v > 0 ? v : 0), "%s", text);
    FUZZ_CHECK(floor == 0 || count_has(c, floor), "%s", text);
    FUZZ_CHECK((v > 0 && floor == v) == count_has(c, v), "%s", text);
    FUZZ_CHECK(floor != 0 || v < count_min(c), "%s: %lld", text, (long long)v);
}

static void check_against_idset(const struct count *c, const char *text)
{
    AUTO(idset) set = NULL;
    if (idset_parse(text, &set, NULL) != 0)
        return;
    for (unsigned id = 0; id < 70; id++)
        FUZZ_CHECK(idset_has(set, id) == count_has(c, id), "%s: %u", text, id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE(char) text = fuzz_text(data, size);
    AUTO(arena) a = arena_make();
    struct count c = {0}, again = {0};
    struct gm_error err = {0};
    int rc = count_parse(a, text, &c, &err);
    if (rc != 0) {
        struct range r;
        fuzz_refused(rc, -EINVAL, &err, text);
        FUZZ_CHECK(range_parse(text, &r, NULL) != 0, "%s is a range", text);
        return 0;
    }
    AUTO_STR back = {0};
    AUTO_STR twice = {0};
    count_format(&c, &back);
    FUZZ_CHECK(back.len <= strlen(text), "%s is longer than %s", back.text, text);
    FUZZ_CHECK(count_parse(a, back.text, &again, &err) == 0, "%s", err.text);
    count_format(&again, &twice);
    FUZZ_CHECK(strcmp(back.text, twice.text) == 0, "%s %s", back.text, twice.text);
    FUZZ_CHECK(c.kind == again.kind && c.n_runs == again.n_runs, "%s", text);
    FUZZ_CHECK(
        count_has(&c, count_min(&c)) && !count_has(&c, count_min(&c) - 1), "%s", text);
    for (int64_t v = -2; v < 70; v++)
        check_floor(&c, v, text);
    check_floor(&c, c.range.max, text);
    check_floor(&c, INT64_MAX, text);
    check_against_idset(&c, text);
    return 0;
}
