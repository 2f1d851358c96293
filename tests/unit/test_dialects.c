/* Flux's own test files, RFC 14's and 25's examples, judged as their projects judge them.
 * They are data of others and stand outside the repository: without GRIDMILL_TEST_DATA
 * these tests are skipped. The folders may hold some of the files or all of them. */
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "spec_flux.h"
#include <criterion/criterion.h>
#include <glob.h>
#include <unistd.h>

static const char *data_folder(void)
{
    const char *root = getenv("GRIDMILL_TEST_DATA");
    if (root == NULL)
        cr_skip("GRIDMILL_TEST_DATA is not set");
    return root;
}

static struct flux_sample read_path(const char *path, struct flux_rules rules)
{
    size_t len = 0;
    char *text = NULL;
    struct gm_error err = {0};
    cr_assert(file_read(path, 1u << 20, &text, &len, &err) == 0, "%s", err.text);
    struct flux_sample s = flux_sample_read(path, text, len, rules);
    free(text);
    return s;
}

/* Every file of a folder is taken, or every one refused. */
static void check_folder(const char *folder, struct flux_rules rules, bool taken)
{
    AUTO_STR pattern = {0};
    glob_t g = {0};
    str_printf(&pattern, "%s/jobspec/%s/*.yaml", data_folder(), folder);
    cr_assert(glob(pattern.text, 0, NULL, &g) == 0, "%s: no files", pattern.text);
    for (size_t i = 0; i < g.gl_pathc; i++) {
        struct flux_sample s = read_path(g.gl_pathv[i], rules);
        cr_expect(s.taken == taken,
                  "%s: %s",
                  g.gl_pathv[i],
                  taken ? flux_sample_why(&s) : "taken");
        cr_expect(
            taken || s.faults.n_errors > 0, "%s: refused in silence", g.gl_pathv[i]);
        flux_sample_end(&s);
    }
    globfree(&g);
}

static const struct flux_rules core_any = {.dialect = DIALECT_FLUX_CORE, .any = true},
                               core_v1 = {.dialect = DIALECT_FLUX_CORE, .only_v1 = true},
                               core = {.dialect = DIALECT_FLUX_CORE},
                               rfc = {.dialect = DIALECT_RFC},
                               fluxion = {.dialect = DIALECT_FLUXION};

Test(dialects, flux_core_at_any_version)
{
    check_folder("flux-core/valid", core_any, true);
    check_folder("flux-core/invalid", core_any, false);
}

Test(dialects, flux_core_at_version_1)
{
    check_folder("flux-core/valid_v1", core_v1, true);
    check_folder("flux-core/invalid_v1", core_v1, false);
    check_folder("flux-core/valid_v1", core, true);
    check_folder("flux-core/invalid", core, false);
}

Test(dialects, fluxion)
{
    check_folder("flux-sched-validation/valid", fluxion, true);
    check_folder("flux-sched-validation/invalid", fluxion, false);
}

Test(dialects, the_examples_of_the_rfcs)
{
    check_folder("rfc/spec_14", rfc, true);
    check_folder("rfc/spec_25", rfc, true);
    check_folder("flux-core/invalid", rfc, false);
}

/* What flux-core's job-list makes of a request before resources are found for it; -2: it
 * is not asked. */
static const struct counted {
    const char *file;
    int64_t nodes, tasks, cores;
} counted[] = {
    {"1slot", -1, 1, 1},
    {"4slot", -1, 4, 4},
    {"1slot_4core", -2, -2, 4},
    {"1node", 1, 1, -1},
    {"4node", 4, 4, -1},
    {"1node_1slot_nonexclusive", -2, -2, 1},
    {"4node_1slot_nonexclusive", -2, -2, 4},
    {"4node_4slot_nonexclusive", -2, -2, 16},
    {"1node_perresourcenode4", -2, 4, -2},
    {"4node_perresourcenode4", -2, 16, -2},
    {"1slot_perresourcecore4", -2, 4, -2},
    {"4slot_perresourcecore4", -2, 16, -2},
    {"1node_perresourcecore4", -2, -1, -2},
    {"4node_perresourcecore4", -2, -1, -2},
};

static void check_counts(const struct counted *c, const struct flux_job *job)
{
    struct resource_sum sum;
    int64_t tasks = flux_count_tasks(job);
    cr_assert(resource_total(job->resources, job->n_resources, &sum) == 0);
    cr_expect(c->nodes == -2 || sum.nodes == c->nodes,
              "%s: %lld nodes",
              c->file,
              (long long)sum.nodes);
    cr_expect(
        c->tasks == -2 || tasks == c->tasks, "%s: %lld tasks", c->file, (long long)tasks);
    cr_expect(c->cores == -2 || sum.cores == c->cores,
              "%s: %lld cores",
              c->file,
              (long long)sum.cores);
}

Test(dialects, what_a_request_asks_for_is_counted_as_job_list_counts)
{
    unsigned found = 0;
    for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
        AUTO_STR path = {0};
        str_printf(&path,
                   "%s/jobspec/flux-core-joblist-json/%s.jobspec",
                   data_folder(),
                   counted[i].file);
        if (access(path.text, R_OK) != 0)
            continue;
        struct flux_sample s = read_path(path.text, core);
        cr_assert(s.taken, "%s: %s", path.text, flux_sample_why(&s));
        check_counts(&counted[i], &s.job);
        flux_sample_end(&s);
        found++;
    }
    cr_expect(found >= 5, "only %u files", found);
}

/* job-list takes version 999 with a shrug, and so do we outside V1. */
Test(dialects, what_job_list_cannot_read_is_refused)
{
    AUTO_STR pattern = {0};
    glob_t g = {0};
    str_printf(&pattern,
               "%s/jobspec/flux-core-joblist-json/[im][ni][vs][as]*.jobspec",
               data_folder());
    cr_assert(glob(pattern.text, 0, NULL, &g) == 0);
    cr_expect(g.gl_pathc >= 5);
    for (size_t i = 0; i < g.gl_pathc; i++) {
        struct flux_sample s = read_path(g.gl_pathv[i], core);
        bool version = strstr(g.gl_pathv[i], "/invalid_version.") != NULL;
        cr_expect(s.taken == version, "%s", g.gl_pathv[i]);
        flux_sample_end(&s);
        s = read_path(g.gl_pathv[i], core_v1);
        cr_expect(!s.taken, "%s", g.gl_pathv[i]);
        flux_sample_end(&s);
    }
    globfree(&g);
}

static void check_names(const char *file, double duration)
{
    AUTO_STR path = {0};
    str_printf(
        &path, "%s/jobspec/flux-core-joblist-json/%s.jobspec", data_folder(), file);
    if (access(path.text, R_OK) != 0)
        return;
    struct flux_sample s = read_path(path.text, core);
    cr_assert(s.taken, "%s: %s", path.text, flux_sample_why(&s));
    cr_expect_str_eq(s.job.cwd, "/tmp/job");
    cr_expect(s.job.duration == duration, "%s", file);
    flux_sample_end(&s);
}

Test(dialects, what_a_document_names_is_read)
{
    check_names("1slot", 0);
    check_names("queue_specified", 0);
    check_names("duration_alt", 100);
}
