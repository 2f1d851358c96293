/* spec/range.h: RFC 45's text, and its members against a plain walk in 128 bits. */
#include "spec/range.h"

#include <criterion/criterion.h>

Test(range, good_text_is_read_and_written_back_in_its_shortest_form)
{
    static const struct {
        const char *text, *back;
        int64_t min, max, operand;
        char op;
        bool open;
    } rows[] = {
        {"2+", "2+", 2, RANGE_MAX, 1, '+', true},
        {"1+:1", "1+", 1, RANGE_MAX, 1, '+', true},
        {"7+:1:+", "7+", 7, RANGE_MAX, 1, '+', true},
        {"7+:3:+", "7+:3", 7, RANGE_MAX, 3, '+', true},
        {"3+:2:*", "3+:2:*", 3, RANGE_MAX, 2, '*', true},
        {"3+:2:^", "3+:2:^", 3, RANGE_MAX, 2, '^', true},
        {"4-9", "4-9", 4, 9, 1, '+', false},
        {"4-9:1:+", "4-9", 4, 9, 1, '+', false},
        {"10-99:10", "10-99:10", 10, 99, 10, '+', false},
        {"10-99:10:+", "10-99:10", 10, 99, 10, '+', false},
        {"1-100:3:*", "1-100:3:*", 1, 100, 3, '*', false},
        {"2-65536:2:^", "2-65536:2:^", 2, 65536, 2, '^', false},
        {"[6-12:6]", "6-12:6", 6, 12, 6, '+', false},
        {"[100+]", "100+", 100, RANGE_MAX, 1, '+', true},
        {"5-5", "5-5", 5, 5, 1, '+', false},
        {"5-5:3:*", "5-5", 5, 5, 1, '+', false},
        {"1-2147483647", "1-2147483647", 1, RANGE_MAX, 1, '+', false},
        {"1-9:2147483647", "1-9:2147483647", 1, 9, RANGE_MAX, '+', false},
        {"2147483647+", "2147483647+", RANGE_MAX, RANGE_MAX, 1, '+', true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct range r = {0};
        cr_assert_eq(range_parse(rows[i].text, &r, NULL), 0, "%s", rows[i].text);
        cr_expect(r.min == rows[i].min && r.max == rows[i].max, "%s", rows[i].text);
        cr_expect(r.op == rows[i].op && r.operand == rows[i].operand, "%s", rows[i].text);
        cr_expect_eq(r.open, rows[i].open, "%s", rows[i].text);
        AUTO_STR back = {0};
        range_format(&r, &back);
        cr_expect_str_eq(str_text(&back), rows[i].back);
    }
}

Test(range, bad_text_is_told_with_its_place)
{
    static const struct {
        const char *text, *told;
    } rows[] = {
        {"", "'': a number must stand at character 1"},
        {"[]", "'[]': a number must stand at character 2"},
        {"x", "'x': a number must stand at character 1"},
        {" 2+", "' 2+': a number must stand at character 1"},
        {"-5", "'-5': a number must stand at character 1"},
        {"+", "'+': a number must stand at character 1"},
        {"7", "'7': - or + must stand at character 2"},
        {"7:2", "'7:2': - or + must stand at character 2"},
        {"7.5+", "'7.5+': - or + must stand at character 2"},
        {"7 +", "'7 +': - or + must stand at character 2"},
        {"3-", "'3-': a number must stand at character 3"},
        {"3--4", "'3--4': a number must stand at character 3"},
        {"03-4", "'03-4': a leading zero at character 1"},
        {"3-04", "'3-04': a leading zero at character 3"},
        {"3-4:01", "'3-4:01': a leading zero at character 5"},
        {"0+", "'0+': the number at character 1 must be 1 .. 2147483647"},
        {"3-0", "'3-0': the number at character 3 must be 1 .. 2147483647"},
        {"3-9:0", "'3-9:0': the number at character 5 must be 1 .. 2147483647"},
        {"2147483648+",
         "'2147483648+': the number at character 1 must be 1 .. 2147483647"},
        {"1-4294967297",
         "'1-4294967297': the number at character 3 must be 1 .. 2147483647"},
        {"1-99999999999999999999",
         "'1-99999999999999999999': the number at character 3 must be 1 .. 2147483647"},
        {"9-3", "'9-3': the largest count must be 9 .. 2147483647"},
        {"9-3:1:+", "'9-3:1:+': the largest count must be 9 .. 2147483647"},
        {"3-9:", "'3-9:': a number must stand at character 5"},
        {"3-9:2:", "'3-9:2:': one of + * ^ must stand at character 7"},
        {"3-9:2:/", "'3-9:2:/': one of + * ^ must stand at character 7"},
        {"3-9:+", "'3-9:+': a number must stand at character 5"},
        {"3-9:2;+", "'3-9:2;+': nothing may follow at character 6"},
        {"3-9:2:++", "'3-9:2:++': nothing may follow at character 8"},
        {"3+9", "'3+9': nothing may follow at character 3"},
        {"3-9 ", "'3-9 ': nothing may follow at character 4"},
        {"3-9:1:*", "'3-9:1:*': the operand of * must be 2 .. 2147483647"},
        {"3-9:1:^", "'3-9:1:^': the operand of ^ must be 2 .. 2147483647"},
        {"1-9:2:^", "'1-9:2:^': the least count must be 2 or more with ^"},
        {"[3-9", "'[3-9': a ] must stand at character 5"},
        {"3-9]", "'3-9]': nothing may follow at character 4"},
        {"[3-9]]", "'[3-9]]': nothing may follow at character 6"},
        {"[[3-9]]", "'[[3-9]]': a number must stand at character 2"},
        {"[3+]:2", "'[3+]:2': nothing may follow at character 5"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_error err = {0};
        struct range r = {.min = 77};
        cr_expect_eq(range_parse(rows[i].text, &r, &err), -EINVAL, "'%s'", rows[i].text);
        cr_expect_str_eq(err.text, rows[i].told);
        cr_expect_eq(r.min, 77, "'%s' touched its result", rows[i].text);
    }
}

Test(range, check_refuses_what_a_mapping_may_hold)
{
    static const struct {
        struct range r;
        const char *told;
    } rows[] = {
        {{2, 8, false, '/', 2}, "the operator must be one of + * ^"},
        {{-2, 8, false, '+', 1}, "the least count must be 1 .. 2147483647"},
        {{0, 8, false, '+', 1}, "the least count must be 1 .. 2147483647"},
        {{INT64_MAX, INT64_MAX, false, '+', 1},
         "the least count must be 1 .. 2147483647"},
        {{8, 2, false, '+', 1}, "the largest count must be 8 .. 2147483647"},
        {{8, INT64_MAX, false, '+', 1}, "the largest count must be 8 .. 2147483647"},
        {{2, 8, false, '+', 0}, "the operand of + must be 1 .. 2147483647"},
        {{2, 8, false, '+', -1}, "the operand of + must be 1 .. 2147483647"},
        {{2, 8, false, '*', 1}, "the operand of * must be 2 .. 2147483647"},
        {{2, 8, false, '^', INT64_MAX}, "the operand of ^ must be 2 .. 2147483647"},
        {{1, 8, false, '^', 2}, "the least count must be 2 or more with ^"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_error err = {0};
        cr_expect_eq(range_check(&rows[i].r, &err), -EINVAL, "row %zu", i);
        cr_expect_str_eq(err.text, rows[i].told);
    }
    struct range good = {1, RANGE_MAX, true, '*', 2};
    cr_expect_eq(range_check(&good, NULL), 0);
}

/* The members by the definition, in 128 bits; at most `room` of them. */
static size_t members(const struct range *r, int64_t *out, size_t room)
{
    size_t n = 0;
    for (__int128 v = r->min; v <= r->max && n < room;) {
        out[n++] = (int64_t)v;
        __int128 base = v;
        if (r->op == '+')
            v += r->operand;
        else if (r->op == '*')
            v *= r->operand;
        else
            for (int64_t i = 1; i < r->operand && v <= r->max; i++)
                v *= base;
    }
    return n;
}

static void check_members(const struct range *r, int64_t upto)
{
    int64_t all[4096];
    size_t n = members(r, all, 4096), at = 0;
    for (int64_t v = 0; v <= upto; v++) {
        while (at < n && all[at] < v)
            at++;
        bool in = at < n && all[at] == v;
        int64_t floor = in ? v : at > 0 ? all[at - 1] : 0;
        cr_assert_eq(range_has(r, v), in, "%lld", (long long)v);
        cr_assert_eq(range_floor(r, v), floor, "%lld", (long long)v);
        cr_assert_eq(range_ceil(r, v), at < n ? all[at] : 0, "%lld", (long long)v);
    }
    if (n < 4096)
        cr_assert_eq(range_count(r), n);
}

Test(range, members_are_those_of_the_definition)
{
    static const int64_t ends[] = {1, 2, 3, 7, 8, 50, 256, 1000};
    unsigned n = sizeof(ends) / sizeof(ends[0]);
    for (unsigned i = 0; i < n * n * 3 * 4; i++) {
        struct range r = {.min = ends[i % n],
                          .max = ends[i / n % n],
                          .op = "+*^"[i / n / n % 3],
                          .operand = 1 + i / n / n / 3};
        if (range_check(&r, NULL) == 0)
            check_members(&r, 1200);
    }
}

Test(range, stepping_never_wraps)
{
    static const struct {
        const char *text;
        uint64_t n;
        int64_t last;
    } rows[] = {
        {"2+:2:*", 30, 1 << 30},
        {"3+:2:*", 30, INT64_C(3) << 29},
        {"2+:2:^", 5, 65536},
        {"2147483647+:2147483647:^", 1, RANGE_MAX},
        {"2+:2147483647:^", 1, 2},
        {"46341+:2:^", 1, 46341}, /* its square is just beyond */
        {"46340+:2:^", 2, INT64_C(46340) * 46340},
        {"1+:2147483647:*", 2, RANGE_MAX},
        {"1+", RANGE_MAX, RANGE_MAX},
        {"2+:2147483647", 1, 2},
        {"1+:2147483646", 2, RANGE_MAX},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct range r = {0};
        cr_assert_eq(range_parse(rows[i].text, &r, NULL), 0);
        cr_expect_eq(range_count(&r), rows[i].n, "%s", rows[i].text);
        cr_expect_eq(range_floor(&r, INT64_MAX), rows[i].last, "%s", rows[i].text);
        cr_expect_eq(range_ceil(&r, INT64_MAX), 0, "%s", rows[i].text);
        cr_expect_eq(range_ceil(&r, rows[i].last + 1), 0, "%s", rows[i].text);
        cr_expect_eq(range_ceil(&r, INT64_MIN), r.min, "%s", rows[i].text);
        cr_expect_eq(range_floor(&r, INT64_MIN), 0, "%s", rows[i].text);
        cr_expect(range_has(&r, rows[i].last) && !range_has(&r, rows[i].last + 1));
    }
}
