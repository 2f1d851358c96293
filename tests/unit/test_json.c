/* base/json.h */
#include "base/json.h"

#include <criterion/criterion.h>
#include <math.h>

static void write_sample(struct json *j)
{
    json_begin(j, '{');
    json_put_string(j, "a", "x");
    json_key(j, "b");
    json_begin(j, '[');
    json_int(j, -1);
    json_uint(j, UINT64_MAX);
    json_bool(j, true);
    json_null(j);
    json_begin(j, '{');
    json_end(j, '}');
    json_end(j, ']');
    json_put_double(j, "c", 0.1);
    json_put_int(j, "d", INT64_MIN);
    json_put_bool(j, "e", false);
    json_end(j, '}');
}

Test(json, one_line_has_commas_where_they_belong)
{
    AUTO_JSON j = {0};
    write_sample(&j);
    cr_expect_str_eq(
        str_text(&j.out),
        "{\"a\":\"x\",\"b\":[-1,18446744073709551615,true,null,{}],\"c\":0.1,"
        "\"d\":-9223372036854775808,\"e\":false}");
}

Test(json, pretty_text_says_the_same_with_lines)
{
    AUTO_JSON j = {.pretty = true};
    json_begin(&j, '{');
    json_put_int(&j, "a", 1);
    json_key(&j, "b");
    json_begin(&j, '[');
    json_end(&j, ']');
    json_key(&j, "c");
    json_begin(&j, '[');
    json_int(&j, 2);
    json_end(&j, ']');
    json_end(&j, '}');
    cr_expect_str_eq(str_text(&j.out),
                     "{\n  \"a\": 1,\n  \"b\": [],\n  \"c\": [\n    2\n  ]\n}\n");
}

Test(json, strings_are_quoted_and_bad_utf8_is_replaced)
{
#define BAD "\xef\xbf\xbd"
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"", "\"\""},
        {"a\"b\\c\n\t\r", "\"a\\\"b\\\\c\\n\\t\\r\""},
        {"\x01\x1f", "\"\\u0001\\u001f\""},
        {"gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\""},
        {"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""},
        {"\xc3", "\"" BAD "\""},                         /* cut */
        {"\xff", "\"" BAD "\""},                         /* never legal */
        {"\xc0\x80", "\"" BAD BAD "\""},                 /* overlong NUL */
        {"\xed\xa0\x80", "\"" BAD BAD BAD "\""},         /* a surrogate */
        {"\xf4\x90\x80\x80", "\"" BAD BAD BAD BAD "\""}, /* past U+10FFFF */
        {"\xe2\x82x", "\"" BAD BAD "x\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_JSON j = {0};
        json_string(&j, rows[i].text);
        cr_expect_str_eq(str_text(&j.out), rows[i].want);
    }
    AUTO_JSON j = {0};
    json_string_n(&j, "a\0b", 3);
    cr_expect_str_eq(str_text(&j.out), "\"a\\u0000b\"");
}

Test(json, what_json_lacks_becomes_null)
{
    AUTO_JSON j = {0};
    json_begin(&j, '[');
    json_double(&j, NAN);
    json_double(&j, INFINITY);
    json_double(&j, -INFINITY);
    json_string(&j, NULL);
    json_end(&j, ']');
    cr_expect_str_eq(str_text(&j.out), "[null,null,null,null]");
}
