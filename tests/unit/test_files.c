/* Bytes and files as data sources, and whether a source is still what it was. */
#include "base/file.h"
#include "base/str.h"
#include "engine/engine.h"
#include <criterion/criterion.h>
#include <sys/stat.h>
#include <utime.h>

static char dir[64];
static struct arena *arena;

static void setup(void)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/gridmill-files-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    arena = arena_make();
}

static void teardown(void)
{
    (void)file_remove_tree(dir, NULL);
    arena_free(arena);
}

TestSuite(files, .init = setup, .fini = teardown);

static const char *path_of(const char *name)
{
    return arena_printf(arena, "%s/%s", dir, name);
}

static const char *put(const char *name, const char *text)
{
    cr_assert_eq(file_write(path_of(name), text, strlen(text), NULL), 0);
    return path_of(name);
}

static struct jobspec_source look(const char *path, uint32_t unit)
{
    struct jobspec_source s = {0};
    struct gm_error err = {0};
    cr_assert_eq(engine_look(NULL, path, unit, arena, &s, &err), 0, "%s", err.text);
    s.path = path;
    return s;
}

Test(files, bytes_are_what_the_file_holds)
{
    struct jobspec_source s = look(put("b.bin", "0123456789"), GM_BYTES);
    cr_expect(s.rows == 10 && s.size == 10 && s.unit == GM_BYTES && s.files == NULL);
    cr_expect_eq(engine_unchanged(&s, NULL), 0);
}

Test(files, of_a_folder_or_a_pattern_stand_sorted_by_name)
{
    put("b.txt", "bb");
    put("a.txt", "a");
    put("C.txt", "ccc");
    put("x.csv", "xxxx");
    put(".hidden.txt", "h");
    cr_assert_eq(mkdir(path_of("folder.txt"), 0700), 0);
    struct jobspec_source s = look(path_of("*.txt"), GM_FILES);
    cr_assert(s.rows == 3 && s.size == 6);
    cr_expect_str_eq(s.files[0], path_of("C.txt"));
    cr_expect_str_eq(s.files[1], path_of("a.txt"));
    cr_expect_str_eq(s.files[2], path_of("b.txt"));
    /* sha256sum C.txt a.txt b.txt | sha256sum */
    cr_expect_str_eq(s.sha256,
                     "4d74e180dff7e0ac3d689a110fdba37a6cc98ae7c2acdcff4c02868f4385cbaa");
    cr_expect_eq(look(dir, GM_FILES).rows, 4);
    cr_expect_eq(look(path_of("?.[tc]*"), GM_FILES).rows, 4);
}

Test(files, that_changed_since_are_told)
{
    put("a.txt", "a");
    put("b.txt", "b");
    struct jobspec_source all = look(path_of("*.txt"), GM_FILES);
    struct jobspec_source one = look(path_of("a.txt"), 0);
    struct gm_error err = {0};
    struct utimbuf later = {.actime = 2000000000, .modtime = 2000000000};
    cr_expect(engine_unchanged(&all, &err) == 0 && engine_unchanged(&one, &err) == 0);
    put("other.csv", "not one of them");
    cr_expect_eq(engine_unchanged(&all, &err), 0, "%s", err.text);
    put("c.txt", "");
    cr_expect_eq(engine_unchanged(&all, &err), -EINVAL);
    cr_expect(strstr(err.text, "*.txt has changed since the job was planned") != NULL);
    cr_assert_eq(unlink(path_of("c.txt")), 0);
    cr_expect_eq(engine_unchanged(&all, &err), 0);
    cr_assert_eq(utime(path_of("a.txt"), &later), 0);
    cr_expect(engine_unchanged(&all, &err) == -EINVAL &&
              engine_unchanged(&one, &err) == -EINVAL);
    cr_assert_eq(unlink(path_of("a.txt")), 0);
    cr_expect(engine_unchanged(&all, &err) == -EINVAL &&
              engine_unchanged(&one, &err) == -ENOENT);
}

Test(files, that_are_not_there_are_refused)
{
    static const struct {
        const char *name, *want;
        int code;
    } cases[] = {
        {"*.txt", "no such files", -ENOENT},
        {"none/*.txt", "No such file or directory", -ENOENT},
        {"d*/x.txt", "in the last part of a path only", -EINVAL},
    };
    struct jobspec_source s = {0};
    struct gm_error err = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *path = path_of(cases[i].name);
        cr_expect_eq(engine_look(NULL, path, GM_FILES, arena, &s, &err), cases[i].code);
        cr_expect(strstr(err.text, cases[i].want) != NULL, "%s", err.text);
    }
}
