/* scheduler/spec/canonical: golden files, and the same spec again from what was written.
 */
#include "spec/canonical.h"
#include "spec/doc.h"
#include "spec/faults.h"
#include "spec_golden.h"

static struct jobspec *load_golden(const char *path)
{
    struct jobspec_faults faults;
    struct jobspec *spec = NULL;
    cr_assert(golden_load(path, &spec, &faults) == 0, "%s", path);
    jobspec_faults_free(&faults);
    return spec;
}

Test(canonical, every_valid_file_has_its_golden_form)
{
    glob_t files = golden_files("valid", 7);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        AUTO(jobspec) spec = load_golden(files.gl_pathv[i]);
        AUTO_FREE(char) text = canonical_format(spec, true);
        golden_check(files.gl_pathv[i], "canonical", text);
    }
    globfree(&files);
}

Test(canonical, is_one_line_unless_pretty)
{
    glob_t files = golden_files("valid", 7);
    AUTO(jobspec) spec = load_golden(files.gl_pathv[0]);
    AUTO_FREE(char) line = canonical_format(spec, false);
    cr_expect(strchr(line, '\n') == NULL);
    globfree(&files);
}

/* The part under attributes.user.gridmill is the short form; with what Flux has words for
 * put back it loads into a spec with the same canonical form: nothing was lost. */
Test(canonical, loses_nothing_of_the_short_form)
{
    glob_t files = golden_files("valid", 7);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        AUTO(jobspec) spec = load_golden(files.gl_pathv[i]);
        AUTO_FREE(char) line = canonical_format(spec, false);
        const char *inside = strstr(line, "\"gridmill\":{");
        cr_assert(inside != NULL);
        AUTO_STR text = {0};
        str_printf(
            &text, "{\"name\":\"%s\",\"time\":\"%.17gs\",", spec->name, spec->time);
        if (spec->ranks > 0)
            str_printf(&text, "\"ranks\":%u,", spec->ranks);
        if (spec->nodes > 0 && spec->ranks_per_node > 0)
            str_printf(&text,
                       "\"nodes\":%u,\"ranks-per-node\":%u,",
                       spec->nodes,
                       spec->ranks_per_node);
        str_printf(&text,
                   "\"per-rank\":{\"cores\":%u,\"gpus\":%u",
                   spec->cores > 0 ? spec->cores : 1,
                   spec->gpus);
        if (spec->memory > 0)
            str_printf(&text, ",\"memory\":%llu", (unsigned long long)spec->memory);
        str_add(&text, "},");
        inside += strlen("\"gridmill\":{");
        if (strncmp(inside, "\"memory\":", 9) == 0)
            inside = strchr(inside, ',') + 1;
        str_add_n(
            &text, inside, strlen(inside) - 3); /* the braces of user, attributes, all */
        struct jobspec_options opt = fake_options();
        struct jobspec_faults faults;
        struct gm_error err = {0};
        AUTO(jobspec) again = NULL;
        int rc =
            jobspec_parse(spec->file, text.text, text.len, &opt, &again, &faults, &err);
        jobspec_faults_free(&faults);
        cr_assert(rc == 0, "%s\n%s", err.text, text.text);
        AUTO_FREE(char) twice = canonical_format(again, false);
        cr_expect_str_eq(twice, line);
    }
    globfree(&files);
}
