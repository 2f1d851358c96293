/* See scheduler/result/shard.h. Kills are in tests/cli/h5/kill.py. */
#include "result/shard.h"
#include "result_job.h"
#include <criterion/criterion.h>
#include <sys/mount.h>
#include <sys/stat.h>

static void ok(int rc, const struct gm_error *err)
{
    cr_assert_eq(rc, 0, "%s", err->text);
}

static unsigned done_in(struct reader *r)
{
    unsigned n = 0;
    for (uint64_t i = 0; i < reader_stage(r, 0)->n_tasks; i++) {
        struct reader_task t;
        cr_assert_eq(reader_task(r, 0, i, &t, NULL), 0);
        n += t.status == RESULT_DONE;
    }
    return n;
}

Test(shard, a_commit_is_seen_after_the_flush_and_not_before)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    struct reader *r = NULL;
    fixture_make(&f, NULL, 10, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    ok(reader_open(f.file, &r, &err), &err); /* in the process that writes */
    ok(fixture_done(s, 3, 0, &err), &err);
    cr_expect_gt(shard_pending(s), 0);
    ok(reader_refresh(r, &err), &err);
    cr_expect_eq(done_in(r), 0);
    ok(shard_flush(s, &err), &err);
    cr_expect_eq(shard_pending(s), 0);
    cr_expect_eq(done_in(r), 0, "a reader sees what is new when it refreshes");
    ok(reader_refresh(r, &err), &err);
    cr_expect_eq(done_in(r), 1);
    for (uint64_t i = 4; i < 10; i++)
        ok(fixture_done(s, i, 0, &err), &err);
    ok(shard_close(s, &err), &err); /* flushes */
    ok(reader_refresh(r, &err), &err);
    cr_expect_eq(done_in(r), 7);
    reader_close(r);
    fixture_drop(&f);
}

Test(shard, a_later_launch_overwrites_nothing)
{
    struct result_fixture f;
    struct gm_error err = {0};
    fixture_make(&f, NULL, 10, 1);
    for (uint64_t launch = 0; launch < 3; launch++) {
        struct shard *s = NULL;
        ok(shard_create(f.folder, 300, &s, &err), &err);
        ok(fixture_done(s, launch, 0, &err), &err);
        ok(shard_close(s, &err), &err);
    }
    AUTO_STR path = {0};
    str_printf(&path, "%s/shards/001/rank-000300.2.h5", f.folder);
    cr_expect(file_exists(path.text), "%s", path.text);
    AUTO(reader) r = NULL;
    ok(reader_open(f.folder, &r, &err), &err);
    cr_expect_eq(done_in(r), 3);
    fixture_drop(&f);
}

Test(shard, refuses_bytes_that_do_not_fit_their_shape)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 10, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    const struct result_record bad[] = {
        {.dtype = GM_F64, .ndim = 1, .dims = {3}, .nbytes = 23, .data = "x"},
        {.dtype = 11, .nbytes = 1, .data = "x"},
        {.dtype = GM_U8, .ndim = 9, .nbytes = 1, .data = "x"},
        {.dtype = GM_F64, .ndim = 2, .dims = {1ull << 62, 1ull << 62}, .data = "x"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_eq(shard_add(s, &bad[i], &err), -EINVAL);
    ok(fixture_done(s, 0, 0, &err), &err); /* and goes on */
    ok(shard_close(s, &err), &err);
    fixture_drop(&f);
}

Test(shard, values_larger_than_its_buffers_come_back)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 4, 1);
    const uint64_t n = 11u << 20;
    AUTO_FREE(unsigned char) big = xcalloc(n, 1);
    for (uint64_t i = 0; i < n; i++)
        big[i] = (unsigned char)(i * 2654435761u >> 24);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    for (uint64_t i = 0; i < 3; i++) {
        struct result_commit c = fixture_commit(i, 0, 1);
        ok(fixture_params(s, i, &err), &err);
        ok(fixture_value(s, i, RESULT_OUTPUT, O_MODEL, GM_U8, 1, n - i, 0, big + i, &err),
           &err);
        ok(shard_commit(s, &c, &err), &err);
    }
    cr_expect_lt(shard_pending(s), n);
    ok(shard_close(s, &err), &err);
    AUTO(reader) r = NULL;
    ok(reader_open(f.file, &r, &err), &err);
    for (uint64_t i = 0; i < 3; i++) {
        struct reader_value v;
        ok(reader_value(r, 0, i, RESULT_OUTPUT, O_MODEL, &v, &err), &err);
        cr_assert_eq(v.nbytes, n - i);
        cr_expect_eq(memcmp(v.data, big + i, n - i), 0);
        free(v.data);
    }
    fixture_drop(&f);
}

Test(shard, a_value_in_a_file_comes_back_and_one_that_is_cut_breaks_the_shard)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 4, 1);
    const uint64_t n = (5u << 20) + 12345;
    AUTO_FREE(unsigned char) big = xcalloc(n, 1);
    for (uint64_t i = 0; i < n; i++)
        big[i] = (unsigned char)(i * 2654435761u >> 24);
    FILE *file = tmpfile();
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(big, 1, n, file), n);
    cr_assert_eq(fflush(file), 0);
    struct result_record r = {
        .kind = RESULT_STDOUT, .dtype = GM_U8, .ndim = 1, .dims = {n}, .nbytes = n};
    struct result_commit c = fixture_commit(0, 0, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    ok(shard_add_file(s, &r, fileno(file), &err), &err);
    ok(shard_commit(s, &c, &err), &err);
    ok(shard_flush(s, &err), &err);
    r.task = 1;
    r.nbytes = r.dims[0] = n + 1;
    cr_expect_eq(shard_add_file(s, &r, fileno(file), &err), -EIO);
    cr_expect_not_null(strstr(err.text, "ends too soon"), "%s", err.text);
    cr_expect_lt(shard_close(s, NULL), 0);
    fclose(file);
    AUTO(reader) reader = NULL;
    struct reader_value v;
    ok(reader_open(f.file, &reader, &err), &err);
    cr_expect_eq(done_in(reader), 1);
    ok(reader_value(reader, 0, 0, RESULT_STDOUT, 0, &v, &err), &err);
    cr_expect(v.nbytes == n && memcmp(v.data, big, n) == 0);
    free(v.data);
    fixture_drop(&f);
}

Test(shard, more_commits_than_its_buffers_hold_come_back)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    const uint64_t n = 20000;
    fixture_make(&f, NULL, n, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    for (uint64_t i = 0; i < n; i++) {
        struct result_commit c = fixture_commit(i, 0, 1);
        ok(fixture_params(s, i, &err), &err);
        ok(shard_commit(s, &c, &err), &err);
    }
    ok(shard_close(s, &err), &err);
    AUTO(reader) r = NULL;
    ok(reader_open(f.file, &r, &err), &err);
    cr_expect_eq(done_in(r), n);
    fixture_drop(&f);
}

Test(shard, the_last_word_on_a_rank_counts_and_takes_nothing_from_an_open_task)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 10, 4);
    ok(shard_create(f.folder, 2, &s, &err), &err);
    ok(fixture_rank(s, 2, &err), &err);
    ok(fixture_params(s, 7, &err), &err);
    struct result_rank again = {
        .host = "elsewhere", .device = "cpu", .seen = "5", .pid = 77};
    ok(shard_rank(s, &again, &err), &err); /* between two records of a task */
    ok(fixture_outputs(s, 7, 0, 0, &err), &err);
    struct result_commit c = fixture_commit(7, 2, 1);
    ok(shard_commit(s, &c, &err), &err);
    ok(shard_close(s, &err), &err);
    AUTO(reader) r = NULL;
    ok(reader_open(f.file, &r, &err), &err);
    struct reader_rank rank;
    ok(reader_rank(r, 2, &rank, &err), &err);
    cr_expect_str_eq(rank.host, "elsewhere");
    cr_expect_str_eq(rank.seen, "5");
    cr_expect_str_eq(rank.planned, "");
    cr_expect_eq(rank.pid, 77);
    cr_expect_eq(rank.tasks, 1);
    cr_expect_float_eq(rank.busy_s, 0.25, 1e-9);
    struct reader_value v;
    ok(reader_value(r, 0, 7, RESULT_PARAMS, 0, &v, &err), &err);
    cr_expect_str_eq(v.data, "{\"i\":7}");
    free(v.data);
    ok(reader_value(r, 0, 7, RESULT_OUTPUT, O_LABELS, &v, &err), &err);
    free(v.data);
    fixture_drop(&f);
}

Test(shard, a_full_disk_says_so_and_leaves_earlier_commits)
{
    char dir[] = "/tmp/gridmill-full-XXXXXX";
    cr_assert_not_null(mkdtemp(dir));
    if (mount("none", dir, "tmpfs", 0, "size=3m") != 0) {
        (void)rmdir(dir);
        cr_skip_test("a small tmpfs cannot be mounted here: %s", strerror(errno));
    }
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, dir, 1000, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    static unsigned char model[100000];
    uint64_t flushed = 0;
    int rc = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        struct result_commit c = fixture_commit(i, 0, 1);
        rc = fixture_value(
            s, i, RESULT_OUTPUT, O_MODEL, GM_U8, 1, sizeof(model), 0, model, &err);
        rc = rc == 0 ? shard_commit(s, &c, &err) : rc;
        rc = rc == 0 ? shard_flush(s, &err) : rc;
        if (rc != 0)
            break;
        flushed++;
    }
    cr_expect_eq(rc, -ENOSPC);
    cr_expect_not_null(strstr(err.text, "rank-000000.h5: No space left on device"));
    cr_expect_geq(flushed, 10);
    struct gm_error again = {0};
    cr_expect_eq(shard_flush(s, &again), -ENOSPC);
    cr_expect_str_eq(again.text, err.text);
    cr_expect_eq(shard_close(s, &again), -ENOSPC);
    AUTO(reader) r = NULL;
    struct gm_error why = {0};
    ok(reader_open(f.file, &r, &why), &why);
    cr_expect_eq(done_in(r), flushed);
    struct reader_value v;
    ok(reader_value(r, 0, flushed - 1, RESULT_OUTPUT, O_MODEL, &v, &why), &why);
    free(v.data);
    reader_close(steal(&r));
    fixture_drop(&f);
    cr_expect_eq(umount(dir), 0, "%s", strerror(errno));
    (void)rmdir(dir);
}

Test(shard, a_folder_that_cannot_be_written_is_named)
{
    struct gm_error err = {0};
    struct shard *s = NULL;
    cr_expect_eq(shard_create("/proc/none", 0, &s, &err), -ENOENT);
    cr_expect_not_null(strstr(err.text, "/proc/none"));
    cr_expect_null(s);
}
