/* topo/restree.h, synthetic texts with our words: host:N, gpu:N. */
#include "fuzz_topo.h"

/* No more than a few hundred PUs: hwloc takes seconds for thousands under sanitizers.
 * What is beyond the limits must be refused at once, so it is let through. */
static bool is_quick(const char *text)
{
    unsigned long product = 1;
    for (const char *p = text; *p != '\0' && product <= 512;) {
        char *end = NULL;
        unsigned long n = *p >= '0' && *p <= '9' ? strtoul(p, &end, 10) : 1;
        product *= n > 0 && n <= 16384 ? n : 1;
        p = end != NULL ? end : p + 1;
    }
    return product <= 512;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE(char) text = fuzz_text(data, size);
    AUTO(restree) tree = NULL;
    struct gm_error err = {0};
    if (!is_quick(text))
        return 0;
    int rc = restree_load_synthetic(text, &tree, &err);
    if (rc != 0) {
        fuzz_refused(rc, -EINVAL, &err, text);
        return 0;
    }
    fuzz_check_shape(&tree->shapes[0]);
    fuzz_check_again(&tree->shapes[0]);
    return 0;
}
