/* base/hostlist.h: RFC 29's text both ways, and its bounds. */
#include "base/hostlist.h"
#include "base/str.h"

#include <criterion/criterion.h>

static char *joined(const struct hostlist *h)
{
    struct str out = {0};
    for (size_t i = 0; i < h->n; i++) {
        str_add(&out, i > 0 ? " " : "");
        str_add(&out, h->names[i]);
    }
    return str_steal(&out);
}

Test(hostlist, good_text_is_read_and_written_back_as_flux_does)
{
    static const struct {
        const char *text, *names, *back;
    } rows[] = {
        {"", "", ""},
        {"  ", "", ""},
        {"a", "a", "a"},
        {"login", "login", "login"},
        {"n7", "n7", "n7"},
        {"7", "7", "7"},
        {"[7]", "7", "7"},
        {"n[7]", "n7", "n7"},
        {"n[2-4]", "n2 n3 n4", "n[2-4]"},
        {"n2,n3,n4", "n2 n3 n4", "n[2-4]"},
        {"n4,n3,n2", "n4 n3 n2", "n[4,3,2]"},
        {"n3,n3,n3", "n3 n3 n3", "n[3,3,3]"},
        {"n[3-5,4]", "n3 n4 n5 n4", "n[3-5,4]"},
        {"1,2,3,8", "1 2 3 8", "[1-3,8]"},
        {"[1-3,8]", "1 2 3 8", "[1-3,8]"},
        {",n1,,n2,", "n1 n2", "n[1-2]"},
        {" n1 , n2\t", "n1 n2", "n[1-2]"},
        {"n1,x,n2", "n1 x n2", "n1,x,n2"},
        {"n1,n2,x,n3", "n1 n2 x n3", "n[1-2],x,n3"},
        {"n[1-2],m[1-2]", "n1 n2 m1 m2", "n[1-2],m[1-2]"},
        {"n[1-2]-ib", "n1-ib n2-ib", "n1-ib,n2-ib"},
        {"n-1b-4,n-1b-5", "n-1b-4 n-1b-5", "n-1b-[4-5]"},
        /* width */
        {"[00-2]", "00 01 02", "[00-02]"},
        {"[00-02]", "00 01 02", "[00-02]"},
        {"[005,4,11-13]", "005 004 011 012 013", "[005,004,011-013]"},
        {"n[08-11]", "n08 n09 n10 n11", "n[08-11]"},
        {"n[98-101]", "n98 n99 n100 n101", "n[98-101]"},
        {"n[098-101]", "n098 n099 n100 n101", "n[098-101]"},
        {"n[1,015,3]", "n1 n015 n3", "n[1,015,3]"},
        {"n01,n2", "n01 n2", "n01,n2"},
        {"n01,n02,n3,n4", "n01 n02 n3 n4", "n[01-02],n[3-4]"},
        {"n9,n10", "n9 n10", "n[9-10]"},
        {"n09,n10,n011", "n09 n10 n011", "n[09-10,011]"},
        {"n009,n10", "n009 n10", "n009,n10"},
        {"n1,n02", "n1 n02", "n[1,02]"},
        {"n0,n1", "n0 n1", "n[0-1]"},
        {"n00,n1", "n00 n1", "n00,n1"},
        {"[9-010]", "9 10", "[9-10]"},
        /* long numbers are cut: the front of them is part of the prefix */
        {"n999999999,n1000000000", "n999999999 n1000000000", "n999999999,n1000000000"},
        {"n[999999999-1000000000]", "n999999999 n1000000000", "n999999999,n1000000000"},
        {"n1000000000001,n1000000000002",
         "n1000000000001 n1000000000002",
         "n1000[000000001-000000002]"},
        {"n[123456789012345678]", "n123456789012345678", "n123456789012345678"},
        /* several brackets */
        {"r[0-1]n[0-2]", "r0n0 r0n1 r0n2 r1n0 r1n1 r1n2", "r0n[0-2],r1n[0-2]"},
        {"[1-2][05-06]", "105 106 205 206", "[105-106,205-206]"},
        {"a[1]b[2]c", "a1b2c", "a1b2c"},
        {"x[2,1][7]-e", "x27-e x17-e", "x27-e,x17-e"},
        {"!\"#$%&'()*+-./:;<=>?@\\^_`{|}~",
         "!\"#$%&'()*+-./:;<=>?@\\^_`{|}~",
         "!\"#$%&'()*+-./:;<=>?@\\^_`{|}~"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO(hostlist) h = NULL;
        AUTO(hostlist) again = NULL;
        struct gm_error err = {0};
        cr_assert_eq(hostlist_parse(rows[i].text, &h, &err), 0, "%s", err.text);
        AUTO_FREE(char) names = joined(h);
        AUTO_FREE(char) back = hostlist_format(h);
        cr_expect_str_eq(names, rows[i].names);
        cr_expect_str_eq(back, rows[i].back);
        cr_assert_eq(hostlist_parse(back, &again, &err), 0, "%s", err.text);
        AUTO_FREE(char) twice = joined(again);
        cr_expect_str_eq(twice, rows[i].names, "%s", back);
    }
}

Test(hostlist, bad_text_is_told_with_its_place)
{
    static const struct {
        const char *text, *told;
    } rows[] = {
        {"[]", "'[]': a number must stand at character 2"},
        {"n[]", "'n[]': a number must stand at character 3"},
        {"n[", "'n[': no ] closes the [ at character 2"},
        {"a,n[1,3", "'a,n[1,3': no ] closes the [ at character 4"},
        {"n]", "'n]': no [ belongs to the ] at character 2"},
        {"n[1]]", "'n[1]]': no [ belongs to the ] at character 5"},
        {"n[[1,3]", "'n[[1,3]': a number must stand at character 3"},
        {"n[[1]]", "'n[[1]]': a number must stand at character 3"},
        {"n[x-y]", "'n[x-y]': a number must stand at character 3"},
        {"n[1x]", "'n[1x]': a , or ] must stand at character 4"},
        {"n[1,]", "'n[1,]': a number must stand at character 5"},
        {"n[,1]", "'n[,1]': a number must stand at character 3"},
        {"n[-1]", "'n[-1]': a number must stand at character 3"},
        {"n[1-]", "'n[1-]': a number must stand at character 5"},
        {"n[1--2]", "'n[1--2]': a number must stand at character 5"},
        {"n[1-2-3]", "'n[1-2-3]': a , or ] must stand at character 6"},
        {"n[3-1]", "'n[3-1]': a range that descends at character 3"},
        {"n[1, 2]", "'n[1, 2]': a number must stand at character 5"},
        {"n[1 ]", "'n[1 ]': a , or ] must stand at character 4"},
        {"a b", "'a b': a comma must stand at character 3"},
        {"n[1-2] n3", "'n[1-2] n3': a comma must stand at character 8"},
        {"a\nb", "'a\nb': no printable ASCII at character 2"},
        {"n\xc3\xa9", "'n\xc3\xa9': no printable ASCII at character 2"},
        {"n[1]\x7f", "'n[1]\x7f': no printable ASCII at character 5"},
        {"n[1234567890123456789]",
         "'n[1234567890123456789]': a number of more than 18 digits at character 3"},
        {"n[0-131072]", "'n[0-131072]': more than 131072 names"},
        {"n[0-999999999999999999]", "'n[0-999999999999999999]': more than 131072 names"},
        {"[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]",
         "'[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]': more than 131072 names"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hostlist *h = NULL;
        struct gm_error err = {0};
        cr_expect_eq(
            hostlist_parse(rows[i].text, &h, &err), -EINVAL, "'%s'", rows[i].text);
        cr_expect_null(h);
        cr_expect_str_eq(err.text, rows[i].told);
    }
}

Test(hostlist, a_name_has_255_characters_at_most)
{
    char text[300];
    memset(text, 'a', sizeof(text));
    text[255] = '\0';
    AUTO(hostlist) h = NULL;
    struct hostlist *none = NULL;
    cr_expect_eq(hostlist_parse(text, &h, NULL), 0);
    text[255] = 'a';
    text[256] = '\0';
    cr_expect_eq(hostlist_parse(text, &none, NULL), -EINVAL);
    memcpy(text + 253, "[99]", 5);
    AUTO(hostlist) fits = NULL;
    cr_assert_eq(hostlist_parse(text, &fits, NULL), 0);
    cr_expect_eq(strlen(fits->names[0]), 255);
    memcpy(text + 253, "[99-100]", 9);
    cr_expect_eq(hostlist_parse(text, &none, NULL), -EINVAL);
}

Test(hostlist, as_many_names_as_are_allowed)
{
    AUTO(hostlist) h = NULL;
    struct hostlist *none = NULL;
    cr_assert_eq(hostlist_parse("n[0-131071]", &h, NULL), 0);
    cr_expect_eq(h->n, HOSTLIST_MAX);
    AUTO_FREE(char) back = hostlist_format(h);
    cr_expect_str_eq(back, "n[0-131071]");
    cr_expect_eq(hostlist_parse("n[0-131071],x", &none, NULL), -EINVAL);
}

Test(hostlist, has_looks_for_whole_names)
{
    AUTO(hostlist) h = NULL;
    cr_assert_eq(hostlist_parse("n[00-05],login", &h, NULL), 0);
    cr_expect(hostlist_has(h, "n03") && hostlist_has(h, "login"));
    cr_expect_not(hostlist_has(h, "n3") || hostlist_has(h, "n") || hostlist_has(h, ""));
}

/* Any list of plain names comes back as it was, whatever shares a bracket. */
Test(hostlist, random_lists_come_back)
{
    static const char *const fronts[] = {"n", "n0", "", "r1-", "n00"};
    unsigned seed = 7;
    for (int round = 0; round < 3000; round++) {
        AUTO_STR text = {0};
        for (int n = rand_r(&seed) % 12; n >= 0; n--)
            str_printf(&text,
                       "%s%0*d%s,",
                       fronts[rand_r(&seed) % 5],
                       rand_r(&seed) % 4,
                       rand_r(&seed) % 3 == 0 ? 97 + rand_r(&seed) % 5
                                              : rand_r(&seed) % 12,
                       rand_r(&seed) % 9 == 0 ? "-x" : "");
        AUTO(hostlist) h = NULL;
        AUTO(hostlist) again = NULL;
        cr_assert_eq(hostlist_parse(text.text, &h, NULL), 0, "%s", text.text);
        AUTO_FREE(char) back = hostlist_format(h);
        cr_assert_eq(hostlist_parse(back, &again, NULL), 0, "%s", back);
        AUTO_FREE(char) names = joined(h);
        AUTO_FREE(char) twice = joined(again);
        cr_assert_str_eq(names, twice, "%s", back);
    }
}
