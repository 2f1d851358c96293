/* Prints the schema of the kernels that the golden jobspecs are written for. */
#include "spec/schema.h"
#include "tests/unit/spec_kernels.h"
#include <stdlib.h>

int main(void)
{
    char *text = schema_format(fake_kernels, 3);
    int rc = fputs(text, stdout);
    free(text);
    return rc < 0 ? 1 : 0;
}
