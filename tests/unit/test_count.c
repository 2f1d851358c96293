/* spec/count.h: RFC 14's counts. The accepted and refused kinds are those of Flux's own
 * codec test; what differs on purpose has a test of its own. */
#include "spec/count.h"

#include <criterion/criterion.h>

Test(count, good_text_is_read_and_written_back_in_its_shortest_form)
{
    static const struct {
        const char *text, *back, *json;
        enum count_kind kind;
    } rows[] = {
        {"1", "1", "1", COUNT_FIXED},
        {"12", "12", "12", COUNT_FIXED},
        {"2147483647", "2147483647", "2147483647", COUNT_FIXED},
        {"[12]", "12", "12", COUNT_FIXED},
        {"6-6", "6", "6", COUNT_FIXED},
        {"[6-6]", "6", "6", COUNT_FIXED},
        {"6-6:2:*", "6", "6", COUNT_FIXED},
        {"4-6", "4-6", "\"4-6\"", COUNT_SET},
        {"[4-6]", "4-6", "\"4-6\"", COUNT_SET},
        {"4,5,6", "4-6", "\"4-6\"", COUNT_SET},
        {"4,5-6", "4-6", "\"4-6\"", COUNT_SET},
        {"4-5,6-8", "4-8", "\"4-8\"", COUNT_SET},
        {"4-6:1", "4-6", "\"4-6\"", COUNT_SET},
        {"4-6:1:+", "4-6", "\"4-6\"", COUNT_SET},
        {"3,9,27", "3,9,27", "\"3,9,27\"", COUNT_SET},
        {"[3,9,27]", "3,9,27", "\"3,9,27\"", COUNT_SET},
        {"1,4-6,9,11-12", "1,4-6,9,11-12", "\"1,4-6,9,11-12\"", COUNT_SET},
        {"1-2147483647", "1-2147483647", "\"1-2147483647\"", COUNT_SET},
        {"1,2147483646-2147483647",
         "1,2147483646-2147483647",
         "\"1,2147483646-2147483647\"",
         COUNT_SET},
        {"3+", "3+", "\"3+\"", COUNT_RANGE},
        {"[3+:1:+]", "3+", "\"3+\"", COUNT_RANGE},
        {"3+:4", "3+:4", "\"3+:4\"", COUNT_RANGE},
        {"3-20:4:+", "3-20:4", "\"3-20:4\"", COUNT_RANGE},
        {"3-20:2:*", "3-20:2:*", "\"3-20:2:*\"", COUNT_RANGE},
        {"[3-99:2:^]", "3-99:2:^", "\"3-99:2:^\"", COUNT_RANGE},
        {"2147483647+", "2147483647+", "\"2147483647+\"", COUNT_RANGE},
    };
    AUTO(arena) a = arena_make();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct count c = {0}, again = {0};
        struct gm_error err = {0};
        cr_assert_eq(count_parse(a, rows[i].text, &c, &err), 0, "%s", err.text);
        cr_expect_eq(c.kind, rows[i].kind, "%s", rows[i].text);
        AUTO_STR back = {0};
        AUTO_STR twice = {0};
        AUTO_JSON j = {0};
        count_format(&c, &back);
        count_json(&j, &c);
        cr_expect_str_eq(str_text(&back), rows[i].back);
        cr_expect_str_eq(str_text(&j.out), rows[i].json);
        cr_assert_eq(count_parse(a, str_text(&back), &again, NULL), 0);
        count_format(&again, &twice);
        cr_expect_str_eq(str_text(&twice), rows[i].back);
        cr_expect_eq(again.kind, c.kind, "%s", rows[i].text);
    }
}

Test(count, bad_text_is_told_with_its_place)
{
    static const struct {
        const char *text, *told;
    } rows[] = {
        {"", "'': a number must stand at character 1"},
        {"[]", "'[]': a number must stand at character 2"},
        {"{}", "'{}': a number must stand at character 1"},
        {"n", "'n': a number must stand at character 1"},
        {" 3", "' 3': a number must stand at character 1"},
        {"3 ", "'3 ': nothing may follow at character 2"},
        {"1.5", "'1.5': nothing may follow at character 2"},
        {"1e3", "'1e3': nothing may follow at character 2"},
        {"1-4k", "'1-4k': nothing may follow at character 4"},
        {"0", "'0': the number at character 1 must be 1 .. 2147483647"},
        {"[0]", "'[0]': the number at character 2 must be 1 .. 2147483647"},
        {"0,3", "'0,3': the number at character 1 must be 1 .. 2147483647"},
        {"0-3", "'0-3': the number at character 1 must be 1 .. 2147483647"},
        {"00", "'00': a leading zero at character 1"},
        {"3,04", "'3,04': a leading zero at character 3"},
        {"-3", "'-3': a number must stand at character 1"},
        {"[-3]", "'[-3]': a number must stand at character 2"},
        {"3-", "'3-': a number must stand at character 3"},
        {"[3-]", "'[3-]': a number must stand at character 4"},
        {"3,", "'3,': a number must stand at character 3"},
        {",3", "',3': a number must stand at character 1"},
        {"3,,4", "'3,,4': a number must stand at character 3"},
        {"4,3", "'4,3': numbers must ascend at character 3"},
        {"3,3", "'3,3': numbers must ascend at character 3"},
        {"3-6,5-8", "'3-6,5-8': numbers must ascend at character 5"},
        {"6-3", "'6-3': numbers must ascend at character 1"},
        {"6-3:1:+", "'6-3:1:+': the largest count must be 6 .. 2147483647"},
        {"[3", "'[3': a ] must stand at character 3"},
        {"3]", "'3]': nothing may follow at character 2"},
        {"[[3]]", "'[[3]]': a number must stand at character 2"},
        {"[[3,4]", "'[[3,4]': a number must stand at character 2"},
        {"[3,4]]", "'[3,4]]': nothing may follow at character 6"},
        {"3,[4", "'3,[4': a number must stand at character 3"},
        {"3]4", "'3]4': nothing may follow at character 2"},
        {"[3]4", "'[3]4': nothing may follow at character 4"},
        {"[3][4]", "'[3][4]': nothing may follow at character 4"},
        {"3-9:02", "'3-9:02': a leading zero at character 5"},
        {"3-9:2;*", "'3-9:2;*': nothing may follow at character 6"},
        {"3-9:1:*", "'3-9:1:*': the operand of * must be 2 .. 2147483647"},
        {"3-9:1:^", "'3-9:1:^': the operand of ^ must be 2 .. 2147483647"},
        {"3-9:2:/", "'3-9:2:/': one of + * ^ must stand at character 7"},
        {"3-9:2:**", "'3-9:2:**': nothing may follow at character 8"},
        {"1,3+", "'1,3+': - or + must stand at character 2"},
        {"3-9:2,12", "'3-9:2,12': nothing may follow at character 6"},
    };
    AUTO(arena) a = arena_make();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_error err = {0};
        struct count c = {.n_runs = 77};
        cr_expect_eq(
            count_parse(a, rows[i].text, &c, &err), -EINVAL, "'%s'", rows[i].text);
        cr_expect_str_eq(err.text, rows[i].told);
        cr_expect_eq(c.n_runs, 77, "'%s' touched its result", rows[i].text);
    }
}

/* Flux keeps the low 32 bits of a number and steps until it wraps; it takes 1 to a power,
 * which RFC 14 does not. */
Test(count, what_flux_lets_pass_and_rfc_14_does_not_is_refused)
{
    static const char *const rows[] = {"2147483648",
                                       "4294967297",
                                       "1-4294967298",
                                       "3,4294967300",
                                       "4294967298+:2:*",
                                       "2-9:4294967298",
                                       "18446744073709551617",
                                       "1-9:2:^",
                                       "1+:2:^"};
    AUTO(arena) a = arena_make();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct count c;
        cr_expect_eq(count_parse(a, rows[i], &c, NULL), -EINVAL, "%s", rows[i]);
    }
}

Test(count, members_are_found_in_every_kind)
{
    static const struct {
        const char *text;
        int64_t v, floor;
    } rows[] = {
        {"4", 3, 0},
        {"4", 4, 4},
        {"4", 5, 4},
        {"3,9,27", 2, 0},
        {"3,9,27", 3, 3},
        {"3,9,27", 8, 3},
        {"3,9,27", 9, 9},
        {"3,9,27", 26, 9},
        {"3,9,27", 1000, 27},
        {"2-4,8-9", 1, 0},
        {"2-4,8-9", 3, 3},
        {"2-4,8-9", 7, 4},
        {"2-4,8-9", 8, 8},
        {"2-4,8-9", 99, 9},
        {"5+", 4, 0},
        {"5+", 123456, 123456},
        {"2+:2:*", 63, 32},
        {"2-65536:2:^", 255, 16},
        {"1-2147483647", INT64_MAX, RANGE_MAX},
        {"2-9", INT64_MIN, 0},
    };
    AUTO(arena) a = arena_make();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct count c = {0};
        cr_assert_eq(count_parse(a, rows[i].text, &c, NULL), 0);
        cr_expect_eq(count_floor(&c, rows[i].v), rows[i].floor, "row %zu", i);
        cr_expect_eq(count_has(&c, rows[i].v), rows[i].floor == rows[i].v, "row %zu", i);
        cr_expect_not(count_has(&c, 0), "%s", rows[i].text);
        cr_expect(count_has(&c, count_min(&c)), "%s", rows[i].text);
        cr_expect_eq(count_is_fixed(&c), strcmp(rows[i].text, "4") == 0);
    }
}

Test(count, a_mapping_is_written_as_the_mapping_it_was)
{
    struct count c = {
        .kind = COUNT_RANGE, .range = {2, RANGE_MAX, true, '+', 1}, .mapping = true};
    AUTO_JSON j = {0};
    json_begin(&j, '[');
    count_json(&j, &c);
    c.range = (struct range){2, 16, false, '*', 2};
    c.ended = c.operated = true;
    count_json(&j, &c);
    c.operated = false;
    c.range = (struct range){3, 3, false, '+', 1};
    count_json(&j, &c);
    json_end(&j, ']');
    cr_expect_str_eq(str_text(&j.out),
                     "[{\"min\":2},"
                     "{\"min\":2,\"max\":16,\"operator\":\"*\",\"operand\":2},"
                     "{\"min\":3,\"max\":3}]");
    AUTO_STR text = {0};
    count_format(&c, &text);
    cr_expect_str_eq(str_text(&text), "3", "as Flux writes it");
}
