/* Rows of tasks in a shard (scheduler/result/run.h): every reader sees them as it sees
 * tasks that were committed one by one. */
#include "result/committed.h"
#include "result/fence.h"
#include "result/pack.h"
#include "result/shards.h"
#include "result_job.h"
#include <criterion/criterion.h>
#include <fcntl.h>

/* Of the fixture's outputs, those that rows can have. */
static const struct result_field fields[] = {
    {.index = O_SCORE, .dtype = GM_F64, .nbytes = 8},
    {.index = O_COUNT, .dtype = GM_I64, .nbytes = 8},
    {.index = O_RATE, .dtype = GM_F64, .nbytes = 8},
    {.index = O_MATRIX, .dtype = GM_F32, .ndim = 2, .dims = {2, 3}, .nbytes = 24},
};
enum { N_FIELDS = 4, ROW = 48 };

static void ok(int rc, const struct gm_error *err)
{
    cr_assert_eq(rc, 0, "%s", err->text);
}

static void fill_row(uint64_t i, unsigned char *row)
{
    double score = fixture_score(i), rate = (double)i * 0.5;
    int64_t count = (int64_t)i - 5;
    float matrix[6];
    for (unsigned k = 0; k < 6; k++)
        matrix[k] = (float)i + (float)k / 8;
    memcpy(row, &score, 8);
    memcpy(row + 8, &count, 8);
    memcpy(row + 16, &rate, 8);
    memcpy(row + 24, matrix, 24);
}

static int
add_rows(struct shard *s, uint64_t first, uint64_t n, bool timed, struct gm_error *err)
{
    AUTO_FREE(unsigned char) rows = xcalloc(n, ROW);
    AUTO_FREE(double) times = xcalloc(n, 2 * sizeof(*times));
    for (uint64_t i = 0; i < n; i++) {
        fill_row(first + i, rows + i * ROW);
        times[2 * i] = 1000.0 + (double)(first + i);
        times[2 * i + 1] = 1000.25 + (double)(first + i);
    }
    struct result_rows r = {.rank = 0,
                            .first = first,
                            .count = n,
                            .fields = fields,
                            .n_fields = N_FIELDS,
                            .rows = rows,
                            .row_bytes = ROW,
                            .start = 1000.0 + (double)first,
                            .end = 1000.25 + (double)(first + n - 1),
                            .times = timed ? times : NULL};
    return shard_rows(s, &r, err);
}

/* The same values, a commit each. */
static int add_one(struct shard *s, uint64_t i, struct gm_error *err)
{
    unsigned char row[ROW], *at = row;
    struct result_commit c = fixture_commit(i, 0, 1);
    fill_row(i, row);
    int rc = fixture_params(s, i, err);
    for (unsigned k = 0; rc == 0 && k < N_FIELDS; k++) {
        const struct result_field *f = &fields[k];
        rc = fixture_value(s,
                           i,
                           RESULT_OUTPUT,
                           f->index,
                           f->dtype,
                           f->ndim,
                           f->dims[0],
                           f->dims[1],
                           at,
                           err);
        at += f->nbytes;
    }
    return rc == 0 ? shard_commit(s, &c, err) : rc;
}

static void same_value(struct reader *a, struct reader *b, uint64_t task, uint32_t output)
{
    struct gm_error err = {0};
    struct reader_value x, y;
    uint32_t kind = output == UINT32_MAX ? RESULT_PARAMS : RESULT_OUTPUT;
    ok(reader_value(a, 0, task, kind, output, &x, &err), &err);
    ok(reader_value(b, 0, task, kind, output, &y, &err), &err);
    cr_assert(x.dtype == y.dtype && x.ndim == y.ndim && x.nbytes == y.nbytes);
    cr_assert_eq(memcmp(x.dims, y.dims, x.ndim * sizeof(x.dims[0])), 0);
    cr_assert_eq(memcmp(x.data, y.data, x.nbytes), 0);
    free(x.data);
    free(y.data);
}

/* Both readers give the same of each task, but for what rows do not keep. */
static void same_results(struct reader *rows, struct reader *ones, uint64_t n)
{
    struct gm_error err = {0};
    for (uint64_t i = 0; i < n; i++) {
        struct reader_task x, y;
        ok(reader_task(rows, 0, i, &x, &err), &err);
        ok(reader_task(ones, 0, i, &y, &err), &err);
        cr_assert_eq(x.status, y.status);
        if (x.status != RESULT_DONE)
            continue;
        cr_assert(x.attempts == 1 && x.rank == y.rank && x.n_ranks == 1);
        if (x.timed_with == 1)
            cr_assert(x.start == y.start && x.end == y.end);
        for (unsigned k = 0; k < N_FIELDS; k++)
            same_value(rows, ones, i, fields[k].index);
        same_value(rows, ones, i, UINT32_MAX);
    }
    struct reader_value v;
    cr_expect_eq(reader_value(rows, 0, 0, RESULT_OUTPUT, O_MODEL, &v, &err), -ENOENT);
    cr_expect_eq(reader_value(rows, 0, 0, RESULT_STDOUT, 0, &v, &err), -ENOENT);
    char a[65], b[65];
    ok(hash_results(rows, a, &err), &err);
    ok(hash_results(ones, b, &err), &err);
    cr_expect_str_eq(a, b);
}

Test(run, rows_are_seen_as_tasks_committed_one_by_one)
{
    struct result_fixture f, g;
    struct gm_error err = {0};
    struct shard *s = NULL;
    const uint64_t n = 3000;
    fixture_make(&f, NULL, n, 1);
    fixture_make(&g, NULL, n, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    ok(add_rows(s, 0, 700, true, &err), &err);
    ok(add_rows(s, 1000, 1500, false, &err), &err); /* out of order, and a gap */
    ok(shard_flush(s, &err), &err);
    ok(add_rows(s, 700, 299, false, &err), &err);
    ok(add_one(s, 2600, &err), &err); /* among others */
    ok(add_rows(s, 2601, 1, true, &err), &err);
    ok(shard_close(s, &err), &err);
    ok(shard_create(g.folder, 0, &s, &err), &err);
    for (uint64_t i = 0; i < 2602; i++) {
        if (i < 999 || (i >= 1000 && i < 2500) || i >= 2600)
            ok(add_one(s, i, &err), &err);
    }
    ok(shard_close(s, &err), &err);
    AUTO(reader) rows = NULL;
    AUTO(reader) ones = NULL;
    ok(reader_open(f.file, &rows, &err), &err);
    ok(reader_open(g.file, &ones, &err), &err);
    same_results(rows, ones, n);
    struct reader_task t;
    ok(reader_task(rows, 0, 5, &t, &err), &err);
    cr_expect_eq(t.timed_with, 1);
    ok(reader_task(rows, 0, 1200, &t, &err), &err);
    cr_expect_eq(t.timed_with, 1500);
    struct reader_rank rank;
    ok(reader_rank(rows, 0, &rank, &err), &err);
    cr_expect_eq(rank.tasks, 2501);

    struct pack_options opt = {.folder = f.folder, .file = f.file};
    ok(pack_run(&opt, &err), &err);
    AUTO(reader) packed = NULL;
    ok(reader_open(f.file, &packed, &err), &err);
    cr_expect(reader_is_packed(packed));
    same_results(packed, ones, n);
    AUTO(committed) c = NULL;
    ok(committed_load(f.folder, &c, &err), &err);
    cr_expect_eq(taskset_count(c->stages[0].done), 2501);
    cr_expect(!taskset_has(c->stages[0].done, 999));
    cr_expect(taskset_has(c->stages[0].done, 2601));
    fixture_drop(&f);
    fixture_drop(&g);
}

Test(run, attempts_before_and_beside_rows_are_in_their_order)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 100, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    struct result_commit lost = fixture_commit(10, 0, 1);
    lost.status = RESULT_RETRIED;
    lost.reason = RESULT_LOST;
    lost.end = 900;
    ok(shard_commit(s, &lost, &err), &err);
    ok(add_rows(s, 5, 10, true, &err), &err);
    lost.task = 40;
    ok(shard_commit(s, &lost, &err), &err);
    struct result_commit again = fixture_commit(40, 0, 2);
    ok(shard_commit(s, &again, &err), &err);
    ok(add_rows(s, 8, 40, false, &err), &err); /* some of it again */
    ok(shard_close(s, &err), &err);
    struct head head = {0};
    struct shards *all = NULL;
    ok(head_load_folder(f.folder, &head, &err), &err);
    ok(shards_open(f.folder, &head, &all, &err), &err);
    uint64_t n = shards_n_attempts(all, 0), before = 0;
    cr_expect_eq(n, 3 + 43);
    for (unsigned pass = 0; pass < 2; pass++) {
        for (uint64_t i = 0; i < n; i++) {
            struct row_commit c;
            ok(shards_attempt(all, 0, i, &c, &err), &err);
            cr_expect(i == 0 || c.task == before || c.task == before + 1);
            before = c.task;
            if (c.task == 10 || c.task == 40)
                cr_expect_eq(c.status == RESULT_RETRIED, c.end == 900);
            if (c.task < 15 && c.status == RESULT_DONE)
                cr_expect_eq(c.start, 1000.0 + (double)c.task);
        }
    }
    struct shards_run run;
    cr_expect_eq(shards_run(all, 0, 4, &run, &err), -ENOENT);
    ok(shards_run(all, 0, 10, &run, &err), &err);
    cr_expect(run.task == 10 && run.end == 11, "it was tried before");
    ok(shards_run(all, 0, 11, &run, &err), &err);
    cr_expect(run.task == 11 && run.end == 15);
    ok(shards_run(all, 0, 20, &run, &err), &err);
    cr_expect(run.task == 20 && run.end == 40);
    cr_expect_eq(run.n_fields, N_FIELDS);
    cr_expect_eq(run.row_bytes, ROW);
    unsigned char out[5 * ROW], want[ROW];
    ok(shards_run_rows(all, &run, 30, 5, out, &err), &err);
    for (uint64_t i = 0; i < 5; i++) {
        fill_row(30 + i, want);
        cr_expect_eq(memcmp(out + i * ROW, want, ROW), 0);
    }
    shards_close(all);
    head_free(&head);
    fixture_drop(&f);
}

/* Where these bytes are in a file; -1: nowhere. */
static long find_bytes(const char *path, const void *what, size_t len)
{
    char *all = NULL;
    size_t n = 0;
    struct gm_error err = {0};
    ok(file_read(path, 64u << 20, &all, &n, &err), &err);
    const char *at = memmem(all, n, what, len);
    long where = at == NULL ? -1 : at - all;
    free(all);
    return where;
}

Test(run, a_damaged_byte_costs_its_own_value)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 1000, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    ok(add_rows(s, 0, 1000, true, &err), &err);
    ok(shard_close(s, &err), &err);
    AUTO_STR path = {0};
    str_printf(&path, "%s/shards/000/rank-000000.h5", f.folder);
    unsigned char row[ROW];
    fill_row(123, row);
    long at = find_bytes(path.text, row, ROW);
    cr_assert_gt(at, 0);
    AUTO_FD fd = open(path.text, O_RDWR);
    row[9] ^= 1; /* count */
    cr_assert_eq(pwrite(fd, row, ROW, at), ROW);
    double times[2] = {1500.0, 1500.25};
    at = find_bytes(path.text, times, sizeof(times));
    cr_assert_gt(at, 0);
    times[0] = 0;
    cr_assert_eq(pwrite(fd, times, sizeof(times), at), sizeof(times));
    AUTO(reader) r = NULL;
    ok(reader_open(f.file, &r, &err), &err);
    for (uint64_t i = 0; i < 1000; i++) {
        struct reader_value v;
        struct reader_task t;
        for (unsigned k = 0; k < N_FIELDS; k++) {
            int rc = reader_value(r, 0, i, RESULT_OUTPUT, fields[k].index, &v, &err);
            bool bad = i == 123 && fields[k].index == O_COUNT;
            cr_assert_eq(rc, bad ? -EBADMSG : 0, "%s", err.text);
            if (rc == 0)
                free(v.data);
        }
        ok(reader_task(r, 0, i, &t, &err), &err);
        cr_assert_eq(t.timed_with, i == 500 ? 1000 : 1, "its own times are not believed");
    }
    cr_expect_not_null(strstr(err.text, "rank-000000.h5: the bytes at"));
    fixture_drop(&f);
}

Test(run, rows_that_are_not_what_they_say_are_refused)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 10, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    unsigned char rows[2 * ROW] = {0};
    struct result_field wrong = fields[3];
    wrong.nbytes = 20;
    struct result_rows r = {.count = 2,
                            .fields = fields,
                            .n_fields = N_FIELDS,
                            .rows = rows,
                            .row_bytes = ROW - 4};
    cr_expect_eq(shard_rows(s, &r, &err), -EINVAL);
    r.fields = &wrong;
    r.n_fields = 1;
    r.row_bytes = 20;
    cr_expect_eq(shard_rows(s, &r, &err), -EINVAL);
    r = (struct result_rows){.count = 0, .rows = rows};
    cr_expect_eq(shard_rows(s, &r, &err), -EINVAL);
    ok(fixture_params(s, 1, &err), &err); /* a task is open */
    cr_expect_eq(add_rows(s, 4, 3, false, &err), -EINVAL);
    struct result_commit c = fixture_commit(1, 0, 1);
    ok(shard_commit(s, &c, &err), &err);
    ok(add_rows(s, 4, 3, false, &err), &err);         /* and goes on */
    r = (struct result_rows){.first = 8, .count = 2}; /* tasks without a value */
    ok(shard_rows(s, &r, &err), &err);
    ok(shard_close(s, &err), &err);
    AUTO(reader) reader = NULL;
    ok(reader_open(f.file, &reader, &err), &err);
    static const unsigned done[] = {0, 1, 0, 0, 1, 1, 1, 0, 1, 1};
    for (uint64_t i = 0; i < 10; i++) {
        struct reader_task t;
        ok(reader_task(reader, 0, i, &t, &err), &err);
        cr_expect_eq(t.status, done[i] ? RESULT_DONE : RESULT_NONE);
    }
    fixture_drop(&f);
}

Test(run, behind_a_fence_rows_count_for_nothing)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 1000, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    ok(add_rows(s, 0, 100, false, &err), &err);
    ok(shard_flush(s, &err), &err);
    AUTO(reader) r = NULL;
    ok(reader_open(f.file, &r, &err), &err);
    ok(fence_rank(f.folder, 0, 0, &err), &err);
    ok(add_rows(s, 100, 100, false, &err), &err);
    ok(shard_close(s, &err), &err);
    ok(reader_refresh(r, &err), &err);
    AUTO(committed) c = NULL;
    ok(committed_load_rank(f.folder, 0, 0, &c, &err), &err);
    cr_expect_eq(taskset_count(c->stages[0].done), 100);
    struct reader_task t;
    ok(reader_task(r, 0, 150, &t, &err), &err);
    cr_expect_eq(t.status, RESULT_NONE);
    fixture_drop(&f);
}
