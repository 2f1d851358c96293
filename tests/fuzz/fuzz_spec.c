/* See fuzz_spec.h. Kernels are those of the unit tests: they declare parameters of every
 * type and do nothing. */
#include "fuzz_spec.h"
#include "spec/canonical.h"
#include "tests/unit/spec_kernels.h"

static struct jobspec *
parse(const char *text, size_t len, enum dialect dialect, struct jobspec_faults *faults)
{
    struct jobspec_options opt = fake_options();
    struct jobspec *spec = NULL;
    struct gm_error err = {0};
    opt.dialect = dialect;
    opt.any_version = dialect != DIALECT_AUTO && dialect != DIALECT_SHORT;
    int rc = jobspec_parse("/job/fuzz.yaml", text, len, &opt, &spec, faults, &err);
    fuzz_check_faults(rc, faults);
    FUZZ_CHECK((rc == 0) == (spec != NULL), "returned %d", rc);
    FUZZ_CHECK(rc == 0 || err.text[0] != '\0', "refused without a word");
    return spec;
}

void fuzz_check_job(const char *text, size_t len, enum dialect dialect)
{
    struct jobspec_faults faults, again_faults;
    AUTO(jobspec) spec = parse(text, len, dialect, &faults);
    jobspec_faults_free(&faults);
    if (spec == NULL)
        return;
    AUTO_FREE(char) once = canonical_format(spec, false);
    enum dialect form = spec->form == DIALECT_SHORT ? DIALECT_AUTO : spec->form;
    AUTO(jobspec) again = parse(once, strlen(once), form, &again_faults);
    AUTO_FREE(char)
    why = again_faults.n > 0 ? jobspec_fault_format(&again_faults, 0) : NULL;
    FUZZ_CHECK(again != NULL, "its canonical form is refused: %s\n%s", why, once);
    jobspec_faults_free(&again_faults);
    AUTO_FREE(char) twice = canonical_format(again, false);
    FUZZ_CHECK(strcmp(once, twice) == 0, "once  %s\n  twice %s", once, twice);
    FUZZ_CHECK(again->n_stages == spec->n_stages, "another number of stages: %s", once);
    for (unsigned i = 0; i < spec->n_stages; i++)
        FUZZ_CHECK(again->stages[i].n_tasks == spec->stages[i].n_tasks,
                   "another number of tasks: %s",
                   once);
}
