/* base/hostlist.h: a list that is written is read as the same names in the same order. */
#include "base/hostlist.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE(char) text = fuzz_text(data, size);
    AUTO(hostlist) list = NULL;
    AUTO(hostlist) again = NULL;
    struct gm_error err = {0};
    int rc = hostlist_parse(text, &list, &err);
    if (rc != 0) {
        fuzz_refused(rc, -EINVAL, &err, text);
        FUZZ_CHECK(list == NULL, "%s", text);
        return 0;
    }
    FUZZ_CHECK(list->n <= HOSTLIST_MAX, "%zu names", list->n);
    AUTO_FREE(char) back = hostlist_format(list);
    FUZZ_CHECK(hostlist_parse(back, &again, &err) == 0, "%s", err.text);
    FUZZ_CHECK(list->n == again->n, "%s has %zu names, not %zu", back, again->n, list->n);
    for (size_t i = 0; i < list->n; i++) {
        const char *name = list->names[i];
        size_t len = strlen(name);
        FUZZ_CHECK(len > 0 && len <= HOSTLIST_NAME, "%s", name);
        FUZZ_CHECK(strpbrk(name, "[], \t\r\n") == NULL, "%s", name);
        FUZZ_CHECK(strcmp(name, again->names[i]) == 0, "%s %s", name, again->names[i]);
    }
    FUZZ_CHECK(list->n == 0 || hostlist_has(list, again->names[list->n - 1]), "%s", text);
    return 0;
}
