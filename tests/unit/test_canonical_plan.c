/* plan(x) = plan(canonical(x)): every example and every golden jobspec, planned from the
 * file and from its canonical form in another folder, is the same plan but for its id and
 * the text it was read from. */
#include "engine/engine.h"
#include "spec/canonical.h"
#include "spec_golden.h"

static struct jobspec *
load(const char *file, const char *text, size_t len, const struct jobspec_options *opt)
{
    struct jobspec_faults faults;
    struct gm_error err = {0};
    struct jobspec *spec = NULL;
    int rc = jobspec_parse(file, text, len, opt, &spec, &faults, &err);
    cr_assert(rc == 0, "%s\n%s", err.text, text);
    jobspec_faults_free(&faults);
    return spec;
}

static struct restree *two_hosts(void)
{
    struct restree *tree = NULL;
    struct gm_error err = {0};
    int rc = restree_load_synthetic("host:2 pack:2 core:8 pu:1", &tree, &err);
    cr_assert(rc == 0, "%s", err.text);
    return tree;
}

/* Four cores and two GPUs each. */
static struct restree *two_hosts_with_gpus(void)
{
    AUTO_STR path = {0};
    size_t len = 0;
    struct restree *tree = NULL, *more = NULL;
    struct gm_error err = {0};
    str_printf(&path, "%s/tests/golden/place/two-gpus.xml", getenv("GRIDMILL_SOURCE"));
    AUTO_FREE(char) xml = golden_read(path.text, &len);
    cr_assert(restree_load_xml(xml, len, "n0", NULL, &tree, &err) == 0, "%s", err.text);
    cr_assert(restree_load_xml(xml, len, "n1", NULL, &more, &err) == 0, "%s", err.text);
    restree_join(tree, more);
    return tree;
}

/* The plan as text without what may differ; or why there is none. */
static char *plan_text(const struct jobspec *spec, const struct restree *tree)
{
    AUTO(plan) plan = NULL;
    struct gm_error err = {0};
    if (engine_plan(spec, tree, "mpirun", &plan, &err) != 0) {
        const char *said = strncmp(err.text, spec->file, strlen(spec->file)) == 0
                               ? err.text + strlen(spec->file)
                               : err.text;
        return xstrdup(said);
    }
    struct plan same = *plan;
    same.id = "";
    same.file = "";
    same.text = "";
    same.text_len = same.n_sets = 0;
    return plan_format(&same);
}

/* 1: there is a plan on one of the machines. */
static unsigned
expect_same_plan(const char *name, const struct jobspec *a, const struct jobspec *b)
{
    unsigned planned = 0;
    for (int k = 0; k < 2; k++) {
        AUTO(restree) tree = k == 0 ? two_hosts() : two_hosts_with_gpus();
        AUTO_FREE(char) one = plan_text(a, tree);
        AUTO_FREE(char) two = plan_text(b, tree);
        cr_expect_str_eq(two, one, "%s:\n%s\n%s", name, one, two);
        planned |= one[0] == '{';
    }
    return planned;
}

static unsigned
expect_same(const char *path, const struct jobspec_options *opt, const char *file)
{
    size_t len = 0;
    char *sets[16];
    AUTO_FREE(char) text = golden_read(path, &len);
    struct jobspec_options with = *opt;
    with.n_sets = golden_sets(text, sets, 16);
    with.sets = (const char *const *)sets;
    AUTO(jobspec) spec = load(file, text, len, &with);
    AUTO_FREE(char) canonical = canonical_format(spec, true);
    struct jobspec_options elsewhere = *opt;
    AUTO_STR away = {0};
    elsewhere.dir = NULL;
    str_printf(&away, "/another/folder/%s", strrchr(path, '/') + 1);
    AUTO(jobspec) again = load(away.text, canonical, strlen(canonical), &elsewhere);
    unsigned planned = expect_same_plan(path, spec, again);
    for (unsigned i = 0; i < with.n_sets; i++)
        free(sets[i]);
    return planned;
}

Test(canonical_plan, of_every_example_is_that_of_its_canonical_form, .timeout = 60)
{
    const char *source = getenv("GRIDMILL_SOURCE");
    struct jobspec_options opt = {.look = engine_look};
    AUTO_STR pattern = {0};
    glob_t files = {0};
    cr_assert(source != NULL);
    str_printf(&pattern, "%s/jobspecs/*.yaml", source);
    cr_assert(glob(pattern.text, 0, NULL, &files) == 0 && files.gl_pathc >= 6);
    opt.kernels = engine_kernels(&opt.n_kernels);
    unsigned planned = 0;
    for (size_t i = 0; i < files.gl_pathc; i++)
        planned += expect_same(files.gl_pathv[i], &opt, files.gl_pathv[i]);
    cr_expect(planned == files.gl_pathc, "%u", planned);
    globfree(&files);
}

Test(canonical_plan, of_every_golden_jobspec_is_that_of_its_canonical_form)
{
    static const char *const kinds[] = {"valid", "../canonical"};
    struct jobspec_options opt = fake_options();
    unsigned planned = 0;
    for (int k = 0; k < 2; k++) {
        glob_t files = golden_files(kinds[k], 6);
        for (size_t i = 0; i < files.gl_pathc; i++) {
            AUTO_STR file = {0};
            str_printf(&file, "/job%s", strrchr(files.gl_pathv[i], '/'));
            planned += expect_same(files.gl_pathv[i], &opt, file.text);
        }
        globfree(&files);
    }
    cr_expect(planned >= 11, "%u", planned);
}
