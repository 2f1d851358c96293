/* yaml_check FILE...: doc_check_yaml's verdict on each, as "accept FILE" or "reject
 * FILE", then what was told of it, a line each. tests/cli/yaml_suite.py drives it. */
#include "base/file.h"
#include "spec/doc.h"
#include "spec/faults.h"
#include <stdio.h>
#include <stdlib.h>

static int check(const char *file)
{
    AUTO_FREE(char) text = NULL;
    size_t len = 0;
    struct gm_error err = {0};
    struct jobspec_faults faults;
    if (file_read(file, DOC_MAX_BYTES, &text, &len, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    faults_init(&faults, file);
    printf(
        "%s %s\n", doc_check_yaml(text, len, &faults) == 0 ? "accept" : "reject", file);
    faults_sort(&faults);
    for (size_t i = 0; i < faults.n; i++) {
        AUTO_FREE(char) line = jobspec_fault_format(&faults, i);
        printf("%s\n", line);
    }
    jobspec_faults_free(&faults);
    return 0;
}

int main(int argc, char **argv)
{
    int rc = 0;
    for (int i = 1; i < argc && rc == 0; i++)
        rc = check(argv[i]);
    return rc == 0 ? 0 : 1;
}
