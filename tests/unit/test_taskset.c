/* A set of task numbers against a plain array of bytes. */
#include "base/memory.h"
#include "base/taskset.h"
#include <criterion/criterion.h>
#include <inttypes.h>
#include <malloc.h>
#include <time.h>

Test(taskset, an_empty_set_has_no_run_and_one_gap)
{
    AUTO(taskset) t = taskset_make(10);
    uint64_t first, count;
    cr_assert_eq(taskset_size(t), 10);
    cr_assert_eq(taskset_count(t), 0);
    cr_assert_not(taskset_run(t, 0, UINT64_MAX, &first, &count));
    cr_assert(taskset_gap(t, 3, UINT64_MAX, &first, &count));
    cr_assert(first == 3 && count == 7);
    cr_assert_not(taskset_gap(t, 10, UINT64_MAX, &first, &count));
}

Test(taskset, a_set_of_none_is_no_trouble)
{
    AUTO(taskset) t = taskset_make(0);
    uint64_t first, count;
    cr_assert_eq(taskset_add(t, 0, 0), 0);
    cr_assert_not(taskset_run(t, 0, 1, &first, &count));
    cr_assert_not(taskset_gap(t, 0, 1, &first, &count));
}

Test(taskset, adding_tells_how_many_are_new_and_runs_are_cut_at_most)
{
    AUTO(taskset) t = taskset_make(100000);
    uint64_t first, count;
    cr_assert_eq(taskset_add(t, 10, 50000), 50000);
    cr_assert_eq(taskset_add(t, 0, 60000), 10000);
    cr_assert_eq(taskset_remove(t, 59999, 2), 1);
    cr_assert_eq(taskset_count(t), 59999);
    cr_assert(taskset_run(t, 5, 7, &first, &count));
    cr_assert(first == 5 && count == 7);
    cr_assert(taskset_run(t, 5, UINT64_MAX, &first, &count));
    cr_assert_eq(count, 59994);
    cr_assert(taskset_gap(t, 0, UINT64_MAX, &first, &count));
    cr_assert(first == 59999 && count == 40001);
}

Test(taskset, the_largest_numbers_there_are)
{
    AUTO(taskset) t = taskset_make(UINT64_MAX);
    uint64_t first, count;
    cr_assert_eq(taskset_add(t, 0, UINT64_MAX), UINT64_MAX);
    cr_assert_eq(taskset_remove(t, UINT64_MAX - 1, 1), 1);
    cr_assert_eq(taskset_remove(t, 0, 1), 1);
    cr_assert(taskset_run(t, 0, UINT64_MAX, &first, &count));
    cr_assert(first == 1 && count == UINT64_MAX - 2);
    cr_assert(taskset_gap(t, 1, UINT64_MAX, &first, &count));
    cr_assert(first == UINT64_MAX - 1 && count == 1);
}

Test(taskset, all_but_a_few_of_a_thousand_million_take_little_memory)
{
    struct mallinfo2 before = mallinfo2();
    AUTO(taskset) t = taskset_make(1000000000);
    (void)taskset_add(t, 0, 1000000000);
    for (uint64_t i = 0; i < 100; i++)
        (void)taskset_remove(t, i * 9999991, 1);
    size_t used = mallinfo2().uordblks - before.uordblks;
    cr_assert_eq(taskset_count(t), 1000000000 - 100);
    cr_assert_lt(used, 1u << 20, "%zu bytes", used);
    for (uint64_t i = 0; i < 100; i++)
        (void)taskset_add(t, i * 9999991, 1);
    used = mallinfo2().uordblks - before.uordblks;
    cr_assert_lt(used, 16u << 10, "%zu bytes of a full set", used);
}

static uint64_t below(uint64_t *state, uint64_t n)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*state >> 20) % n;
}

static void
check_run(const struct taskset *t, const unsigned char *in, uint64_t n, uint64_t from)
{
    uint64_t first = 0, count = 0;
    for (int member = 0; member < 2; member++) {
        uint64_t at = from, end;
        while (at < n && in[at] != member)
            at++;
        for (end = at; end < n && in[end] == member;)
            end++;
        bool found = member ? taskset_run(t, from, n, &first, &count)
                            : taskset_gap(t, from, n, &first, &count);
        cr_assert_eq(found, at < n);
        cr_assert(!found || (first == at && count == end - at));
    }
}

Test(taskset, a_random_walk_agrees_with_an_array_of_bytes)
{
    uint64_t seed = (uint64_t)time(NULL);
    (void)fprintf(stderr, "seed %" PRIu64 "\n", seed);
    static const uint64_t sizes[] = {1, 63, 64, 4095, 4096, 4097, 30000, 262144, 300001};
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        uint64_t n = sizes[s];
        AUTO(taskset) t = taskset_make(n);
        AUTO_FREE(unsigned char) in = xcalloc(n, 1);
        for (int step = 0; step < 300; step++) {
            bool add = below(&seed, 2) != 0;
            uint64_t first = below(&seed, n), most = n - first, changed = 0;
            if (below(&seed, 2) != 0)
                most = most < 100 ? most : 100;
            uint64_t count = below(&seed, most + 1);
            for (uint64_t i = first; i < first + count; i++) {
                changed += in[i] != add;
                in[i] = add;
            }
            cr_assert_eq(add ? taskset_add(t, first, count)
                             : taskset_remove(t, first, count),
                         changed);
            uint64_t at = below(&seed, n);
            cr_assert_eq(taskset_has(t, at), in[at] != 0);
            check_run(t, in, n, at);
        }
    }
}

Test(taskset, unite_and_subtract_are_those_of_sets)
{
    uint64_t n = 20000, seed = 7;
    AUTO(taskset) a = taskset_make(n);
    AUTO(taskset) b = taskset_make(n);
    AUTO(taskset) both = taskset_make(n);
    for (int i = 0; i < 3000; i++) {
        (void)taskset_add(a, below(&seed, n - 5), 5);
        (void)taskset_add(b, below(&seed, n - 3), 3);
    }
    taskset_unite(both, a);
    taskset_unite(both, b);
    for (uint64_t i = 0; i < n; i++)
        cr_assert_eq(taskset_has(both, i), taskset_has(a, i) || taskset_has(b, i));
    taskset_subtract(both, b);
    for (uint64_t i = 0; i < n; i++)
        cr_assert_eq(taskset_has(both, i), taskset_has(a, i) && !taskset_has(b, i));
}
