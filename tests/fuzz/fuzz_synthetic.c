/* topo/restree.h, synthetic texts with our words: host:N, gpu:N. */
#include "fuzz_topo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE(char) text = fuzz_text(data, size);
    AUTO(restree) tree = NULL;
    struct gm_error err = {0};
    int rc = restree_load_synthetic(text, &tree, &err);
    if (rc != 0) {
        fuzz_refused(rc, -EINVAL, &err, text);
        return 0;
    }
    fuzz_check_shape(&tree->shapes[0]);
    fuzz_check_again(&tree->shapes[0]);
    return 0;
}
