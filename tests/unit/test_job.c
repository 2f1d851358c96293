/* See scheduler/result/job.h. */
#include "result/job.h"
#include "result_job.h"
#include <criterion/criterion.h>

static void ok(int rc, const struct gm_error *err)
{
    cr_assert_eq(rc, 0, "%s", err->text);
}

Test(job, a_reader_learns_all_of_the_head_before_any_task_ran)
{
    struct result_fixture f;
    struct gm_error err = {0};
    fixture_make(&f, NULL, 40, 3);
    AUTO(reader) r = NULL;
    ok(reader_open(f.file, &r, &err), &err);
    static const char *const texts[][2] = {{"name", "fixture"},
                                           {"id", "0123456789abcdef0123456789abcdef"},
                                           {"build", "0.1.0+test"},
                                           {"jobspec", "name: fixture\n"},
                                           {"canonical", "{\"version\":1}"}};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        cr_expect_str_eq(reader_job_text(r, texts[i][0]), texts[i][1]);
    cr_expect_not_null(strstr(reader_job_text(r, "plan"), PLAN_SCHEMA));
    cr_expect_null(reader_job_text(r, "colour"));
    cr_assert_eq(reader_n_stages(r), 2);
    const struct reader_stage *s = reader_stage(r, 0);
    cr_expect_str_eq(s->name, "probe"); /* in the jobspec's order, not the alphabet's */
    cr_expect_str_eq(s->kernel, "probe");
    cr_expect_eq(s->n_tasks, 40);
    cr_assert_eq(s->n_outputs, N_OUTPUTS);
    for (unsigned i = 0; i < N_OUTPUTS; i++) {
        const struct gm_output_spec *o = &result_outputs[i];
        cr_expect_str_eq(s->outputs[i].name, o->name);
        cr_expect_str_eq(s->outputs[i].unit, o->unit);
        cr_expect_str_eq(s->outputs[i].help, o->help);
        cr_expect_str_eq(s->outputs[i].shape, o->shape);
        cr_expect_str_eq(s->outputs[i].weight, o->weight != NULL ? o->weight : "");
        cr_expect_eq(s->outputs[i].dtype, o->dtype);
        cr_expect_eq(s->outputs[i].ndim, o->ndim);
        cr_expect_eq(s->outputs[i].flags, o->flags);
        cr_expect_eq(s->outputs[i].summary, o->summary);
    }
    cr_expect_str_eq(reader_stage(r, 1)->kernel, "");
    cr_expect_eq(reader_stage(r, 1)->n_outputs, 0);
    cr_assert_eq(reader_n_ranks(r), 3);
    struct reader_rank rank;
    ok(reader_rank(r, 2, &rank, &err), &err);
    cr_expect_str_eq(rank.host, "n1");
    cr_expect_str_eq(rank.planned, "0-1");
    cr_expect_str_eq(rank.seen, "");
    cr_expect_eq(reader_rank(r, 3, &rank, &err), -ENOENT);
    fixture_drop(&f);
}

Test(job, a_jobspec_longer_than_an_attribute_may_be_is_kept)
{
    struct result_fixture f;
    struct gm_error err = {0};
    fixture_make(&f, NULL, 2, 1);
    const size_t n = 300000;
    AUTO_FREE(char) text = xcalloc(n + 1, 1);
    memset(text, '#', n);
    f.plan.text = text;
    f.plan.text_len = n;
    struct result_job job = {.plan = &f.plan, .spec = &f.spec};
    ok(job_write(&job, &err), &err);
    AUTO(reader) r = NULL;
    ok(reader_open(f.folder, &r, &err), &err);
    cr_expect_str_eq(reader_job_text(r, "jobspec"), text);
    fixture_drop(&f);
}

Test(job, a_folder_that_is_not_there_is_named_and_nothing_is_left)
{
    struct result_fixture f;
    struct gm_error err = {0};
    fixture_make(&f, NULL, 2, 1);
    f.plan.folder = "/tmp/gridmill-none/there.gm";
    struct result_job job = {.plan = &f.plan, .spec = &f.spec};
    cr_expect_eq(job_write(&job, &err), -ENOENT);
    cr_expect_not_null(strstr(err.text, "there.gm/job.h5"), "%s", err.text);
    fixture_drop(&f);
}
