/* See scheduler/cli/flat.h and element.h. */
#include "base/json.h"
#include "cli/element.h"
#include "cli/flat.h"
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

/* "name=text;" of each; a string's text in quotes. */
static void expect_flat(const char *json, const char *want)
{
    struct flat f = {0};
    AUTO_STR got = {0};
    flat_read(&f, "{\"an\":\"earlier one\",\"with\":2}");
    flat_read(&f, json);
    for (unsigned i = 0; i < f.n; i++)
        str_printf(&got,
                   f.items[i].string ? "%s='%s';" : "%s=%s;",
                   flat_name(&f, i),
                   flat_text(&f, i));
    cr_expect_str_eq(str_text(&got), want, "%s: %s", json, str_text(&got));
    flat_free(&f);
}

Test(flat, names_and_texts_of_what_varies)
{
    expect_flat("", "");
    expect_flat("{}", "");
    expect_flat("{\"lr\":0.1}", "lr=0.1;");
    expect_flat("{\"a\":1,\"b\":\"x y\",\"c\":true,\"d\":null}",
                "a=1;b='x y';c=true;d=null;");
    expect_flat("{\"shard\":{\"count\":2,\"first\":0},\"z\":1}",
                "shard.count=2;shard.first=0;z=1;");
    expect_flat("{\"l\":[1,[2,\"],\\\"}\"],{}],\"m\":\"\"}",
                "l=[1,[2,\"],\\\"}\"],{}];m='';");
    expect_flat("{\"t\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "t='\"\\/\b\f\n\r\t';");
    expect_flat("{\"u\":\"\\u00e9\\u20ac\\ud83d\\ude00\"}",
                "u='\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80';");
}

Test(flat, what_is_no_such_json_is_kept_as_it_is)
{
    static const char *const bad[] = {"[1]",
                                      "x",
                                      "{",
                                      "{\"a\"",
                                      "{\"a\":",
                                      "{\"a\":}",
                                      "{\"a\":1",
                                      "{\"a\":1,}",
                                      "{\"a\":\"",
                                      "{\"a\":\"\\",
                                      "{\"a\":\"\\u12\"}",
                                      "{\"a\":\"\\x\"}",
                                      "{\"a\":[1}",
                                      "{\"a\":{\"b\":1}",
                                      "{\"a\":1}x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        AUTO_STR want = {0};
        str_printf(&want, "params=%s;", bad[i]);
        expect_flat(bad[i], want.text);
    }
    AUTO_STR deep = {0};
    AUTO_STR kept = {0};
    for (int i = 0; i < 1000; i++)
        str_add(&deep, "{\"a\":");
    str_printf(&kept, "params=%s;", deep.text);
    expect_flat(deep.text, kept.text);
}

/* Every text that a JSON writer makes is read back. */
Test(flat, strings_come_back_from_the_writer)
{
    char text[3] = {0};
    for (unsigned c = 1; c < 0x80; c++) {
        AUTO_JSON j = {0};
        struct flat f = {0};
        text[0] = (char)c;
        text[1] = '"';
        json_begin(&j, '{');
        json_put_string(&j, text, text);
        json_end(&j, '}');
        flat_read(&f, j.out.text);
        cr_assert(f.n == 1 && f.items[0].string, "%u: %s", c, j.out.text);
        cr_expect_str_eq(flat_name(&f, 0), text);
        cr_expect_str_eq(flat_text(&f, 0), text);
        flat_free(&f);
    }
}

static void expect_float(float f, const char *want)
{
    char buf[32];
    struct reader_value v = {.dtype = GM_F32, .data = &f, .nbytes = sizeof(f)};
    const char *got = element_text(&v, 0, buf);
    cr_expect_str_eq(got, want, "%s", got);
    cr_expect(isnan(f) || strtof(got, NULL) == f, "%s", got);
}

Test(element, floats_have_the_fewest_digits_that_read_back)
{
    expect_float(0.1F, "0.1");
    expect_float(1.0F, "1.0");
    expect_float(16777216.0F, "16777216.0");
    expect_float(1.0F / 3.0F, "0.33333334");
    expect_float(FLT_MAX, "3.4028235e+38");
    expect_float(FLT_TRUE_MIN, "1e-45");
    expect_float(NAN, "nan");
    expect_float(-INFINITY, "-inf");
}

Test(element, whole_numbers_are_whole_and_lists_lie_in_lists)
{
    char buf[32];
    const int64_t big[2] = {INT64_MIN, INT64_MAX};
    const int32_t six[6] = {1, -2, 3, 4, 5, 6};
    const double odd[2] = {NAN, 0.5};
    struct reader_value v = {.dtype = GM_I64, .ndim = 1, .dims = {2}};
    AUTO_JSON j = {0};
    v.data = (void *)big;
    v.nbytes = sizeof(big);
    cr_expect_str_eq(element_text(&v, 0, buf), "-9223372036854775808");
    cr_expect_str_eq(element_text(&v, 1, buf), "9223372036854775807");
    cr_expect(element_count(&v) == 2);
    json_begin(&j, '[');
    v = (struct reader_value){.dtype = GM_I32, .ndim = 2, .dims = {2, 3}};
    v.data = (void *)six;
    v.nbytes = sizeof(six);
    element_all_json(&v, &j);
    v = (struct reader_value){.dtype = GM_F64, .ndim = 1, .dims = {2}};
    v.data = (void *)odd;
    v.nbytes = sizeof(odd);
    element_all_json(&v, &j);
    json_end(&j, ']');
    cr_expect_str_eq(j.out.text, "[[[1,-2,3],[4,5,6]],[null,0.5]]");
}
