/* spec/directives.h: the words of a script, quoted and written as a script again, are
 * read as the same words. */
#include "base/str.h"
#include "fuzz_spec.h"
#include "spec/directives.h"
#include "spec/faults.h"

static bool quotable(const struct directive *d, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (strpbrk(d[i].text, "'\n\r") != NULL)
            return false;
    }
    return true;
}

static void check_again(struct arena *a, const struct directive *words, unsigned n)
{
    AUTO_STR script = {0};
    str_add(&script, "#!/bin/sh\n#GRIDMILL:");
    for (unsigned i = 0; i < n; i++)
        str_printf(&script, " '%s'", words[i].text);
    str_add(&script, "\n");
    struct jobspec_faults faults;
    const struct directive *again = NULL;
    unsigned m = 0;
    faults_init(&faults, "again");
    int rc = directives_read(a, script.text, script.len, &faults, &again, &m);
    AUTO_FREE(char) why = faults.n > 0 ? jobspec_fault_format(&faults, 0) : NULL;
    FUZZ_CHECK(rc == 0, "%s\n%s", why, script.text);
    jobspec_faults_free(&faults);
    FUZZ_CHECK(n == m, "%u words, not %u\n%s", m, n, script.text);
    for (unsigned i = 0; i < n; i++)
        FUZZ_CHECK(strcmp(words[i].text, again[i].text) == 0, "%s", again[i].text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *shebang[2] = {NULL, NULL};
    AUTO(arena) a = arena_make();
    struct jobspec_faults faults;
    const struct directive *words = NULL;
    unsigned n = 0;
    faults_init(&faults, "fuzz.sh");
    int rc = directives_read(a, text, size, &faults, &words, &n);
    FUZZ_CHECK(rc == 0 || rc == -EINVAL, "%d", rc);
    fuzz_check_faults(rc, &faults);
    for (unsigned i = 0; rc == 0 && i < n; i++)
        FUZZ_CHECK(
            words[i].text != NULL && words[i].line > 0 && words[i].col > 0, "word %u", i);
    if (rc == 0 && quotable(words, n))
        check_again(a, words, n);
    if (directives_is_script(text, size)) {
        unsigned k = directives_shebang(a, text, size, shebang);
        FUZZ_CHECK(k <= 2, "%u words", k);
        for (unsigned i = 0; i < k; i++)
            FUZZ_CHECK(shebang[i] != NULL, "word %u", i);
    }
    jobspec_faults_free(&faults);
    return 0;
}
