/* scheduler/cli/caret: two lines of which the second points into the first. */
#include "base/auto.h"
#include "cli/caret.h"
#include <criterion/criterion.h>
#include <locale.h>
#include <time.h>

static char *draw(const char *text, unsigned line, unsigned col, int width, bool utf8)
{
    struct caret c = {.text = text, .len = strlen(text)};
    struct caret_look look = {.width = width, .utf8 = utf8};
    struct str out = {0};
    caret_draw(&c, line, col, &look, &out);
    str_add(&out, "");
    return str_steal(&out);
}

static void is(const char *text, unsigned line, unsigned col, const char *wanted)
{
    AUTO_FREE(char) got = draw(text, line, col, 40, true);
    cr_expect_str_eq(got, wanted, "%s\nwanted\n%sgot\n%s", text, wanted, got);
}

static void in_utf8(void)
{
    cr_assert_not_null(setlocale(LC_CTYPE, "C.UTF-8"));
}

TestSuite(caret, .init = in_utf8);

Test(caret, the_place_stands_below_its_letter)
{
    is("a: 1\nbc: 2\n", 2, 1, "    2 | bc: 2\n      | ^\n");
    is("a: 1\nbc: 2\n", 2, 5, "    2 | bc: 2\n      |     ^\n");
    is("a: 1", 1, 5, "    1 | a: 1\n      |     ^\n");
    is("a: 1", 1, 99, "    1 | a: 1\n      |     ^\n");
    is("a\n\nb", 2, 1, "    2 | \n      | ^\n");
}

Test(caret, a_text_without_the_line_draws_nothing)
{
    is("a: 1\n", 0, 0, "");
    is("a: 1\n", 3, 1, "");
    is("", 2, 1, "");
}

Test(caret, lines_break_where_yaml_breaks_them)
{
    is("\xef\xbb\xbf"
       "a\r\nb\rc\xc2\x85"
       "d\xe2\x80\xa8"
       "e",
       1,
       1,
       "    1 | a\n      | ^\n");
    is("a\r\nb\rc\xc2\x85"
       "d\xe2\x80\xa8"
       "e",
       3,
       1,
       "    3 | c\n      | ^\n");
    is("a\r\nb\rc\xc2\x85"
       "d\xe2\x80\xa8"
       "e",
       5,
       1,
       "    5 | e\n      | ^\n");
}

Test(caret, tabs_and_wide_letters_have_their_columns)
{
    is("\tx: y", 1, 2, "    1 |         x: y\n      |         ^\n");
    is("ab\tx", 1, 4, "    1 | ab      x\n      |         ^\n");
    is("\xe6\x97\xa5\xe6\x9c\xac: x",
       1,
       3, /* two letters of two columns */
       "    1 | \xe6\x97\xa5\xe6\x9c\xac: x\n      |     ^\n");
    is("e\xcc\x81: x",
       1,
       3, /* a letter and its accent: one column */
       "    1 | e\xcc\x81: x\n      |  ^\n");
    is("\xc3\xbc: x", 1, 4, "    1 | \xc3\xbc: x\n      |    ^\n");
}

Test(caret, nothing_in_a_file_steers_the_terminal)
{
    is("a\x1b[31m: \xff", 1, 2, "    1 | a?[31m: ?\n      |  ^\n");
    AUTO_FREE(char) plain = draw("\xc3\xbc: x", 1, 4, 40, false);
    cr_expect_str_eq(plain, "    1 | ?: x\n      |    ^\n");
}

Test(caret, a_long_line_is_cut_around_the_place)
{
    char text[201];
    for (int i = 0; i < 200; i++)
        text[i] = (char)('0' + i % 10);
    text[200] = '\0';
    for (unsigned col = 1; col <= 201; col++) {
        AUTO_FREE(char) got = draw(text, 1, col, 40, false);
        const char *second = strchr(got, '\n') + 1;
        size_t first = (size_t)(second - got - 1), at = strcspn(second, "^");
        cr_assert(first < 40 && at < 40, "column %u: %s", col, got);
        if (col <= 200)
            cr_assert_eq(got[at], text[col - 1], "column %u:\n%s", col, got);
    }
    AUTO_FREE(char) utf8 = draw(text, 1, 100, 40, true);
    cr_expect(strncmp(utf8, "    1 | \xe2\x80\xa6", 11) == 0, "%s", utf8);
}

Test(caret, a_thousand_places_in_a_line_of_megabytes_take_no_time)
{
    size_t len = 8 << 20;
    char *text = malloc(len);
    cr_assert_not_null(text);
    memset(text, 'x', len);
    struct caret c = {.text = text, .len = len};
    struct caret_look look = {.width = 80};
    AUTO_STR out = {0};
    clock_t start = clock();
    for (unsigned i = 0; i < 1000; i++)
        caret_draw(&c, 1, 1 + i * 8000, &look, &out);
    double s = (double)(clock() - start) / CLOCKS_PER_SEC;
    cr_expect(s < 5, "%g s", s);
    free(text);
}
