/* See runner/ceiling.h. */
#include "base/file.h"
#include "base/str.h"
#include "runner/ceiling.h"
#include <criterion/criterion.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/gridmill-ceiling-XXXXXX";
static struct str file;

static const struct ceiling rates = {.probes = 2,
                                     .rates = {.f32_one = 1.5e11,
                                               .f32 = 3e11,
                                               .f64_one = 7e10,
                                               .f64 = 1.4e11,
                                               .read_one = 1e10,
                                               .read = 2e10}};

static void enter(void)
{
    cr_assert_not_null(mkdtemp(folder));
    str_printf(&file, "%s/a/b/host-2.txt", folder);
    cr_assert_eq(setenv("XDG_CACHE_HOME", folder, 1), 0);
}

static void leave(void)
{
    (void)file_remove_tree(folder, NULL);
    str_free(&file);
}

TestSuite(ceiling, .init = enter, .fini = leave);

Test(ceiling, what_was_written_is_read)
{
    struct gm_error err = {0};
    struct ceiling r = {0};
    AUTO_FREE(char) key = ceiling_key(2);
    cr_assert_eq(ceiling_read(file.text, key, &r), -ENOENT);
    cr_assert_eq(ceiling_write(file.text, key, &rates, &err), 0, "%s", err.text);
    cr_assert_eq(ceiling_read(file.text, key, &r), 0);
    cr_expect_arr_eq(&r, &rates, sizeof(r));
    cr_expect_not_null(strstr(key, "\nbuild="), "%s", key);
}

Test(ceiling, another_key_is_stale)
{
    struct ceiling r = {0};
    AUTO_FREE(char) key = ceiling_key(2);
    AUTO_FREE(char) other = ceiling_key(3);
    cr_assert_eq(ceiling_write(file.text, key, &rates, NULL), 0);
    cr_expect_eq(ceiling_read(file.text, other, &r), -ESTALE);
}

/* Cut anywhere, or with any byte another, it is not believed to be more than it is. */
Test(ceiling, a_damaged_file_is_stale)
{
    struct gm_error err = {0};
    struct ceiling r = {0};
    AUTO_FREE(char) key = ceiling_key(2);
    AUTO_FREE(char) text = NULL;
    size_t len = 0;
    cr_assert_eq(ceiling_write(file.text, key, &rates, NULL), 0);
    cr_assert_eq(file_read(file.text, 1 << 16, &text, &len, &err), 0, "%s", err.text);
    for (size_t n = 0; n < len; n++) {
        cr_assert_eq(truncate(file.text, (off_t)(len - n - 1)), 0);
        cr_assert_eq(
            ceiling_read(file.text, key, &r), -ESTALE, "cut to %zu", len - n - 1);
    }
    static const char *const bad[] = {"f32_one=nan\n",
                                      "f32_one=inf\n",
                                      "f32_one=-1\n",
                                      "f32_one=0\n",
                                      "f32_one=\n",
                                      "f32_one=1e11x\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        AUTO_STR broken = {0};
        const char *at = strstr(text, "f32_one="), *rest = strchr(at, '\n') + 1;
        str_add_n(&broken, text, (size_t)(at - text));
        str_printf(&broken, "%s%s", bad[i], rest);
        cr_assert_eq(file_write(file.text, broken.text, broken.len, NULL), 0);
        cr_expect_eq(ceiling_read(file.text, key, &r), -ESTALE, "%s", bad[i]);
    }
    cr_assert_eq(file_write(file.text, text, len, NULL), 0);
    cr_expect_eq(ceiling_read(file.text, key, &r), 0);
}

/* This machine, really: the most of three probes is kept, jobs after them only read; a
 * broken file is as none. */
Test(ceiling, it_is_probed_three_times)
{
    struct gm_error err = {0};
    struct peak_rates first = {0}, next = {0};
    AUTO_STR made = {0};
    AUTO(idset) cpus = idset_make();
    cpu_set_t own;
    cr_assert_eq(sched_getaffinity(0, sizeof(own), &own), 0);
    for (unsigned i = 0; i < CPU_SETSIZE && idset_count(cpus) == 0; i++) {
        if (CPU_ISSET(i, &own))
            idset_add(cpus, i);
    }
    cr_expect_eq(ceiling_find("h/../x", cpus, false, &first, &err), -ENODATA);
    cr_assert_eq(ceiling_find("h/../x", cpus, true, &first, &err), 0, "%s", err.text);
    str_printf(&made, "%s/gridmill/peak/h_.._x-1.txt", folder);
    cr_assert(file_exists(made.text), "%s", made.text);
    cr_assert_eq(ceiling_find("h/../x", cpus, false, &next, &err), 0, "%s", err.text);
    cr_expect_float_eq(next.f32, first.f32, 1e-6 * first.f32);
    cr_expect(first.f32 >= first.f32_one && first.f32_one > 1e8, "%g", first.f32_one);
    cr_expect(first.f64 >= first.f64_one && first.f32 > first.f64, "%g", first.f64_one);
    cr_expect(first.read >= first.read_one && first.read > 1e8, "%g", first.read);
    struct ceiling kept = {0};
    AUTO_FREE(char) key = ceiling_key(1);
    for (unsigned probes = 1; probes < CEILING_PROBES + 2; probes++) {
        cr_assert_eq(ceiling_read(made.text, key, &kept), 0);
        cr_expect_eq(kept.probes, probes < CEILING_PROBES ? probes : CEILING_PROBES);
        cr_assert_eq(ceiling_find("h/../x", cpus, true, &next, &err), 0);
        cr_expect(next.f32 >= 0.999999 * kept.rates.f32, "%g", next.f32);
        cr_expect(next.read >= 0.999999 * kept.rates.read, "%g", next.read);
    }
    cr_assert_eq(truncate(made.text, 20), 0);
    cr_expect_eq(ceiling_find("h/../x", cpus, false, &next, &err), -ENODATA);
}

Test(ceiling, the_folder_is_where_caches_are)
{
    AUTO_FREE(char) xdg = ceiling_folder();
    cr_expect(strncmp(xdg, folder, strlen(folder)) == 0, "%s", xdg);
    cr_assert_eq(setenv("XDG_CACHE_HOME", "relative", 1), 0);
    cr_assert_eq(setenv("HOME", "/home/ann", 1), 0);
    AUTO_FREE(char) home = ceiling_folder();
    cr_expect_str_eq(home, "/home/ann/.cache/gridmill/peak");
    cr_assert_eq(unsetenv("HOME"), 0);
    cr_expect_null(ceiling_folder());
}
