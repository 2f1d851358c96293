/* See scheduler/result/scan.h: each turn sees what is new, and counts it once. */
#include "base/file.h"
#include "result/fence.h"
#include "result/pack.h"
#include "result/scan.h"
#include "result_job.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>

static void ok(int rc, const struct gm_error *err)
{
    cr_assert_eq(rc, 0, "%s", err->text);
}

static void add(struct shard *s, uint64_t task, uint32_t attempt, uint32_t status)
{
    struct gm_error err = {0};
    struct result_commit c = fixture_commit(task, 0, attempt);
    c.status = status;
    ok(shard_commit(s, &c, &err), &err);
}

static void
expect_counts(const struct scan *s, uint64_t done, uint64_t failed, uint64_t skipped)
{
    const struct scan_stage *stage = &scan_job(s)->stages[0];
    cr_expect_eq(stage->done, done, "%lu done", (unsigned long)stage->done);
    cr_expect_eq(stage->failed, failed, "%lu failed", (unsigned long)stage->failed);
    cr_expect_eq(stage->skipped, skipped, "%lu skipped", (unsigned long)stage->skipped);
}

Test(scan, each_turn_sees_what_was_committed_since)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL, *other = NULL;
    AUTO(scan) scan = NULL;
    fixture_make(&f, NULL, 40, 2);
    ok(scan_open(f.folder, &scan, &err), &err);
    expect_counts(scan, 0, 0, 0);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    for (uint64_t i = 0; i < 10; i++)
        ok(fixture_done(s, i, 0, &err), &err);
    ok(scan_turn(scan, &err), &err);
    expect_counts(scan, 0, 0, 0);
    ok(shard_flush(s, &err), &err);
    ok(scan_turn(scan, &err), &err);
    expect_counts(scan, 10, 0, 0);
    uint64_t version = scan_job(scan)->version;
    ok(scan_turn(scan, &err), &err);
    cr_expect_eq(scan_job(scan)->version, version, "nothing is new");
    ok(shard_create(f.folder, 1, &other, &err), &err);
    ok(fixture_done(other, 30, 1, &err), &err);
    ok(shard_flush(other, &err), &err);
    add(s, 10, 1, RESULT_RETRIED);
    add(s, 10, 2, RESULT_FAILED);
    ok(shard_flush(s, &err), &err);
    ok(scan_turn(scan, &err), &err);
    expect_counts(scan, 11, 1, 0);
    cr_expect_eq(scan_job(scan)->stages[0].retried, 1);
    cr_expect_eq(scan_job(scan)->n_failures, 1);
    cr_expect_eq(scan_job(scan)->failures[0].task, 10);
    cr_expect_eq(scan_job(scan)->failures[0].attempt, 2);
    cr_expect_gt(scan_job(scan)->version, version);
    ok(shard_close(s, &err), &err);
    ok(shard_close(other, &err), &err);
    fixture_drop(&f);
}

Test(scan, a_task_that_is_done_at_last_has_not_failed)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    AUTO(scan) scan = NULL;
    fixture_make(&f, NULL, 40, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    add(s, 3, 1, RESULT_FAILED);
    struct result_commit skipped = {
        .task = 10, .count = 20, .status = RESULT_SKIPPED, .reason = RESULT_NEEDS};
    ok(shard_commit(s, &skipped, &err), &err);
    ok(shard_flush(s, &err), &err);
    ok(scan_open(f.folder, &scan, &err), &err);
    expect_counts(scan, 0, 1, 20);
    add(s, 3, 2, RESULT_DONE);
    add(s, 12, 1, RESULT_FAILED);
    add(s, 13, 1, RESULT_DONE);
    add(s, 3, 1, RESULT_FAILED); /* late, of a rank that was given up */
    ok(shard_commit(s, &skipped, &err), &err);
    ok(shard_flush(s, &err), &err);
    ok(scan_turn(scan, &err), &err);
    expect_counts(scan, 2, 1, 18);
    cr_expect_eq(scan_job(scan)->n_failures, 1, "one is not there any more");
    ok(shard_close(s, &err), &err);
    fixture_drop(&f);
}

Test(scan, what_has_its_fence_is_an_earlier_launch_s)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    AUTO(scan) scan = NULL;
    fixture_make(&f, NULL, 40, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    ok(fixture_done(s, 0, 0, &err), &err);
    ok(shard_flush(s, &err), &err);
    ok(fence_rank(f.folder, 0, 0, &err), &err);
    ok(fixture_done(s, 1, 0, &err), &err);
    ok(shard_flush(s, &err), &err);
    ok(scan_open(f.folder, &scan, &err), &err);
    expect_counts(scan, 1, 0, 0);
    cr_expect_eq(scan_job(scan)->stages[0].fresh, 0, "an earlier launch's");
    ok(shard_close(s, &err), &err);
    fixture_drop(&f);
}

/* At once, as another process would: the writer looks for its fence, the scan later. */
static void fence(const struct result_fixture *f, const char *text)
{
    struct gm_error err = {0};
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/fences", f->folder);
    ok(file_make_folders(path, &err), &err);
    (void)snprintf(path, sizeof(path), "%s/fences/rank-000000.txt", f->folder);
    ok(file_write(path, text, strlen(text), &err), &err);
}

Test(scan, a_fence_takes_back_what_was_seen_behind_it)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    AUTO(scan) scan = NULL;
    fixture_make(&f, NULL, 40, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    for (uint64_t i = 0; i < 4; i++)
        add(s, i, 1, i == 3 ? RESULT_FAILED : RESULT_DONE);
    ok(shard_flush(s, &err), &err);
    ok(scan_open(f.folder, &scan, &err), &err);
    expect_counts(scan, 3, 1, 0);
    cr_expect_eq(scan_job(scan)->ranks[0].tasks, 4);
    fence(&f, "commits 2\n");
    ok(scan_turn(scan, &err), &err);
    expect_counts(scan, 2, 0, 0);
    cr_expect_eq(scan_job(scan)->ranks[0].tasks, 2, "it is a rank of this launch still");
    cr_expect_eq(scan_job(scan)->n_failures, 0);
    ok(scan_turn(scan, &err), &err);
    expect_counts(scan, 2, 0, 0);
    (void)shard_close(s, NULL);
    fixture_drop(&f);
}

Test(scan, a_shard_that_was_long_silent_is_read_again_when_it_grows)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    const struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    char path[512];
    AUTO(scan) scan = NULL;
    fixture_make(&f, NULL, 40, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    add(s, 0, 1, RESULT_DONE);
    ok(shard_flush(s, &err), &err);
    (void)snprintf(path, sizeof(path), "%s/shards/000/rank-000000.h5", f.folder);
    cr_assert_eq(utimensat(AT_FDCWD, path, old, 0), 0);
    ok(scan_open(f.folder, &scan, &err), &err);
    ok(scan_turn(scan, &err), &err);
    expect_counts(scan, 1, 0, 0);
    add(s, 1, 1, RESULT_DONE);
    ok(shard_flush(s, &err), &err);
    ok(scan_turn(scan, &err), &err);
    expect_counts(scan, 2, 0, 0);
    ok(shard_close(s, &err), &err);
    fixture_drop(&f);
}

Test(scan, a_head_of_another_launch_is_told)
{
    struct result_fixture f, g;
    struct gm_error err = {0};
    char from[512], to[512];
    AUTO(scan) scan = NULL;
    fixture_make(&f, NULL, 40, 1);
    fixture_make(&g, NULL, 40, 1);
    ok(scan_open(f.folder, &scan, &err), &err);
    (void)snprintf(from, sizeof(from), "%s/job.h5", g.folder);
    (void)snprintf(to, sizeof(to), "%s/job.h5", f.folder);
    cr_assert_eq(rename(from, to), 0);
    cr_expect_eq(scan_turn(scan, &err), -ESTALE);
    fixture_drop(&f);
    fixture_drop(&g);
}

Test(scan, a_packed_file_has_the_counts_of_its_folder)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    struct scan *folder = NULL;
    char id[64];
    AUTO(scan) file = NULL;
    fixture_make(&f, NULL, 30, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    for (uint64_t i = 0; i < 30; i++)
        add(s, i, 1, i % 3 == 1 ? RESULT_FAILED : RESULT_DONE);
    ok(fixture_commands(s, 0, &err), &err);
    ok(shard_close(s, &err), &err);
    ok(scan_open(f.folder, &folder, &err), &err);
    expect_counts(folder, 20, 10, 0);
    cr_expect_not(scan_job(folder)->packed);
    cr_expect_eq(scan_job(folder)->n_failures, 11);
    (void)snprintf(id, sizeof(id), "%s", scan_job(folder)->id);
    scan_close(folder);
    struct pack_options opt = {
        .folder = f.folder, .file = f.file, .complete = true, .outcome = "failed"};
    ok(pack_run(&opt, &err), &err);
    ok(scan_open(f.file, &file, &err), &err);
    cr_expect(scan_job(file)->packed);
    expect_counts(file, 20, 10, 0);
    cr_expect_eq(scan_job(file)->n_failures, 11);
    cr_expect_str_eq(scan_job(file)->id, id);
    fixture_drop(&f);
}
