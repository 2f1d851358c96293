#include "base/file.h"
#include "base/str.h"
#include "engine/engine.h"
#include <criterion/criterion.h>
#include <hdf5.h>
#include <sys/stat.h>

static char dir[64];
static struct arena *arena;

static void setup(void)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/gridmill-look-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    arena = arena_make();
}

static void teardown(void)
{
    (void)file_remove_tree(dir, NULL);
    arena_free(arena);
}

TestSuite(look, .init = setup, .fini = teardown);

static const char *put(const char *name, const char *text)
{
    static char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    cr_assert_eq(file_write(path, text, strlen(text), NULL), 0);
    return path;
}

Test(look, rows_and_lines_size_and_digest_of_a_small_file)
{
    const char *path = put("t.csv", "a,b\n1,2\n3,4\n");
    struct jobspec_source s = {.path = "kept"};
    struct gm_error err = {0};
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(engine_look(NULL, path, GM_ROWS, arena, &s, &err), 0, "%s", err.text);
    cr_expect_eq(s.rows, 2);
    cr_expect_eq(s.size, 12);
    cr_expect_eq(s.mtime_ns, st.st_mtim.tv_sec * 1000000000L + st.st_mtim.tv_nsec);
    cr_expect_str_eq(s.path, "kept");
    /* printf 'a,b\n1,2\n3,4\n' | sha256sum */
    cr_expect_str_eq(s.sha256,
                     "b9485148546419a0f6a85e8d708c923557c15d7f3c7d078ef1fa7f7c0f57d5a5");
    cr_assert_eq(engine_look(NULL, path, GM_LINES, arena, &s, &err), 0, "%s", err.text);
    cr_expect_eq(s.rows, 3);
    cr_assert_eq(engine_look(NULL, path, 0, arena, &s, &err), 0, "%s", err.text);
    cr_expect_eq(s.rows, 0, "nobody asked");
}

Test(look, a_table_that_ranks_could_not_read_is_refused_here)
{
    static const struct {
        const char *name, *text, *want;
        uint32_t unit;
    } cases[] = {
        {"ragged.csv", "1,2\n3\n", "2", GM_ROWS},
        {"nan.csv", "1,2\n3,nan\n", "2", GM_ROWS},
        {"word.csv", "1,2\n3,x\n", "2", 0},
        {"empty.csv", "", "empty.csv", 0},
        {"short.npy", "\x93NUMPY\x01", "short.npy", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct jobspec_source s = {.rows = 77};
        struct gm_error err = {0};
        const char *path = put(cases[i].name, cases[i].text);
        cr_expect_lt(
            engine_look(NULL, path, cases[i].unit, arena, &s, &err), 0, "%s", path);
        cr_expect_not_null(strstr(err.text, cases[i].name), "%s", err.text);
        cr_expect_not_null(strstr(err.text, cases[i].want), "%s", err.text);
        cr_expect_eq(s.rows, 77, "untouched on failure");
    }
}

Test(look, a_plain_path_may_hold_anything)
{
    struct jobspec_source s = {0};
    struct gm_error err = {0};
    cr_expect_eq(engine_look(NULL, put("notes.txt", "1,2\nx\n"), 0, arena, &s, &err),
                 0,
                 "%s",
                 err.text);
    cr_expect_eq(s.size, 6);
}

Test(look, what_is_no_file_is_named)
{
    struct jobspec_source s = {0};
    struct gm_error err = {0};
    cr_expect_eq(engine_look(NULL, "/nowhere/x.csv", GM_ROWS, arena, &s, &err), -ENOENT);
    cr_expect_str_eq(err.text, "/nowhere/x.csv: No such file or directory");
    cr_expect_eq(engine_look(NULL, dir, 0, arena, &s, &err), -EINVAL);
    cr_expect_eq(engine_look(NULL, "/nowhere/x.h5:/data", GM_ROWS, arena, &s, &err),
                 -ENOENT);
}

Test(look, rows_of_a_dataset_and_the_digest_of_its_file)
{
    char file[96], path[128];
    (void)snprintf(file, sizeof(file), "%s/t.h5", dir);
    (void)snprintf(path, sizeof(path), "%s:/x", file);
    hid_t f = H5Fcreate(file, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(2, (const hsize_t[]){5, 3}, NULL);
    hid_t d = H5Dcreate2(
        f, "x", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const float zeros[15] = {0};
    cr_assert_geq(H5Dwrite(d, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros), 0);
    (void)H5Dclose(d);
    (void)H5Sclose(space);
    (void)H5Fclose(f);
    struct jobspec_source s = {0}, whole = {0};
    struct gm_error err = {0};
    cr_assert_eq(engine_look(NULL, path, GM_ROWS, arena, &s, &err), 0, "%s", err.text);
    cr_expect_eq(s.rows, 5);
    cr_assert_eq(engine_look(NULL, file, 0, arena, &whole, &err), 0, "%s", err.text);
    cr_expect_str_eq(s.sha256, whole.sha256);
}

Test(look, a_file_named_twice_is_read_once)
{
    AUTO(looks) looks = looks_make();
    struct jobspec_source first = {0}, second = {0};
    struct gm_error err = {0};
    const char *path = put("t.csv", "1,2\n3,4\n");
    cr_assert_eq(engine_look(looks, path, 0, arena, &first, &err), 0, "%s", err.text);
    put("t.csv", "1,2\n3,x\n"); /* the same size: a second reading would fail */
    cr_assert_eq(
        engine_look(looks, path, GM_ROWS, arena, &second, &err), 0, "%s", err.text);
    cr_expect_eq(second.rows, 2);
    cr_expect_str_eq(second.sha256, first.sha256);
}
