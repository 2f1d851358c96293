/* The canonical form in every dialect, whatever `version` says. */
#include "fuzz_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int d = DIALECT_RFC; d <= DIALECT_FLUXION; d++)
        fuzz_check_job((const char *)data, size, (enum dialect)d);
    return 0;
}
