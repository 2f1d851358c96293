/* base/idset.h: text both ways, and the algebra against a plain array of booleans. */
#include "base/idset.h"

#include <criterion/criterion.h>

Test(idset, good_text_is_read_and_written_back_in_its_shortest_form)
{
    static const struct {
        const char *text, *back;
        unsigned n;
    } rows[] = {
        {"", "", 0},
        {"0", "0", 1},
        {"0-3,8", "0-3,8", 5},
        {"[1-2]", "1-2", 2},
        {"0,1,2", "0-2", 3},
        {"5-5", "5", 1},
        {"63-64", "63-64", 2},
        {"[]", "", 0},
        {"1048575", "1048575", 1},
        {"3,5-7,128", "3,5-7,128", 5},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO(idset) set = NULL;
        cr_assert_eq(idset_parse(rows[i].text, &set, NULL), 0, "%s", rows[i].text);
        AUTO_FREE(char) back = idset_format(set);
        cr_expect_str_eq(back, rows[i].back);
        cr_expect_eq(idset_count(set), rows[i].n, "%s", rows[i].text);
    }
}

Test(idset, bad_text_is_told_with_its_place)
{
    static const struct {
        const char *text, *told;
    } rows[] = {
        {"-1", "'-1': an id must stand at character 1"},
        {"1-", "'1-': an id must stand at character 3"},
        {"a", "'a': an id must stand at character 1"},
        {"+1", "'+1': an id must stand at character 1"},
        {" 1", "' 1': an id must stand at character 1"},
        {",1", "',1': an id must stand at character 1"},
        {"1,,2", "'1,,2': an id must stand at character 3"},
        {"1,", "'1,': an id must stand at character 3"},
        {"[1,]", "'[1,]': an id must stand at character 4"},
        {"[,]", "'[,]': an id must stand at character 2"},
        {"1--2", "'1--2': an id must stand at character 3"},
        {"[[1]]", "'[[1]]': an id must stand at character 2"},
        {"3-1", "'3-1': ids must ascend at character 1"},
        {"2,1", "'2,1': ids must ascend at character 3"},
        {"1,1", "'1,1': ids must ascend at character 3"},
        {"0-3,3", "'0-3,3': ids must ascend at character 5"},
        {"0-3,2-8", "'0-3,2-8': ids must ascend at character 5"},
        {"01", "'01': a leading zero at character 1"},
        {"00", "'00': a leading zero at character 1"},
        {"1-02", "'1-02': a leading zero at character 3"},
        {"1048576", "'1048576': an id above 1048575 at character 1"},
        {"0-99999999999", "'0-99999999999': an id above 1048575 at character 3"},
        {"1 2", "'1 2': nothing may follow at character 2"},
        {"1 ", "'1 ': nothing may follow at character 2"},
        {"1-2-3", "'1-2-3': nothing may follow at character 4"},
        {"1.5", "'1.5': nothing may follow at character 2"},
        {"1]", "'1]': nothing may follow at character 2"},
        {"]", "']': nothing may follow at character 1"},
        {"[1]]", "'[1]]': nothing may follow at character 4"},
        {"[1][2]", "'[1][2]': nothing may follow at character 4"},
        {"[]1", "'[]1': nothing may follow at character 3"},
        {"[1 ]", "'[1 ]': nothing may follow at character 3"},
        {"[1", "'[1': a ] must stand at character 3"},
        {"[", "'[': a ] must stand at character 2"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct idset *set = NULL;
        struct gm_error err = {0};
        cr_expect_eq(
            idset_parse(rows[i].text, &set, &err), -EINVAL, "'%s'", rows[i].text);
        cr_expect_null(set, "'%s' touched its result", rows[i].text);
        cr_expect_str_eq(err.text, rows[i].told);
    }
}

enum { N = 300 };

static struct idset *random_set(unsigned *seed, bool has[N])
{
    struct idset *set = idset_make();
    unsigned upto = (unsigned)rand_r(seed) % N + 1;
    for (unsigned i = 0; i < N; i++) {
        has[i] = i < upto && rand_r(seed) % 3 == 0;
        if (has[i])
            idset_add(set, i);
    }
    return set;
}

static void check_algebra(unsigned seed)
{
    bool x[N], y[N], within = true, overlap = false;
    AUTO(idset) a = random_set(&seed, x);
    AUTO(idset) b = random_set(&seed, y);
    AUTO(idset) both = idset_dup(a);
    AUTO(idset) less = idset_dup(a);
    idset_unite(both, b);
    idset_subtract(less, b);
    for (unsigned i = 0; i < N; i++) {
        within = within && (!x[i] || y[i]);
        overlap = overlap || (x[i] && y[i]);
        cr_assert_eq(idset_has(both, i), x[i] || y[i]);
        cr_assert_eq(idset_has(less, i), x[i] && !y[i]);
    }
    cr_assert_eq(idset_subset(a, b), within);
    cr_assert_eq(idset_overlap(a, b), overlap);
    cr_assert(idset_subset(a, both) && idset_subset(less, a) && !idset_overlap(less, b));
    AUTO_FREE(char) text = idset_format(a);
    AUTO(idset) again = NULL;
    cr_assert_eq(idset_parse(text, &again, NULL), 0);
    cr_assert(idset_equal(a, again) && idset_equal(again, a));
}

Test(idset, sets_behave_as_arrays_of_booleans)
{
    for (unsigned seed = 1; seed <= 200; seed++)
        check_algebra(seed);
}

Test(idset, a_run_is_its_ids_added_one_by_one)
{
    static const unsigned ends[] = {0, 1, 62, 63, 64, 65, 127, 128, 200};
    enum { N_ENDS = sizeof(ends) / sizeof(ends[0]) };
    for (unsigned i = 0; i < N_ENDS; i++) {
        for (unsigned k = i; k < N_ENDS; k++) {
            AUTO(idset) run = idset_make();
            AUTO(idset) one = idset_make();
            idset_add_run(run, ends[i], ends[k]);
            for (unsigned id = ends[i]; id <= ends[k]; id++)
                idset_add(one, id);
            cr_expect(idset_equal(run, one), "%u-%u", ends[i], ends[k]);
        }
    }
}

Test(idset, equal_sets_of_different_length_are_equal)
{
    AUTO(idset) a = idset_make();
    AUTO(idset) b = idset_make();
    idset_add(a, 1);
    idset_add(b, 1);
    idset_add(b, 1000);
    cr_expect_not(idset_equal(a, b));
    idset_remove(b, 1000);
    cr_expect(idset_equal(a, b) && idset_equal(b, a));
    idset_clear(b);
    cr_expect_eq(idset_count(b), 0);
    idset_remove(b, 999999); /* beyond what it has: nothing happens */
}

Test(idset, next_walks_the_ids_in_order)
{
    AUTO(idset) set = NULL;
    cr_assert_eq(idset_parse("0,63-65,200", &set, NULL), 0);
    static const int64_t want[] = {0, 63, 64, 65, 200, -1};
    int64_t at = -1;
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        at = idset_next(set, (unsigned)(at + 1));
        cr_assert_eq(at, want[i]);
    }
    cr_expect_eq(idset_next(set, 5000), -1);
}
