/* spec/pattern.h: a matrix of bytes between ranks, read from a file, and what is wrong
 * with one. */
#include "base/arena.h"
#include "base/file.h"
#include "base/str.h"
#include "spec/pattern.h"

#include <criterion/criterion.h>

static int read_text(const char *text,
                     size_t len,
                     struct arena *a,
                     struct pattern *ret,
                     struct gm_error *err)
{
    char path[] = "/tmp/test_pattern.XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, text, len) == (ssize_t)len);
    (void)close(fd);
    int rc = pattern_read(path, a, ret, err);
    (void)unlink(path);
    size_t used = strlen(path);
    if (rc != 0 && strncmp(err->text, path, used) == 0) /* "M:LINE:COL: ..." */
        memmove(err->text + 1, err->text + used, strlen(err->text + used) + 1),
            err->text[0] = 'M';
    return rc;
}

static double weight_of(const struct pattern *p, uint32_t a, uint32_t b)
{
    double sum = 0;
    for (size_t i = 0; i < p->n_pairs; i++) {
        if (p->pairs[i].a == a && p->pairs[i].b == b)
            sum += (double)p->pairs[i].weight;
    }
    return sum;
}

Test(pattern, rows_of_numbers)
{
    static const char text[] =
        "# bytes\n 0 1.5\t2e3, 0\n\n1 0 0 0 # last\r\n0,0,7,4\n0 0 0.0 0";
    AUTO(arena) a = arena_make();
    struct pattern p = {0};
    struct gm_error err = {0};
    cr_assert_eq(read_text(text, sizeof(text) - 1, a, &p, &err), 0, "%s", err.text);
    cr_expect(p.n_ranks == 4 && p.n_pairs == 4);
    cr_expect(weight_of(&p, 0, 1) == 1.5 && weight_of(&p, 0, 2) == 2000);
    cr_expect(weight_of(&p, 1, 0) == 1 && weight_of(&p, 2, 3) == 4);
    cr_expect_eq(weight_of(&p, 2, 2), 0); /* to oneself */
}

Test(pattern, lines_of_i_j_weight)
{
    static const char text[] = "0 1 5\n1 0 6\n7 2 1\n3 3 9\n4 5 0\n";
    AUTO(arena) a = arena_make();
    struct pattern p = {0};
    struct gm_error err = {0};
    cr_assert_eq(read_text(text, sizeof(text) - 1, a, &p, &err), 0, "%s", err.text);
    cr_expect(p.n_ranks == 0 && p.n_pairs == 3);
    cr_expect(weight_of(&p, 0, 1) == 5 && weight_of(&p, 1, 0) == 6 &&
              weight_of(&p, 7, 2) == 1);
    cr_expect_eq(pattern_check(&(struct pattern){.kind = PATTERN_MATRIX,
                                                 .written = "m",
                                                 .pairs = p.pairs,
                                                 .n_pairs = 3},
                               7,
                               &err),
                 -EINVAL);
}

Test(pattern, what_is_wrong_with_a_matrix_is_told_with_its_place)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "M: holds no numbers"},
        {"# nothing\n\n", "M: holds no numbers"},
        {"0 1\n1 0 5\n", "M:2:1: 3 numbers, and the lines above have 2"},
        {"0 1 2 3\n1 0 5 5\n0 0\n", "M:3:1: 2 numbers, and the lines above have 4"},
        {"0 1\n", "M:1: 1 row of 2 numbers: a matrix has as many rows as columns"},
        {"0 1\n1 0\n 1 1\n", "M:3:2: row 3 of a matrix of 2 columns"},
        {"0 x\n1 0\n", "M:1:3: 'x' is no number"},
        {"0 1\n1.2.3 0\n", "M:2:1: '1.2.3' is no number"},
        {"0 0x10\n1 0\n", "M:1:3: '0x10' is no number"},
        {"0 -1\n1 0\n", "M:1:3: -1: bytes cannot be less than 0"},
        {"0 nan\n1 0\n", "M:1:3: 'nan' is no number"},
        {"0 inf\n1 0\n", "M:1:3: 'inf' is no number"},
        {"0 1e999\n1 0\n", "M:1:3: 1e999: must be 1e+30 or less"},
        {"0 2e30\n1 0\n", "M:1:3: 2e30: must be 1e+30 or less"},
        {"0 1.5 3\n",
         "M:1:3: a line is `i j weight`, and ranks are whole numbers below 1048576"},
        {"1048576 1 3\n",
         "M:1:1: a line is `i j weight`, and ranks are whole numbers below 1048576"},
        {"0 1 -3\n", "M:1:5: -3: bytes cannot be less than 0"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO(arena) a = arena_make();
        struct pattern p = {0};
        struct gm_error err = {0};
        cr_expect_eq(read_text(cases[i].text, strlen(cases[i].text), a, &p, &err),
                     -EINVAL);
        cr_expect_str_eq(err.text, cases[i].why);
        cr_expect_null(p.pairs);
    }
}

Test(pattern, other_files_are_refused)
{
    AUTO(arena) a = arena_make();
    struct pattern p = {0};
    struct gm_error err = {0};
    cr_expect_eq(pattern_read("/nowhere/m.txt", a, &p, &err), -ENOENT);
    cr_expect_eq(read_text("0 1\n\0 1 0\n", 10, a, &p, &err), -EINVAL);
    cr_expect(
        strcmp(err.text, "M: byte 5 is zero: this is no text") == 0, "%s", err.text);
    AUTO_STR wide = {0};
    for (unsigned i = 0; i <= PATTERN_MOST_RANKS; i++)
        str_add(&wide, "0 ");
    cr_expect_eq(read_text(wide.text, wide.len, a, &p, &err), -EINVAL);
    cr_expect_str_eq(err.text, "M:1:1: more than 1048576 numbers");
}
