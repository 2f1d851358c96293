/* spec/doc.h: a stream of documents, and libyaml's own verdict. What is read without a
 * fault is YAML; passing over a document and reading it come to the same number. */
#include "fuzz_spec.h"
#include "spec/doc.h"
#include "spec/faults.h"

struct outcome {
    unsigned documents;
    int rc;
    size_t errors;
};

static struct outcome walk(const char *text, size_t len, bool skip)
{
    struct outcome o = {0};
    struct jobspec_faults faults;
    faults_init(&faults, "fuzz.yaml");
    struct doc_stream *s = doc_open(text, len, &faults);
    for (;;) {
        AUTO(arena) a = arena_make();
        struct doc_node *root = NULL;
        o.rc = skip ? doc_skip(s) : doc_next(s, a, &root);
        if (o.rc <= 0)
            break;
        FUZZ_CHECK(skip || root != NULL, "document %u", o.documents);
        o.documents++;
        FUZZ_CHECK(o.documents <= len + 1, "documents without end");
    }
    FUZZ_CHECK(o.rc == 0 || o.rc == -EINVAL, "%d", o.rc);
    FUZZ_CHECK(o.rc >= 0 || doc_next(s, NULL, NULL) == -EINVAL, "it went on");
    fuzz_check_faults(o.rc, &faults);
    o.errors = faults.n_errors;
    doc_close(s);
    jobspec_faults_free(&faults);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct outcome read = walk(text, size, false), skipped = walk(text, size, true);
    struct jobspec_faults faults;
    faults_init(&faults, "fuzz.yaml");
    int rc = doc_check_yaml(text, size, &faults);
    FUZZ_CHECK(rc == 0 || rc == -EINVAL, "%d", rc);
    fuzz_check_faults(rc, &faults);
    jobspec_faults_free(&faults);
    FUZZ_CHECK(rc == 0 || read.rc != 0 || read.errors > 0, "read, and yet no YAML");
    FUZZ_CHECK(read.rc != 0 || skipped.rc != 0 || read.documents == skipped.documents,
               "%u documents read, %u skipped",
               read.documents,
               skipped.documents);
    return 0;
}
