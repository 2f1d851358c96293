/* What the targets of whole documents share. */
#ifndef TESTS_FUZZ_SPEC_H
#define TESTS_FUZZ_SPEC_H

#include "fuzz.h"
#include "spec/jobspec.h"

/* Each fault has a text and a place that can be one; there is an error when the reading
 * failed. */
static inline void fuzz_check_faults(int rc, const struct jobspec_faults *f)
{
    size_t errors = 0;
    for (size_t i = 0; i < f->n; i++) {
        const struct jobspec_fault *one = &f->items[i];
        char *line = jobspec_fault_format(f, i);
        FUZZ_CHECK(one->text != NULL && one->text[0] != '\0', "fault %zu: %s", i, line);
        FUZZ_CHECK(one->path != NULL, "fault %zu: %s", i, line);
        FUZZ_CHECK(one->line > 0 || one->col == 0, "fault %zu: %s", i, line);
        free(line);
        errors += !one->warning;
    }
    FUZZ_CHECK(errors == f->n_errors, "%zu errors, not %zu", errors, f->n_errors);
    FUZZ_CHECK(rc == 0 || errors > 0, "refused (%d) without a word", rc);
}

/* Parses bytes as a job; on success its canonical form is read again and must give the
 * same canonical form, byte for byte. */
void fuzz_check_job(const char *text, size_t len, enum dialect dialect);

#endif
