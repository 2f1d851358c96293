/* Golden files of tests/golden/jobspec: NAME.yaml with what is to come of it beside it.
 * GM_BLESS=1 writes the expectations anew; the diff is then reviewed. */
#ifndef TEST_SPEC_GOLDEN_H
#define TEST_SPEC_GOLDEN_H

#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "spec_kernels.h"
#include <criterion/criterion.h>
#include <glob.h>

/* The paths tests/golden/jobspec/KIND/NAME.yaml; at least `least` of them. */
static inline glob_t golden_files(const char *kind, size_t least)
{
    const char *source = getenv("GRIDMILL_SOURCE");
    AUTO_STR pattern = {0};
    glob_t g = {0};
    cr_assert(source != NULL, "GRIDMILL_SOURCE is not set");
    str_printf(&pattern, "%s/tests/golden/jobspec/%s/*.yaml", source, kind);
    cr_assert(glob(pattern.text, 0, NULL, &g) == 0, "%s: no files", pattern.text);
    cr_assert(g.gl_pathc >= least, "only %zu files", g.gl_pathc);
    return g;
}

static inline char *golden_read(const char *path, size_t *ret_len)
{
    char *text = NULL;
    struct gm_error err = {0};
    cr_assert(file_read(path, 16u << 20, &text, ret_len, &err) == 0, "%s", err.text);
    return text;
}

/* The "# set: PATH=VALUE" lines at the head of a file. */
static inline unsigned golden_sets(const char *text, char **ret, unsigned most)
{
    unsigned n = 0;
    while (strncmp(text, "# set: ", 7) == 0 && n < most) {
        size_t len = strcspn(text, "\n");
        ret[n++] = strndup(text + 7, len - 7);
        text += len + (text[len] == '\n');
    }
    return n;
}

/* Loads a golden file as /job/NAME.yaml. */
static inline int
golden_load(const char *path, struct jobspec **ret, struct jobspec_faults *faults)
{
    size_t len = 0;
    AUTO_FREE(char) text = golden_read(path, &len);
    char *sets[16];
    struct jobspec_options opt = fake_options();
    const char *name = strrchr(path, '/') + 1;
    AUTO_STR file = {0};
    str_printf(&file, "/job/%s", name);
    opt.n_sets = golden_sets(text, sets, 16);
    opt.sets = (const char *const *)sets;
    int rc = jobspec_parse(file.text, text, len, &opt, ret, faults, NULL);
    for (unsigned i = 0; i < opt.n_sets; i++)
        free(sets[i]);
    return rc;
}

/* Compares with NAME.suffix in place of NAME.yaml, or writes it. */
static inline void golden_check(const char *path, const char *suffix, const char *text)
{
    AUTO_STR file = {0};
    str_add_n(&file, path, strlen(path) - strlen("yaml"));
    str_add(&file, suffix);
    if (getenv("GM_BLESS") != NULL) {
        struct gm_error err = {0};
        cr_assert(file_write(file.text, text, strlen(text), &err) == 0, "%s", err.text);
        return;
    }
    size_t len = 0;
    AUTO_FREE(char) want = golden_read(file.text, &len);
    cr_expect_str_eq(text, want, "%s differs:\n%s", file.text, text);
}

#endif
