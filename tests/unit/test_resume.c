/* scheduler/engine/resume and same: what a later launch takes from the folder, what it
 * may change, and what is refused by its name. */
#include "base/memory.h"
#include "engine/folder.h"
#include "engine/resume.h"
#include "engine/same.h"
#include "engine_job.h"

static const char yaml[] = "name: nap\n"
                           "ranks: 2\n"
                           "per-rank: {cores: 1}\n"
                           "time: 10m\n"
                           "results: job.h5\n"
                           "tasks:\n"
                           "  - name: first\n"
                           "    matrix: {x: 1-4}\n"
                           "    kernel: sleep\n"
                           "    args: {seconds: 0.5}\n"
                           "    retry: {limit: 2}\n"
                           "  - name: second\n"
                           "    shards: {of: lines.txt, lines: 2}\n"
                           "    command: [wc, \"${shard.path}\"]\n";

static struct engine_job job;
static char lines[96];

static void write_lines(const char *text)
{
    cr_assert_eq(file_write(lines, text, strlen(text), NULL), 0);
}

static void open_job(const char *text)
{
    engine_job_open(&job, "kernel: sleep\nargs: {seconds: 0}\n");
    (void)snprintf(lines, sizeof(lines), "%s/lines.txt", job.dir);
    write_lines("a\nb\nc\nd\n");
    jobspec_free(job.spec);
    struct gm_error err = {0};
    struct jobspec_faults faults = {0};
    struct jobspec_options opt = {.dir = job.dir, .look = engine_look};
    opt.kernels = engine_kernels(&opt.n_kernels);
    int rc =
        jobspec_parse("job.yaml", text, strlen(text), &opt, &job.spec, &faults, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    jobspec_faults_free(&faults);
}

static void setup(void)
{
    open_job(yaml);
}

static void teardown(void)
{
    engine_job_close(&job);
}

TestSuite(resume, .init = setup, .fini = teardown, .timeout = 60);

/* An unfinished run of the job in its folder. */
static void leave_unfinished(void)
{
    AUTO(plan) plan = engine_job_plan(&job);
    AUTO(folder) f = NULL;
    struct gm_error err = {0};
    plan->began = 1e9;
    cr_assert_eq(folder_open(plan, false, &f, &err), 0, "%s", err.text);
}

static int load(const char *set, struct resume *ret, struct gm_error *err)
{
    struct jobspec_faults faults = {0};
    struct resume_request req = {
        .results = job.results, .sets = &set, .n_sets = set != NULL ? 1 : 0};
    *err = (struct gm_error){0};
    int rc = resume_load(&req, ret, &faults, err);
    jobspec_faults_free(&faults);
    return rc;
}

Test(resume, takes_the_job_from_the_folder)
{
    struct resume r = {0};
    struct gm_error err;
    leave_unfinished();
    cr_assert_eq(load(NULL, &r, &err), 0, "%s", err.text);
    cr_expect_str_eq(r.spec->results, job.results);
    cr_expect_eq(r.spec->n_stages, 2);
    cr_expect_eq(r.spec->stages[1].n_tasks, 2);
    struct plan next = {0};
    resume_number(r.plan, true, &next);
    cr_expect(next.launch == 1 && next.again);
    cr_expect_float_eq(next.began, 1e9, 1e-3);
    resume_clear(&r);
}

Test(resume, what_says_where_and_how_long_may_differ)
{
    static const char *const sets[] = {"ranks=7",
                                       "mapping=spread",
                                       "per-rank.cores=2",
                                       "per-rank.memory=1GiB",
                                       "time=2h",
                                       "grace=5s",
                                       "on-loss.restarts=9",
                                       "results=other.h5"};
    leave_unfinished();
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        struct resume r = {0};
        struct gm_error err;
        cr_expect_eq(load(sets[i], &r, &err), 0, "%s: %s", sets[i], err.text);
        resume_clear(&r);
    }
}

Test(resume, any_other_change_is_refused_by_its_key)
{
    static const struct {
        const char *set, *key;
    } cases[] = {
        {"tasks.first.args.seconds=0.25", "tasks.first.args.seconds: "},
        {"tasks.first.matrix.x=1-5", "tasks.first.matrix.x: "},
        {"tasks.first.retry.limit=3", "tasks.first.retry.limit: "},
        {"tasks.second.command=[wc, -l]", "tasks.second.command[1]: "},
        {"tasks.second.timeout=5s", "tasks.second.timeout: "},
        {"tasks.first.group=2", "tasks.first.group: "},
        {"tasks.second.name=third", "tasks.second.name: "},
        {"name=other", "name: is not"},
    };
    leave_unfinished();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct resume r = {0};
        struct gm_error err;
        cr_expect_eq(load(cases[i].set, &r, &err), -EINVAL, "%s", cases[i].set);
        cr_expect_not_null(
            strstr(err.text, cases[i].key), "%s: %s", cases[i].set, err.text);
        resume_clear(&r);
    }
}

Test(resume, a_set_that_is_wrong_is_told_as_such)
{
    struct resume r = {0};
    struct gm_error err;
    leave_unfinished();
    cr_expect_eq(load("rank=3", &r, &err), -EINVAL);
    cr_expect_not_null(strstr(err.text, "rank"), "%s", err.text);
}

Test(resume, an_input_that_was_only_written_again_is_the_same)
{
    struct resume r = {0};
    struct gm_error err;
    leave_unfinished();
    struct jobspec_source before = job.spec->sources[0];
    (void)usleep(20000);
    write_lines("a\nb\nc\nd\n");
    cr_assert_lt(engine_unchanged(&before, &err), 0, "the date is another");
    cr_assert_eq(load(NULL, &r, &err), 0, "%s", err.text);
    cr_expect_eq(engine_unchanged(&r.spec->sources[0], &err), 0, "its date was learned");
    resume_clear(&r);
}

Test(resume, an_input_with_another_content_is_refused_by_its_path)
{
    struct resume r = {0};
    struct gm_error err;
    leave_unfinished();
    write_lines("a\nb\nc\nD\n");
    cr_expect_eq(load(NULL, &r, &err), -EINVAL);
    cr_expect_not_null(strstr(err.text, lines), "%s", err.text);
    cr_assert_eq(unlink(lines), 0);
    cr_expect_eq(load(NULL, &r, &err), -EINVAL);
    cr_expect_not_null(strstr(err.text, lines), "%s", err.text);
}

Test(resume, results_that_were_moved_are_written_where_they_are)
{
    struct resume r = {0};
    struct gm_error err = {0};
    struct jobspec_faults faults = {0};
    char from[128], to[128], file[128];
    leave_unfinished();
    (void)snprintf(from, sizeof(from), "%s.gm", job.results);
    (void)snprintf(to, sizeof(to), "%s/moved.h5.gm", job.dir);
    (void)snprintf(file, sizeof(file), "%s/moved.h5", job.dir);
    cr_assert_eq(rename(from, to), 0);
    struct resume_request req = {.results = to};
    cr_assert_eq(resume_load(&req, &r, &faults, &err), 0, "%s", err.text);
    cr_expect_str_eq(r.spec->results, file);
    cr_expect_str_eq(r.folder, to);
    jobspec_faults_free(&faults);
    resume_clear(&r);
}

Test(resume, nothing_there_and_nothing_left_are_two_things)
{
    struct resume r = {0};
    struct gm_error err;
    cr_expect_eq(load(NULL, &r, &err), -ENOENT);
    cr_assert_eq(file_write(job.results, "x", 1, NULL), 0);
    cr_expect_lt(load(NULL, &r, &err), 0);
    cr_expect_not_null(strstr(err.text, "not an HDF5 file"), "%s", err.text);
}

Test(resume, a_folder_without_a_plan_or_with_a_damaged_one_says_so)
{
    struct resume r = {0};
    struct gm_error err;
    char path[128];
    leave_unfinished();
    (void)snprintf(path, sizeof(path), "%s.gm/plan.json", job.results);
    cr_assert_eq(file_write(path, "{\"schema\": ", 11, NULL), 0);
    cr_expect_eq(load(NULL, &r, &err), -EINVAL);
    cr_expect_not_null(strstr(err.text, "plan.json"), "%s", err.text);
    cr_assert_eq(unlink(path), 0);
    cr_expect_eq(load(NULL, &r, &err), -ENOENT);
    cr_expect_not_null(strstr(err.text, "no plan.json"), "%s", err.text);
}

Test(resume, a_job_finds_its_own_unfinished_run_and_no_other)
{
    struct resume r = {0};
    struct gm_error err = {0};
    cr_expect_eq(resume_find(job.spec, &r, &err), -ENOENT);
    leave_unfinished();
    cr_assert_eq(resume_find(job.spec, &r, &err), 0, "%s", err.text);
    resume_clear(&r);
    jobspec_free(job.spec);
    restree_free(job.tree);
    char dir[64];
    (void)snprintf(dir, sizeof(dir), "%s", job.dir);
    open_job("name: nap\nkernel: sleep\nargs: {seconds: 0}\nresults: job.h5\n");
    struct jobspec other = *job.spec;
    char results[128];
    (void)snprintf(results, sizeof(results), "%s/job.h5", dir);
    other.results = results;
    cr_expect_eq(resume_find(&other, &r, &err), -EINVAL);
    cr_expect_not_null(strstr(err.text, "unfinished run"), "%s", err.text);
    (void)file_remove_tree(dir, NULL);
}
