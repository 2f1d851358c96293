/* base/idset.h */
#include "base/idset.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE(char) text = fuzz_text(data, size);
    AUTO(idset) set = NULL;
    AUTO(idset) again = NULL;
    struct gm_error err = {0};
    int rc = idset_parse(text, &set, &err);
    if (rc != 0) {
        fuzz_refused(rc, -EINVAL, &err, text);
        FUZZ_CHECK(set == NULL, "%s", text);
        return 0;
    }
    AUTO_FREE(char) back = idset_format(set);
    FUZZ_CHECK(strlen(back) <= strlen(text), "%s is longer than %s", back, text);
    FUZZ_CHECK(idset_parse(back, &again, &err) == 0, "%s", err.text);
    FUZZ_CHECK(idset_equal(set, again), "%s is not %s", back, text);
    unsigned n = 0;
    for (int64_t id = idset_next(set, 0); id >= 0;
         id = idset_next(set, (unsigned)id + 1)) {
        FUZZ_CHECK(idset_has(set, (unsigned)id), "%s", text);
        n++;
    }
    FUZZ_CHECK(n == idset_count(set), "%s: %u ids", text, n);
    return 0;
}
