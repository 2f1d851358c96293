/* Shared objects: what is none, or not whole, is refused before the loader maps it; what
 * is shown is found by its name's end. The C library's own files serve. */
#include "base/dso.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* The file of a library that this process has mapped. */
static char *mapped(const char *name)
{
    FILE *f = fopen("/proc/self/maps", "r");
    static char line[4096];
    char *path = NULL;
    while (path == NULL && f != NULL && fgets(line, sizeof(line), f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strchr(line, '/') != NULL && strstr(line, name) != NULL)
            path = xstrdup(strchr(line, '/'));
    }
    if (f != NULL)
        (void)fclose(f);
    return path;
}

Test(dso, a_file_that_is_cut_short_is_refused_not_mapped)
{
    AUTO_FREE(char) libc = mapped("libc.so");
    AUTO_FREE(char) data = NULL;
    size_t len = 0;
    struct gm_error err = {0};
    if (libc == NULL)
        cr_skip_test("no libc.so in /proc/self/maps");
    cr_assert_eq(file_read(libc, 64 << 20, &data, &len, &err), 0, "%s", err.text);
    const size_t lengths[] = {0, 1, 16, 63, 64, 100, 4096, 100000, len / 2, len * 3 / 4};
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        char path[] = "/tmp/gridmill-test-dso.XXXXXX";
        struct dso *d = NULL;
        int fd = mkstemp(path);
        cr_assert(fd >= 0 && write(fd, data, lengths[i]) == (ssize_t)lengths[i]);
        (void)close(fd);
        cr_expect_eq(dso_open(path, &d, &err), -EINVAL, "%zu bytes", lengths[i]);
        cr_expect(strstr(err.text, path) != NULL, "%s", err.text);
        (void)unlink(path);
    }
    struct dso *d = NULL;
    cr_expect_eq(dso_open(libc, &d, &err), 0, "whole: %s", err.text);
    dso_close(d);
}

Test(dso, what_is_no_file_has_its_sentence)
{
    static const struct {
        const char *path, *says;
        int code;
    } rows[] = {{"/tmp", "/tmp: is no regular file", -EINVAL},
                {"/nowhere/x.so", "/nowhere/x.so: No such file or directory", -ENOENT},
                {"/etc/passwd", "/etc/passwd: is no shared object", -EINVAL}};
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_error err = {0};
        struct dso *d = NULL;
        cr_expect_eq(dso_open(rows[i].path, &d, &err), rows[i].code);
        cr_expect_str_eq(err.text, rows[i].says);
    }
}

static void count(void *ctx, const char *name, size_t bytes)
{
    unsigned *n = ctx;
    cr_expect(strcmp(name, "signgam") != 0 || bytes == sizeof(int));
    *n += strcmp(name, "signgam") == 0;
}

Test(dso, objects_are_found_by_the_end_of_their_names)
{
    struct dso *d = NULL;
    struct gm_error err = {0};
    unsigned n = 0;
    if (dso_open("libm.so.6", &d, &err) != 0)
        cr_skip_test("%s", err.text);
    dso_objects(d, "gngam", count, &n);
    cr_expect_eq(n, 1, "signgam: %u times", n);
    n = 0;
    dso_objects(d, "lgamma", count, &n); /* a function */
    dso_objects(d, "no_such_end", count, &n);
    cr_expect_eq(n, 0);
    dso_close(d);
}
