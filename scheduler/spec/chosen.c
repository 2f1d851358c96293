/* See jobspec.h, jobspec_parse_chosen: one document of several, by its number or by the
 * name of its job. */
#include "faults.h"
#include "spec/jobspec.h"
#include <stdlib.h>

/* Digits alone: a number from 1. 0: a name. */
static unsigned number_of(const char *which)
{
    size_t n = strspn(which, "0123456789");
    return which[n] == '\0' && n > 0 && n < 8 ? (unsigned)strtoul(which, NULL, 10) : 0;
}

/* "prepare, train, score" */
static void names_of(const struct jobspec_jobs *jobs, struct str *out)
{
    for (unsigned i = 0; i < jobs->n && i < 8; i++)
        str_printf(out, "%s%s", i > 0 ? ", " : "", jobs->items[i]->name);
    if (jobs->n > 8)
        str_add(out, ", ...");
}

int jobspec_find(const struct jobspec_jobs *jobs,
                 const char *file,
                 const char *which,
                 unsigned *ret,
                 struct gm_error *err)
{
    AUTO_STR names = {0};
    unsigned number = which != NULL ? number_of(which) : 0;
    for (unsigned i = 0; which != NULL && i < jobs->n; i++) {
        if (strcmp(jobs->items[i]->name, which) == 0 ||
            (number > 0 && jobs->items[i]->document == number)) {
            *ret = i;
            return 0;
        }
    }
    if (which == NULL && jobs->n == 1) {
        *ret = 0;
        return 0;
    }
    names_of(jobs, &names);
    if (which != NULL)
        return gm_fail(err,
                       -ENOENT,
                       "--document %s: %s holds no such job: %s",
                       which,
                       file,
                       names.text);
    return gm_fail(
        err,
        -EINVAL,
        "%s holds %u jobs: choose one by --document and its name or number: %s",
        file,
        jobs->n,
        names.text);
}

int jobspec_parse_chosen(const char *file,
                         const char *text,
                         size_t len,
                         const char *which,
                         const struct jobspec_options *opt,
                         struct jobspec **ret,
                         struct jobspec_faults *faults,
                         struct gm_error *err)
{
    struct jobspec_options one = *opt;
    struct jobspec_jobs jobs = {0};
    unsigned at = 0;
    one.document = which != NULL ? number_of(which) : 0;
    if (which == NULL || one.document > 0)
        return jobspec_parse(file, text, len, &one, ret, faults, err);
    int rc = jobspec_parse_all(file, text, len, opt, &jobs, faults, err);
    if (rc == 0)
        rc = jobspec_find(&jobs, file, which, &at, err);
    if (rc == 0)
        one.document = jobs.items[at]->document;
    jobspec_jobs_free(&jobs);
    if (rc != 0)
        return rc;
    jobspec_faults_free(faults);
    return jobspec_parse(file, text, len, &one, ret, faults, err);
}
