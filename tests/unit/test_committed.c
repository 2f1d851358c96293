/* See scheduler/result/committed.h. */
#include "result/again.h"
#include "result/committed.h"
#include "result/fence.h"
#include "result/pack.h"
#include "result_job.h"
#include <criterion/criterion.h>

static void ok(int rc, const struct gm_error *err)
{
    cr_assert_eq(rc, 0, "%s", err->text);
}

/* Of stage 0 with 40 tasks: 0..9 done, 10 failed, 11 tried twice, 12 failed then done,
 * 13..19 skipped; 30 done by rank 1. */
static void fill(struct result_fixture *f)
{
    struct gm_error err = {0};
    struct shard *s = NULL;
    ok(shard_create(f->folder, 0, &s, &err), &err);
    ok(fixture_rank(s, 0, &err), &err);
    for (uint64_t i = 0; i < 10; i++)
        ok(fixture_done(s, i, 0, &err), &err);
    static const struct {
        uint64_t task;
        uint32_t attempt, status;
    } tries[] = {{10, 1, RESULT_RETRIED},
                 {10, 2, RESULT_FAILED},
                 {11, 2, RESULT_RETRIED},
                 {11, 1, RESULT_RETRIED},
                 {12, 1, RESULT_RETRIED},
                 {12, 2, RESULT_DONE}};
    for (unsigned i = 0; i < 6; i++) {
        struct result_commit c = fixture_commit(tries[i].task, 0, tries[i].attempt);
        c.status = tries[i].status;
        ok(shard_commit(s, &c, &err), &err);
    }
    struct result_commit skipped = {
        .task = 13, .count = 7, .status = RESULT_SKIPPED, .reason = RESULT_NEEDS};
    ok(shard_commit(s, &skipped, &err), &err);
    ok(shard_close(s, &err), &err);
    ok(shard_create(f->folder, 1, &s, &err), &err);
    ok(fixture_done(s, 30, 1, &err), &err);
    ok(fixture_commands(s, 1, &err), &err);
    ok(shard_close(s, &err), &err);
}

static void check(const struct committed *c)
{
    cr_assert_eq(c->n_stages, 2);
    const struct committed_stage *s = &c->stages[0];
    cr_expect_eq(s->n_tasks, 40);
    cr_expect_eq(taskset_count(s->done), 12);
    cr_expect_eq(taskset_count(s->failed), 1);
    cr_expect_eq(taskset_count(s->skipped), 7);
    for (uint64_t i = 0; i < 40; i++) {
        cr_expect_eq(taskset_has(s->done, i), i < 10 || i == 12 || i == 30);
        cr_expect_eq(taskset_has(s->failed, i), i == 10);
        cr_expect_eq(taskset_has(s->skipped, i), i >= 13 && i < 20);
    }
    cr_assert_eq(s->n_tried, 2);
    cr_expect_eq(s->tried[0].task, 10);
    cr_expect_eq(s->tried[0].attempts, 2);
    cr_expect_eq(s->tried[0].status, RESULT_FAILED);
    cr_expect_eq(s->tried[1].task, 11);
    cr_expect_eq(s->tried[1].attempts, 2);
    cr_expect_eq(s->tried[1].status, RESULT_RETRIED);
    const struct committed_stage *say = &c->stages[1];
    cr_expect(taskset_has(say->done, 0));
    cr_expect(taskset_has(say->failed, 1));
    cr_expect(taskset_has(say->skipped, 2));
    cr_expect_eq(say->n_tried, 1);
}

Test(committed, a_folder_and_the_file_packed_of_it_say_the_same)
{
    struct result_fixture f;
    struct gm_error err = {0};
    fixture_make(&f, NULL, 40, 2);
    fill(&f);
    AUTO(committed) folder = NULL;
    AUTO(committed) packed = NULL;
    ok(committed_load(f.folder, &folder, &err), &err);
    check(folder);
    struct pack_options opt = {
        .folder = f.folder, .file = f.file, .complete = true, .outcome = "failed"};
    ok(pack_run(&opt, &err), &err);
    ok(committed_load(f.file, &packed, &err), &err);
    check(packed);
    fixture_drop(&f);
}

Test(committed, of_one_shard_alone)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 40, 2);
    fill(&f);
    AUTO(committed) first = NULL;
    AUTO(committed) second = NULL;
    struct committed *none = NULL;
    ok(committed_load_rank(f.folder, 1, 0, &first, &err), &err);
    cr_expect_eq(taskset_count(first->stages[0].done), 1);
    cr_expect(taskset_has(first->stages[0].done, 30));
    ok(shard_create(f.folder, 1, &s, &err), &err);
    ok(fixture_done(s, 31, 1, &err), &err);
    ok(fixture_done(s, 32, 1, &err), &err);
    ok(shard_flush(s, &err), &err);
    ok(fence_rank(f.folder, 1, 1, &err), &err);
    ok(fixture_done(s, 33, 1, &err), &err);
    ok(shard_close(s, &err), &err);
    ok(committed_load_rank(f.folder, 1, 1, &second, &err), &err);
    cr_expect_eq(taskset_count(second->stages[0].done), 2);
    cr_expect(taskset_has(second->stages[0].done, 31));
    cr_expect_eq(committed_load_rank(f.folder, 5, 0, &none, &err), -EIO);
    fixture_drop(&f);
}

static void retry(struct shard *s, uint64_t task, uint32_t attempt)
{
    struct gm_error err = {0};
    struct result_commit c = fixture_commit(task, 1, attempt);
    c.status = RESULT_FAILED;
    ok(shard_commit(s, &c, &err), &err);
}

Test(committed, failures_run_again_that_were_there_when_it_was_asked)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 40, 2);
    fill(&f);
    ok(shard_create(f.folder, 2, &s, &err), &err);
    retry(s, 20, 1);
    retry(s, 21, 1);
    ok(shard_close(s, &err), &err);
    ok(again_write(f.folder, 3, &err), &err);
    ok(shard_create(f.folder, 2, &s, &err), &err);
    retry(s, 20, 2);
    retry(s, 25, 1);
    ok(shard_close(s, &err), &err);
    AUTO(committed) c = NULL;
    ok(committed_load(f.folder, &c, &err), &err);
    const struct committed_stage *of = &c->stages[0];
    cr_expect(taskset_count(of->again) == 2 && taskset_count(of->failed) == 2);
    cr_expect(taskset_has(of->again, 10) && taskset_has(of->again, 21));
    cr_expect(taskset_has(of->failed, 20) && taskset_has(of->failed, 25));
    struct again again;
    ok(again_read(f.folder, &again, &err), &err);
    cr_expect_eq(again.launch, 3);
    again_clear(&again);
    AUTO_STR path = {0};
    str_printf(&path, "%s/again", f.folder);
    ok(file_write(path.text, "launch 3", 8, &err), &err);
    cr_expect_eq(again_read(f.folder, &again, &err), -EINVAL);
    cr_expect_not_null(strstr(err.text, "is damaged"));
    fixture_drop(&f);
}

Test(committed, a_path_that_is_no_job_is_named)
{
    struct gm_error err = {0};
    struct committed *c = NULL;
    cr_expect_eq(committed_load("/tmp/gridmill-no-such.h5", &c, &err), -ENOENT);
    cr_expect_not_null(strstr(err.text, "/tmp/gridmill-no-such.h5"));
    cr_expect_null(c);
}
