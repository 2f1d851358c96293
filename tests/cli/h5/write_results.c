/* write_results FOLDER MODE: a job of 40 tasks for check.py, by the code that runs use.
 *   whole    packed, folder kept too
 *   none     nothing ever ran, packed
 *   part     every third task ran, packed
 *   large    one task whose values are larger than any buffer, packed
 *   live     as `part` but not packed: the shards stay open until standard input ends
 *   endless  tasks of a job of 200000, flushed in batches of 1 to 17, until it is killed
 *   rows     tasks of a job of 20000000 as rows, 1 to 700 at once, a flush now and then,
 *            until it is killed
 *   hostile  FOLDER is a file that may crash HDF5, or FILE:/DATASET: both ways of opening
 * it give an answer verify   reads what `endless` left: every value of every task that is
 * done; prints how many are */
#include "result/pack.h"
#include "tests/unit/result_job.h"

static int fail(const struct gm_error *err)
{
    (void)fprintf(stderr, "write_results: %s\n", err->text);
    return 1;
}

static int run_part(struct result_fixture *f, struct shard **ret, struct gm_error *err)
{
    int rc = shard_create(f->folder, 0, ret, err);
    rc = rc == 0 ? fixture_rank(*ret, 0, err) : rc;
    for (uint64_t i = 0; rc == 0 && i < 40; i += 3)
        rc = fixture_done(*ret, i, 0, err);
    return rc == 0 ? shard_flush(*ret, err) : rc;
}

/* A matrix of [3000, 1001] floats in task 1 alone, 12 MB. */
static int run_large(struct result_fixture *f, struct gm_error *err)
{
    struct shard *s = NULL;
    uint64_t rows = 3000, columns = 1001;
    float *big = xcalloc(rows * columns, sizeof(*big));
    for (uint64_t i = 0; i < rows * columns; i++)
        big[i] = (float)(i % 8191);
    struct result_commit c = fixture_commit(1, 0, 1);
    int rc = shard_create(f->folder, 0, &s, err);
    rc = rc == 0 ? fixture_value(
                       s, 1, RESULT_OUTPUT, O_MATRIX, GM_F32, 2, rows, columns, big, err)
                 : rc;
    rc = rc == 0 ? shard_commit(s, &c, err) : rc;
    free(big);
    int closed = shard_close(s, rc == 0 ? err : NULL);
    return rc == 0 ? closed : rc;
}

#define ENDLESS 200000u

static int run_endless(const char *folder, struct gm_error *err)
{
    struct result_fixture f;
    struct shard *s = NULL;
    fixture_make(&f, folder, ENDLESS, 1);
    int rc = shard_create(f.folder, 0, &s, err);
    (void)puts("ready");
    (void)fflush(stdout);
    uint64_t batch = 1, in_batch = 0;
    for (uint64_t i = 0; rc == 0 && i < ENDLESS; i++) {
        rc = fixture_done(s, i, 0, err);
        if (rc == 0 && ++in_batch >= batch) {
            rc = shard_flush(s, err);
            batch = batch % 17 + 1;
            in_batch = 0;
        }
    }
    int closed = shard_close(s, rc == 0 ? err : NULL);
    fixture_drop(&f);
    return rc == 0 ? closed : rc;
}

#define ENDLESS_ROWS 20000000u
#define ROWS_MOST    700u

/* Rows of tasks [first, first + n): score and count. */
static int put_rows(struct shard *s, uint64_t first, uint64_t n, struct gm_error *err)
{
    static const struct result_field fields[] = {
        {.index = O_SCORE, .dtype = GM_F64, .nbytes = 8},
        {.index = O_COUNT, .dtype = GM_I64, .nbytes = 8}};
    static unsigned char rows[ROWS_MOST][16];
    static double times[ROWS_MOST][2];
    for (uint64_t i = 0; i < n; i++) {
        double score = fixture_score(first + i);
        int64_t count = (int64_t)(first + i) - 5;
        memcpy(rows[i], &score, 8);
        memcpy(rows[i] + 8, &count, 8);
        times[i][0] = 1000.0 + (double)(first + i);
        times[i][1] = 1000.5 + (double)(first + i);
    }
    struct result_rows r = {.first = first,
                            .count = n,
                            .fields = fields,
                            .n_fields = 2,
                            .rows = rows,
                            .row_bytes = 16,
                            .start = times[0][0],
                            .end = times[n - 1][1],
                            .times = n % 2 == 0 ? &times[0][0] : NULL};
    return shard_rows(s, &r, err);
}

static int run_endless_rows(const char *folder, struct gm_error *err)
{
    struct result_fixture f;
    struct shard *s = NULL;
    fixture_make(&f, folder, ENDLESS_ROWS, 1);
    int rc = shard_create(f.folder, 0, &s, err);
    (void)puts("ready");
    (void)fflush(stdout);
    uint64_t done = 0;
    for (uint64_t k = 1; rc == 0 && done + ROWS_MOST < ENDLESS_ROWS; k++) {
        uint64_t n = 1 + k * 7919 % ROWS_MOST;
        rc = put_rows(s, done, n, err);
        done += n;
        if (rc == 0 && k % 5 != 0)
            rc = shard_flush(s, err);
    }
    int closed = shard_close(s, rc == 0 ? err : NULL);
    fixture_drop(&f);
    return rc == 0 ? closed : rc;
}

static int verify_row(struct reader *r, uint64_t i, struct gm_error *err)
{
    struct reader_value v;
    double score;
    int64_t count;
    int rc = reader_value(r, 0, i, RESULT_OUTPUT, O_SCORE, &v, err);
    if (rc != 0)
        return rc;
    memcpy(&score, v.data, 8);
    free(v.data);
    rc = reader_value(r, 0, i, RESULT_OUTPUT, O_COUNT, &v, err);
    if (rc != 0)
        return rc;
    memcpy(&count, v.data, 8);
    free(v.data);
    return score == fixture_score(i) && count == (int64_t)i - 5
               ? 0
               : gm_fail(err, -EINVAL, "task %llu: is wrong", (unsigned long long)i);
}

static int run_verify_rows(const char *folder, struct gm_error *err)
{
    AUTO_STR path = {0};
    AUTO(reader) r = NULL;
    uint64_t done = 0;
    str_printf(&path, "%s/fixture.h5", folder);
    int rc = reader_open(path.text, &r, err);
    for (; rc == 0; done++) {
        struct reader_task t;
        rc = reader_task(r, 0, done, &t, err);
        if (rc != 0 || t.status == RESULT_NONE)
            break;
        if (t.timed_with == 1 && t.start != 1000.0 + (double)done)
            rc = gm_fail(err, -EINVAL, "task %llu: time", (unsigned long long)done);
        rc = rc == 0 ? verify_row(r, done, err) : rc;
    }
    (void)printf("%llu\n", (unsigned long long)done);
    return rc;
}

/* Each output of a done task against a second writing of the same task. */
static int verify_task(struct reader *r, uint64_t i, struct gm_error *err)
{
    struct reader_value v;
    int rc = 0;
    for (uint32_t o = 0; rc == 0 && o < N_OUTPUTS; o++) {
        uint32_t kind = o == O_LOSS ? RESULT_SERIES : RESULT_OUTPUT;
        rc = reader_value(r, 0, i, kind, o, &v, err);
        if (rc == -ENOENT && o == O_LOSS && i % 4 == 0) {
            rc = 0;
            continue;
        }
        if (rc != 0)
            break;
        const unsigned char *b = v.data;
        double x = 0;
        int64_t n = 0;
        memcpy(&x, b, o == O_SCORE ? 8 : 0);
        memcpy(&n, b, o == O_COUNT ? 8 : 0);
        bool good = o == O_SCORE    ? x == fixture_score(i)
                    : o == O_COUNT  ? n == (int64_t)i - 5
                    : o == O_LABELS ? v.dims[0] == i % 6
                    : o == O_MODEL  ? v.dims[0] == i % 301
                                    : v.nbytes > 0;
        for (uint64_t k = 0; o == O_MODEL && k < v.nbytes; k++)
            good = good && b[k] == (unsigned char)(i + k);
        if (!good)
            rc = gm_fail(
                err, -EINVAL, "task %llu: output %u is wrong", (unsigned long long)i, o);
        free(v.data);
    }
    return rc;
}

static int run_verify(const char *folder, struct gm_error *err)
{
    AUTO_STR path = {0};
    AUTO(reader) r = NULL;
    uint64_t done = 0;
    str_printf(&path, "%s/fixture.h5", folder);
    int rc = reader_open(path.text, &r, err);
    for (uint64_t i = 0; rc == 0 && i < ENDLESS; i++) {
        struct reader_task t;
        rc = reader_task(r, 0, i, &t, err);
        if (rc != 0 || t.status == RESULT_NONE)
            continue;
        done++;
        rc = t.status == RESULT_DONE ? verify_task(r, i, err)
                                     : gm_fail(err, -EINVAL, "status %u", t.status);
    }
    (void)printf("%llu\n", (unsigned long long)done);
    return rc;
}

static int run_hostile(const char *path)
{
    struct gm_error err = {0};
    struct reader *r = NULL;
    uint64_t rows = 0;
    int rc = strstr(path, ":/") != NULL ? reader_table_rows(path, &rows, &err)
                                        : reader_open(path, &r, &err);
    reader_close(r);
    (void)printf("%s\n", rc == 0 ? "fine" : err.text);
    return 0;
}

static int run_other(const char *folder, const char *mode)
{
    struct gm_error err = {0};
    if (strcmp(mode, "hostile") == 0)
        return run_hostile(folder);
    static const struct {
        const char *mode;
        int (*run)(const char *folder, struct gm_error *err);
    } modes[] = {{"endless", run_endless},
                 {"verify", run_verify},
                 {"rows", run_endless_rows},
                 {"verify-rows", run_verify_rows}};
    for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(mode, modes[i].mode) == 0)
            return modes[i].run(folder, &err) == 0 ? 0 : fail(&err);
    }
    return -1;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    const char *mode = argv[2];
    int other = run_other(argv[1], mode);
    if (other >= 0)
        return other;
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *open = NULL;
    fixture_make(&f, argv[1], 40, 4);
    int rc = 0;
    if (strcmp(mode, "whole") == 0)
        rc = fixture_run(&f, 4, &err);
    else if (strcmp(mode, "large") == 0)
        rc = run_large(&f, &err);
    else if (strcmp(mode, "part") == 0 || strcmp(mode, "live") == 0)
        rc = run_part(&f, &open, &err);
    if (rc == 0 && strcmp(mode, "live") == 0) {
        (void)puts("ready");
        (void)fflush(stdout);
        (void)getchar();
    }
    int closed = shard_close(open, rc == 0 ? &err : NULL);
    rc = rc == 0 ? closed : rc;
    struct pack_options opt = {.folder = f.folder,
                               .file = f.file,
                               .complete = true,
                               .end = 2000.25,
                               .outcome = "done"};
    if (rc == 0 && strcmp(mode, "live") != 0)
        rc = pack_run(&opt, &err);
    fixture_drop(&f);
    return rc == 0 ? 0 : fail(&err);
}
