/* spec/jobspec.h: any bytes as a job file, as `gridmill check FILE` reads it. */
#include "fuzz_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_check_job((const char *)data, size, DIALECT_AUTO);
    return 0;
}
