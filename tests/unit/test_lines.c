#include "io_files.h"
#include "kernels/io/lines.h"

Test(lines, counts_with_and_without_a_last_newline)
{
    static const struct {
        const char *text;
        uint64_t lines;
    } cases[] = {{"", 0}, {"\n", 1}, {"a", 1}, {"a\n", 1}, {"a\nb", 2}, {"a\n\nb\n", 3}};
    struct io_files f = io_files_make();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t n = 99;
        const char *text = cases[i].text;
        cr_assert_eq(lines_count(io_files_write(&f, "t", text, strlen(text)), &n, NULL),
                     0);
        cr_expect_eq(n, cases[i].lines, "case %zu: %lu", i, n);
    }
    io_files_remove(&f);
}

Test(lines, a_range_holds_exactly_its_lines)
{
    /* long enough for several blocks, so that lines cross their borders */
    enum { LINES = 20000 };
    char *text = malloc(LINES * 16);
    uint64_t *begin = calloc(LINES + 1, sizeof(*begin)), n = 0;
    for (int i = 0; i < LINES; i++) {
        begin[i] = n;
        n += (uint64_t)snprintf(text + n, 16, "%.*s\n", i % 13, "abcdefghijklm");
    }
    begin[LINES] = n;
    struct io_files f = io_files_make();
    const char *path = io_files_gz(&f, "t.gz", text, n);
    static const uint64_t ranges[][2] = {
        {0, 1}, {0, LINES}, {7, 64}, {9999, 5000}, {LINES - 1, 1}};
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        uint64_t from = 0, to = 0;
        cr_assert_eq(lines_range(path, ranges[i][0], ranges[i][1], &from, &to, NULL), 0);
        cr_expect_eq(from, begin[ranges[i][0]]);
        cr_expect_eq(to, begin[ranges[i][0] + ranges[i][1]]);
    }
    uint64_t from, to;
    struct gm_error err;
    cr_expect_eq(lines_range(path, LINES - 1, 2, &from, &to, &err), -EINVAL);
    cr_expect_not_null(strstr(err.text, "has 20000 lines, line 20001 is asked for"));
    cr_expect_eq(lines_range(path, 0, 0, &from, &to, &err), -EINVAL);
    cr_expect_eq(lines_range(path, UINT64_MAX, 2, &from, &to, &err), -EINVAL);
    io_files_remove(&f);
    free(text);
    free(begin);
}
