/* base/str.h */
#include "base/str.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

Test(str, grows_and_stays_terminated)
{
    struct str s = {0};
    cr_expect_str_eq(str_text(&s), "");
    for (int i = 0; i < 1000; i++)
        str_printf(&s, "%d,", i % 10);
    cr_expect_eq(s.len, 2000);
    cr_expect_eq(strlen(s.text), 2000);
    str_clear(&s);
    cr_expect_str_eq(str_text(&s), "");
    str_add_n(&s, "abc", 2);
    cr_expect_str_eq(s.text, "ab");
    char *mine = str_steal(&s);
    cr_expect(s.text == NULL && s.len == 0 && s.room == 0);
    free(mine);
    str_free(&s);
}

Test(str, printf_takes_what_is_longer_than_its_first_guess)
{
    char long_text[1001];
    memset(long_text, 'x', 1000);
    long_text[1000] = '\0';
    for (size_t n = 254; n <= 258; n++) { /* around the 256 bytes on its stack */
        struct str s = {0};
        str_printf(&s, "%.*s", (int)n, long_text);
        cr_expect_eq(s.len, n);
        cr_expect_eq(strncmp(s.text, long_text, n), 0);
        str_free(&s);
    }
}

Test(str, stealing_an_empty_string_gives_an_empty_string)
{
    struct str s = {0};
    char *text = str_steal(&s);
    cr_expect_str_eq(text, "");
    free(text);
}

Test(str, the_nearest_word_is_found_and_far_ones_are_not)
{
    static const char *const keys[] = {
        "ranks", "results", "kernel", "matrix", "per-rank", "job"};
    static const struct {
        const char *word, *want;
    } rows[] = {
        {"rank", "ranks"},
        {"result", "results"},
        {"kernal", "kernel"},
        {"matrxi", "matrix"},
        {"perrank", "per-rank"},
        {"zzz", NULL},
        {"", NULL},
        {"x", NULL},
        {"foo", NULL},
        {"jbo", "job"},
        {"completely-else", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got = str_nearest(rows[i].word, keys, 6);
        if (rows[i].want == NULL)
            cr_expect_null(got, "%s: %s", rows[i].word, got);
        else
            cr_expect(got != NULL && strcmp(got, rows[i].want) == 0, "%s", rows[i].word);
    }
    char huge[200];
    memset(huge, 'a', sizeof(huge) - 1);
    huge[sizeof(huge) - 1] = '\0';
    cr_expect_null(str_nearest(huge, keys, 6));
}

Test(str, doubles_read_back_as_the_same_bits)
{
    static const struct {
        double v;
        const char *text;
    } rows[] = {
        {0.1, "0.1"},
        {1, "1.0"},
        {-0.0, "-0.0"},
        {1e300, "1e+300"},
        {1.0 / 3, NULL},
        {NAN, "nan"},
        {-INFINITY, "-inf"},
        {INFINITY, "inf"},
        {DBL_MIN, NULL},
        {DBL_MAX, NULL},
        {5e-324, NULL},
        {123456789.0, "123456789.0"},
        {100, "100.0"},
        {-3e6, "-3000000.0"},
        {1e15, "1e+15"},
        {2.5, "2.5"},
    };
    char buf[32];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *text = str_double(rows[i].v, buf);
        if (rows[i].text != NULL)
            cr_expect_str_eq(text, rows[i].text);
        double back = strtod(text, NULL);
        cr_expect(
            isnan(rows[i].v) || memcmp(&back, &rows[i].v, sizeof(back)) == 0, "%s", text);
    }
    unsigned short seed[3] = {1, 2, 3};
    for (int i = 0; i < 5000; i++) {
        double v = ldexp(erand48(seed) - 0.5, (int)(nrand48(seed) % 200) - 100);
        double back = strtod(str_double(v, buf), NULL);
        cr_assert(back == v, "%s", buf);
    }
}

Test(str, times_and_sizes_are_for_people)
{
    static const struct {
        double s;
        const char *text;
    } times[] = {
        {0, "0.0 ms"},
        {0.0012, "1.2 ms"},
        {0.0998, "0.10 s"},
        {1.5, "1.50 s"},
        {9.999, "10.0 s"},
        {99.94, "99.9 s"},
        {100, "1 min 40 s"},
        {605, "10 min 05 s"},
        {7260, "2 h 01 min"},
    };
    static const struct {
        uint64_t n;
        const char *text;
    } sizes[] = {
        {0, "0 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {1536, "1.5 KiB"},
        {1048575, "1.0 MiB"},
        {UINT64_C(5) << 30, "5.0 GiB"},
        {UINT64_MAX, "16.0 EiB"},
        {UINT64_C(150) << 20, "150 MiB"},
    };
    char buf[32];
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        cr_expect_str_eq(str_duration(times[i].s, buf), times[i].text);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        cr_expect_str_eq(str_bytes(sizes[i].n, buf), sizes[i].text);
}

Test(str, a_word_is_written_as_a_shell_takes_it)
{
    static const struct {
        const char *word, *want;
    } rows[] = {
        {"a.b/c-1", "a.b/c-1"},
        {"", "''"},
        {"a b", "'a b'"},
        {"${x} \\", "'${x} \\'"},
        {"it's", "'it'\\''s'"},
        {"a\nb\t'\\\x01\x7f", "$'a\\nb\\t\\'\\\\\\001\\177'"},
        {"\xc3\xa9", "'\xc3\xa9'"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_STR got = {0};
        str_add_shell(&got, rows[i].word);
        cr_expect_str_eq(got.text, rows[i].want);
        if (got.text[0] == '$')
            continue; /* bash's; sh may not have it yet */
        AUTO_STR run = {0};
        str_printf(&run, "printf %%s %s", got.text);
        FILE *f = popen(run.text, "r");
        char back[64] = "";
        size_t n = f != NULL ? fread(back, 1, sizeof(back) - 1, f) : 0;
        cr_assert(f != NULL && pclose(f) == 0);
        back[n] = '\0';
        cr_expect_str_eq(back, rows[i].word);
    }
}
