/* topo/restree.h, hwloc XML: what is read is a tree, and its own XML reads as the same.
 */
#include "fuzz_topo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(restree) tree = NULL;
    struct gm_error err = {0};
    int rc = restree_load_foreign((const char *)data, size, "m", &tree, &err);
    if (rc != 0) {
        fuzz_refused(rc, -EINVAL, &err, "XML");
        return 0;
    }
    fuzz_check_shape(&tree->shapes[0]);
    fuzz_check_again(&tree->shapes[0]);
    return 0;
}
