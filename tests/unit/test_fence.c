/* See scheduler/result/fence.h: what a rank writes after it was given up counts for
 * nothing, for no reader, whenever that reader was opened. */
#include "result/committed.h"
#include "result/fence.h"
#include "result/pack.h"
#include "result_job.h"
#include <criterion/criterion.h>
#include <sys/stat.h>
#include <sys/wait.h>

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

static uint64_t committed_in(const char *path)
{
    struct gm_error err = {0};
    AUTO(committed) c = NULL;
    ok(committed_load(path, &c, &err), &err);
    return taskset_count(c->stages[0].done);
}

static char *shard_of(const struct result_fixture *f, const char *name)
{
    struct str path = {0};
    str_printf(&path, "%s/shards/000/%s", f->folder, name);
    return str_steal(&path);
}

static void commit(struct shard *s, uint64_t from, uint64_t to)
{
    struct gm_error err = {0};
    for (uint64_t i = from; i < to; i++)
        ok(fixture_done(s, i, 0, &err), &err);
    ok(shard_flush(s, &err), &err);
}

Test(fence, commits_after_the_seal_count_for_nobody)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 20, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    AUTO(reader) early = NULL;
    commit(s, 0, 5);
    ok(reader_open(f.file, &early, &err), &err);
    cr_expect(!shard_fenced(s));
    ok(fence_rank(f.folder, 0, 0, &err), &err);
    cr_expect(shard_fenced(s));
    AUTO_FREE(char) path = shard_of(&f, "rank-000000.h5");
    uint64_t rows = 0;
    cr_expect_eq(fence_of(path, &rows, &err), 1);
    cr_expect_eq(rows, 5);

    commit(s, 5, 12); /* the lost rank wakes up */
    ok(reader_refresh(early, &err), &err);
    cr_expect_eq(done_in(early), 5);
    AUTO(reader) late = NULL;
    ok(reader_open(f.file, &late, &err), &err);
    cr_expect_eq(done_in(late), 5);
    cr_expect_eq(committed_in(f.file), 5);
    struct reader_rank rank;
    ok(reader_rank(late, 0, &rank, &err), &err);
    cr_expect_eq(rank.tasks, 5);

    ok(fence_rank(f.folder, 0, 0, &err), &err); /* a second seal changes nothing */
    cr_expect_eq(fence_of(path, &rows, &err), 1);
    cr_expect_eq(rows, 5);
    struct shard *other = NULL;
    ok(shard_create(f.folder, 1, &other, &err), &err);
    commit(other, 5, 20); /* the tasks ran elsewhere */
    ok(shard_close(other, &err), &err);
    ok(shard_close(s, &err), &err);
    struct pack_options opt = {
        .folder = f.folder, .file = f.file, .complete = true, .outcome = "done"};
    ok(pack_run(&opt, &err), &err);
    AUTO(reader) packed = NULL;
    ok(reader_open(f.file, &packed, &err), &err);
    cr_expect(reader_is_packed(packed));
    struct reader_task t;
    for (uint64_t i = 0; i < 20; i++) {
        ok(reader_task(packed, 0, i, &t, &err), &err);
        cr_expect_eq(t.status, RESULT_DONE);
        cr_expect_eq(t.attempts, 1);
    }
    fixture_drop(&f);
}

Test(fence, a_reader_that_saw_too_much_forgets_it)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 20, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    commit(s, 0, 5);
    AUTO_STR path = {0};
    AUTO_STR fences = {0};
    str_printf(&fences, "%s/fences", f.folder);
    ok(file_make_folders(fences.text, &err), &err);
    AUTO(reader) r = NULL;
    ok(reader_open(f.file, &r, &err), &err);
    cr_expect_eq(done_in(r), 5);
    str_printf(&path, "%s/rank-000000.txt", fences.text); /* somebody was earlier */
    ok(file_write(path.text, "commits 3\n", 10, &err), &err);
    ok(reader_refresh(r, &err), &err);
    cr_expect_eq(done_in(r), 3);
    struct reader_rank rank;
    ok(reader_rank(r, 0, &rank, &err), &err);
    cr_expect_eq(rank.tasks, 3);
    commit(s, 5, 9);
    ok(reader_refresh(r, &err), &err);
    cr_expect_eq(done_in(r), 3);
    ok(shard_close(s, &err), &err);
    fixture_drop(&f);
}

Test(fence, all_shards_of_all_launches_are_sealed_and_the_next_launch_is_not)
{
    struct result_fixture f;
    struct gm_error err = {0};
    fixture_make(&f, NULL, 20, 2);
    for (unsigned i = 0; i < 4; i++) { /* two ranks, two launches */
        struct shard *s = NULL;
        ok(shard_create(f.folder, i % 2, &s, &err), &err);
        commit(s, 2 * i, 2 * i + 2);
        ok(shard_close(s, &err), &err);
    }
    ok(fence_all(f.folder, &err), &err);
    const char *const names[] = {
        "rank-000000.h5", "rank-000000.1.h5", "rank-000001.h5", "rank-000001.1.h5"};
    for (unsigned i = 0; i < 4; i++) {
        AUTO_FREE(char) path = shard_of(&f, names[i]);
        uint64_t rows = 0;
        cr_expect_eq(fence_of(path, &rows, &err), 1);
        cr_expect_eq(rows, 2);
    }
    struct shard *s = NULL;
    ok(shard_create(f.folder, 1, &s, &err), &err);
    cr_expect(!shard_fenced(s));
    commit(s, 10, 13);
    AUTO_FREE(char) path = shard_of(&f, "rank-000001.2.h5");
    uint64_t rows = 0;
    cr_expect_eq(fence_of(path, &rows, &err), 0);
    cr_expect_eq(committed_in(f.file), 11);
    ok(fence_rank(f.folder, 1, 2, &err), &err);
    cr_expect_eq(fence_of(path, &rows, &err), 1);
    cr_expect_eq(rows, 3);
    ok(shard_close(s, &err), &err);
    cr_expect_eq(fence_rank(f.folder, 77, 0, &err), -EIO, "never had one");
    fixture_drop(&f);
}

Test(fence, of_many_that_seal_at_once_one_decides)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 400, 1);
    pid_t children[4];
    ok(shard_create(f.folder, 0, &s, &err), &err);
    ok(shard_close(s, &err), &err);
    AUTO_FREE(char) shard = shard_of(&f, "rank-000000.h5");
    for (unsigned i = 0; i < 4; i++) { /* before this process wrote with HDF5 again */
        children[i] = fork();
        if (children[i] != 0)
            continue;
        uint64_t first = 0, rows = 0;
        int rc = 0;
        for (unsigned k = 0; rc == 0 && k < 50; k++) {
            rc = fence_rank(f.folder, 0, 0, &err);
            rc = rc == 0 && fence_of(shard, &rows, &err) != 1 ? 1 : rc;
            first = k == 0 ? rows : first;
            rc = rc == 0 && rows != first ? 1 : rc;
        }
        _exit(rc == 0 ? 0 : 1);
    }
    for (unsigned i = 0; i < 4; i++) {
        int status = 0;
        cr_assert_eq(waitpid(children[i], &status, 0), children[i]);
        cr_expect_eq(status, 0);
    }
    AUTO_STR list = {0};
    str_printf(&list, "ls -A %s/fences | wc -l", f.folder);
    FILE *p = popen(list.text, "r");
    int n = 0;
    cr_assert_eq(fscanf(p, "%d", &n), 1);
    (void)pclose(p);
    cr_expect_eq(n, 1, "nothing but the fence is left");
    fixture_drop(&f);
}

Test(fence, one_that_is_no_fence_is_named)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 20, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    commit(s, 0, 5);
    ok(shard_close(s, &err), &err);
    ok(fence_all(f.folder, &err), &err);
    AUTO_STR path = {0};
    str_printf(&path, "%s/fences/rank-000000.txt", f.folder);
    static const char *const bad[] = {"", "commits", "commits 5 or so\n", "rows 5\n"};
    for (unsigned i = 0; i < 4; i++) {
        ok(file_write(path.text, bad[i], strlen(bad[i]), &err), &err);
        struct reader *r = NULL;
        cr_expect_eq(reader_open(f.file, &r, &err), -EINVAL);
        cr_expect_not_null(strstr(err.text, "fences/rank-000000.txt: is damaged"));
    }
    fixture_drop(&f);
}

/* Another launch's rank of that number made a shard after ours did: ours is sealed, and
 * only that. */
Test(fence, the_shard_that_was_meant_is_sealed)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *ours = NULL, *later = NULL;
    fixture_make(&f, NULL, 20, 1);
    ok(shard_create(f.folder, 0, &ours, &err), &err);
    commit(ours, 0, 5);
    ok(shard_create(f.folder, 0, &later, &err), &err);
    cr_expect(shard_launch(ours) == 0 && shard_launch(later) == 1);
    ok(fence_rank(f.folder, 0, shard_launch(ours), &err), &err);
    cr_expect(shard_fenced(ours) && !shard_fenced(later));
    commit(ours, 5, 9);
    commit(later, 5, 7);
    cr_expect_eq(committed_in(f.file), 7);
    ok(shard_close(ours, &err), &err);
    ok(shard_close(later, &err), &err);
    fixture_drop(&f);
}

/* A number under which something was sealed is never used again, though the shard is
 * gone. */
Test(fence, no_shard_is_born_behind_a_fence)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 20, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    ok(shard_close(s, &err), &err);
    ok(fence_all(f.folder, &err), &err);
    AUTO_FREE(char) path = shard_of(&f, "rank-000000.h5");
    cr_assert_eq(unlink(path), 0);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    cr_expect(!shard_fenced(s) && shard_launch(s) == 1);
    commit(s, 0, 5);
    ok(shard_close(s, &err), &err);
    cr_expect_eq(committed_in(f.file), 5);
    fixture_drop(&f);
}

Test(fence, of_many_that_make_a_shard_at_once_each_has_its_own)
{
    enum { MANY = 6 };
    struct result_fixture f;
    struct gm_error err = {0};
    fixture_make(&f, NULL, 20, 1);
    pid_t children[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        children[i] = fork();
        if (children[i] != 0)
            continue;
        struct shard *s = NULL;
        int rc = shard_create(f.folder, 0, &s, &err);
        rc = rc == 0 ? fixture_done(s, i, 0, &err) : rc;
        rc = rc == 0 ? shard_close(s, &err) : rc;
        _exit(rc == 0 ? 0 : 1);
    }
    for (unsigned i = 0; i < MANY; i++) {
        int status = 0;
        cr_assert_eq(waitpid(children[i], &status, 0), children[i]);
        cr_expect_eq(status, 0);
    }
    cr_expect_eq(committed_in(f.file), MANY);
    fixture_drop(&f);
}

/* A resume under another name moved the folder, or --force removed it. */
Test(fence, a_shard_that_is_gone_is_as_good_as_fenced)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 20, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    commit(s, 0, 5);
    cr_expect(!shard_fenced(s));
    AUTO_STR other = {0};
    str_printf(&other, "%s.moved", f.folder);
    cr_assert_eq(rename(f.folder, other.text), 0);
    cr_expect(shard_fenced(s));
    ok(shard_close(s, &err), &err);
    cr_expect_eq(committed_in(other.text), 5);
    ok(file_remove_tree(other.text, &err), &err);
    fixture_drop(&f);
}
