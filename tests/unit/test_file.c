/* base/file.h, in a folder of its own under the test's temporary directory. */
#include "base/auto.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>

static char *folder; /* of one test; each runs in a process of its own */

static void open_folder(void)
{
    const char *tmp = getenv("TMPDIR");
    struct str s = {0};
    str_printf(&s, "%s/gridmill-file-XXXXXX", tmp != NULL ? tmp : "/tmp");
    folder = str_steal(&s);
    cr_assert_not_null(mkdtemp(folder));
}

static void close_folder(void)
{
    cr_expect_eq(file_remove_tree(folder, NULL), 0);
    cr_expect_not(file_exists(folder));
    free(folder);
}

static char *in_folder(const char *name)
{
    struct str s = {0};
    str_printf(&s, "%s/%s", folder, name);
    return str_steal(&s);
}

TestSuite(file, .init = open_folder, .fini = close_folder);

Test(file, what_is_written_is_read_back)
{
    AUTO_FREE(char) path = in_folder("a");
    char data[200000];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 7);
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, sizeof(data)};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        AUTO_FREE(char) back = NULL;
        size_t len = 1;
        cr_assert_eq(file_write(path, data, sizes[i], NULL), 0);
        cr_assert_eq(file_read(path, sizeof(data), &back, &len, NULL), 0);
        cr_expect_eq(len, sizes[i]);
        cr_expect_eq(memcmp(back, data, len), 0);
        cr_expect_eq(back[len], '\0');
    }
}

Test(file, a_file_that_is_too_large_is_refused_untouched)
{
    AUTO_FREE(char) path = in_folder("a");
    cr_assert_eq(file_write(path, "12345", 5, NULL), 0);
    char *back = NULL;
    size_t len = 77;
    struct gm_error err;
    cr_expect_eq(file_read(path, 4, &back, &len, &err), -EFBIG);
    cr_expect(back == NULL && len == 77);
    cr_expect_not_null(strstr(err.text, path));
    cr_assert_eq(file_read(path, 5, &back, &len, &err), 0);
    free(back);
}

Test(file, errors_name_the_path_and_the_cause)
{
    AUTO_FREE(char) path = in_folder("no/such");
    char *back = NULL;
    size_t len;
    struct gm_error err;
    cr_expect_eq(file_read(path, 10, &back, &len, &err), -ENOENT);
    cr_expect(strstr(err.text, path) != NULL && strstr(err.text, "No such file") != NULL);
    cr_expect_eq(file_write(path, "x", 1, &err), -ENOENT);
    cr_expect_eq(file_read(folder, 10, &back, &len, &err), -EISDIR);
}

Test(file, a_failed_write_leaves_the_old_file_and_no_scrap)
{
    AUTO_FREE(char) path = in_folder("a");
    AUTO_FREE(char) tmp = in_folder("a.tmp");
    cr_assert_eq(mkdir(path, 0777), 0); /* rename onto a folder fails */
    struct gm_error err;
    cr_expect_lt(file_write(path, "x", 1, &err), 0);
    cr_expect(file_exists(path) && !file_exists(tmp));
}

Test(file, folders_are_made_and_removed_with_all_in_them)
{
    AUTO_FREE(char) deep = in_folder("a/b/c");
    AUTO_FREE(char) top = in_folder("a");
    AUTO_FREE(char) leaf = in_folder("a/b/c/f");
    AUTO_FREE(char) link_path = in_folder("a/link");
    AUTO_FREE(char) outside = in_folder("outside");
    cr_assert_eq(file_make_folders(deep, NULL), 0);
    cr_assert_eq(file_make_folders(deep, NULL), 0, "there already");
    cr_assert_eq(file_write(leaf, "x", 1, NULL), 0);
    cr_assert_eq(file_write(outside, "x", 1, NULL), 0);
    cr_assert_eq(symlink(outside, link_path), 0);
    cr_assert_eq(file_remove_tree(top, NULL), 0);
    cr_expect_not(file_exists(top));
    cr_expect(file_exists(outside), "a link was followed");
    cr_expect_eq(file_remove_tree(top, NULL), 0, "not there is fine");
    struct gm_error err;
    cr_expect_eq(file_make_folders("/dev/null/x", &err), -ENOTDIR);
}

Test(file, paths_become_absolute_and_plain)
{
    static const struct {
        const char *dir, *path, *want;
    } rows[] = {
        {"/a/b", "c", "/a/b/c"},
        {"/a/b", "/c", "/c"},
        {"/a/b", "../c", "/a/c"},
        {"/a", "./b//c/", "/a/b/c"},
        {"/a", "../../..", "/"},
        {"/", ".", "/"},
        {"/a", "b/../../c/.", "/c"},
        {"/a", "..x/...", "/a/..x/..."},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_FREE(char) got = file_absolute(rows[i].dir, rows[i].path);
        cr_expect_str_eq(got, rows[i].want);
    }
    AUTO_FREE(char) cwd = getcwd(NULL, 0);
    AUTO_FREE(char) here = file_absolute(NULL, ".");
    cr_expect_str_eq(here, cwd);
}

Test(file, dirname_is_what_stands_before_the_last_slash)
{
    static const char *const rows[][2] = {
        {"a", "."}, {"/a", "/"}, {"/a/b", "/a"}, {"a/b/c", "a/b"}, {"a/", "a"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_FREE(char) got = file_dirname(rows[i][0]);
        cr_expect_str_eq(got, rows[i][1]);
    }
}

static unsigned n_entries(const char *of)
{
    AUTO_STR list = {0};
    unsigned n = 0;
    str_printf(&list, "ls -A %s | wc -l", of);
    FILE *p = popen(list.text, "r");
    cr_assert_eq(fscanf(p, "%u", &n), 1);
    (void)pclose(p);
    return n;
}

Test(file, a_name_is_taken_once)
{
    struct gm_error err = {0};
    AUTO_FREE(char) path = in_folder("name");
    AUTO_FREE(char) first = NULL;
    AUTO_FREE(char) second = NULL;
    AUTO_FD a = file_beside(path, &first, &err);
    AUTO_FD b = file_beside(path, &second, &err);
    cr_assert(a >= 0 && b >= 0 && strcmp(first, second) != 0);
    cr_assert_eq(write(a, "first", 5), 5);
    cr_expect_eq(file_take_name(first, path, &err), 0);
    cr_expect_eq(file_take_name(second, path, &err), -EEXIST);
    cr_expect_eq(err.code, 0);
    AUTO_FREE(char) text = NULL;
    size_t len;
    cr_assert_eq(file_read(path, 100, &text, &len, &err), 0);
    cr_expect_str_eq(text, "first");
    cr_expect_eq(n_entries(folder), 2, "the first one's other name is gone");
    cr_expect_eq(unlink(second), 0);
    AUTO_FREE(char) other = in_folder("other");
    cr_expect_eq(file_take_name(second, other, &err), -ENOENT);
    AUTO_FREE(char) nowhere = in_folder("no/name");
    char *none = NULL;
    cr_expect_eq(file_beside(nowhere, &none, &err), -ENOENT);
    cr_expect_null(none);
}
