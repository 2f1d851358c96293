/* scheduler/base/strmap: against a plain array. */
#include "base/strmap.h"
#include <criterion/criterion.h>
#include <stdio.h>

Test(strmap, finds_what_was_put_and_nothing_else)
{
    enum { N = 5000 };
    static char keys[N][16];
    AUTO(strmap) m = strmap_make();
    size_t v = 7;
    cr_expect(!strmap_get(m, "", &v) && v == 7, "untouched when not there");
    for (size_t i = 0; i < N; i++) {
        (void)snprintf(keys[i], sizeof(keys[i]), "key-%zu", i * i);
        strmap_put(m, keys[i], i);
    }
    for (size_t i = 0; i < N; i++) {
        char same[16];
        (void)snprintf(same, sizeof(same), "key-%zu", i * i); /* equal, elsewhere */
        cr_assert(strmap_get(m, same, &v) && v == i, "%s", same);
    }
    cr_expect(!strmap_get(m, "key-2", &v));
    cr_expect(!strmap_get(m, "key-", &v));
}

Test(strmap, a_second_put_replaces_the_first)
{
    AUTO(strmap) m = strmap_make();
    size_t v = 0;
    for (size_t i = 1; i <= 100; i++)
        strmap_put(m, i % 2 == 0 ? "even" : "odd", i);
    cr_expect(strmap_get(m, "even", &v) && v == 100);
    cr_expect(strmap_get(m, "odd", &v) && v == 99);
    strmap_put(m, "", 5);
    cr_expect(strmap_get(m, "", &v) && v == 5, "the empty word is a word");
}

Test(strmap, adding_keeps_what_is_there)
{
    AUTO(strmap) m = strmap_make_for(3);
    size_t v = 1;
    cr_expect(strmap_add(m, "a", &v) && v == 1);
    v = 2;
    cr_expect(!strmap_add(m, "a", &v) && v == 1);
    v = 3;
    cr_expect(strmap_add(m, "b", &v) && strmap_get(m, "b", &v) && v == 3);
    cr_expect(strmap_get(m, "a", &v) && v == 1);
}
