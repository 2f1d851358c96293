#include "kernels/io/split.h"
#include <criterion/criterion.h>
#include <string.h>

enum { N = 1003, CLASSES = 7 };

static void make_labels(int32_t *labels)
{
    for (int i = 0; i < N; i++)
        labels[i] = (i * i + i / 5) % CLASSES;
}

Test(split, each_class_is_cut_at_its_rounded_percentages)
{
    static const int64_t cuts[][3] = {
        {60, 20, 20}, {100, 0, 0}, {0, 0, 100}, {33, 33, 34}, {80, 0, 20}};
    int32_t labels[N];
    uint8_t part[N];
    make_labels(labels);
    for (size_t c = 0; c < sizeof(cuts) / sizeof(cuts[0]); c++) {
        cr_assert_eq(split_rows(labels, N, 3, cuts[c], part, NULL), 0);
        for (int class = 0; class < CLASSES; class ++) {
            int64_t n = 0, got[SPLIT_PARTS] = {0};
            for (int i = 0; i < N; i++) {
                n += labels[i] == class;
                got[part[i]] += labels[i] == class;
            }
            int64_t train = (n * cuts[c][0] + 50) / 100;
            int64_t valid = (n * (cuts[c][0] + cuts[c][1]) + 50) / 100 - train;
            cr_expect_eq(got[SPLIT_TRAIN], train);
            cr_expect_eq(got[SPLIT_VALID], valid);
            cr_expect_eq(got[SPLIT_TEST], n - train - valid);
        }
    }
}

Test(split, the_seed_decides_and_other_classes_do_not_matter)
{
    static const int64_t cut[3] = {60, 20, 20};
    int32_t labels[N];
    uint8_t a[N], b[N], c[N];
    make_labels(labels);
    cr_assert_eq(split_rows(labels, N, 3, cut, a, NULL), 0);
    cr_assert_eq(split_rows(labels, N, 3, cut, b, NULL), 0);
    cr_expect_arr_eq(a, b, N);
    cr_assert_eq(split_rows(labels, N, 4, cut, b, NULL), 0);
    cr_expect_neq(memcmp(a, b, N), 0);
    /* without the rows of the highest class the others stay where they were */
    int32_t fewer[N];
    int n = 0;
    for (int i = 0; i < N; i++) {
        if (labels[i] != CLASSES - 1)
            fewer[n++] = labels[i];
    }
    cr_assert_eq(split_rows(fewer, (uint64_t)n, 3, cut, c, NULL), 0);
    for (int i = 0, k = 0; i < N; i++) {
        if (labels[i] != CLASSES - 1)
            cr_expect_eq(a[i], c[k++]);
    }
}

Test(split, percentages_must_add_up)
{
    static const struct {
        int64_t percent[3];
        const char *want;
    } cases[] = {{{60, 20, 10}, "60 + 20 + 10 is 90, not 100"},
                 {{120, -10, -10}, "120 is no percentage"},
                 {{60, -20, 60}, "-20 is no percentage"}};
    const int32_t labels[2] = {0, 1};
    uint8_t part[2];
    for (size_t i = 0; i < 3; i++) {
        struct gm_error err;
        cr_expect_eq(split_rows(labels, 2, 0, cases[i].percent, part, &err), -EINVAL);
        cr_expect_not_null(strstr(err.text, cases[i].want), "%s", err.text);
    }
    cr_expect_eq(split_rows(labels, 0, 0, (const int64_t[]){60, 20, 20}, part, NULL), 0);
}
