/* See scheduler/result/reader.h. */
#include "result/pack.h"
#include "result/reader.h"
#include "result_job.h"
#include <criterion/criterion.h>
#include <hdf5.h>
#include <math.h>
#include <sys/stat.h>

/* libhdf5 1.10.8 itself loses memory where it refuses a damaged object header; only the
 * slow unwinder sees that far into it. */
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
    return "fast_unwind_on_malloc=0";
}

__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
    return "leak:H5C_protect";
}

static void ok(int rc, const struct gm_error *err)
{
    cr_assert_eq(rc, 0, "%s", err->text);
}

static void pack(const struct result_fixture *f)
{
    struct gm_error err = {0};
    struct pack_options opt = {.folder = f->folder, .file = f->file};
    ok(pack_run(&opt, &err), &err);
}

static void same_value(struct reader *a,
                       struct reader *b,
                       unsigned stage,
                       uint64_t task,
                       uint32_t kind,
                       uint32_t index)
{
    struct reader_value va = {0}, vb = {0};
    int ra = reader_value(a, stage, task, kind, index, &va, NULL);
    int rb = reader_value(b, stage, task, kind, index, &vb, NULL);
    cr_assert_eq(ra, rb, "task %d kind %u index %u", (int)task, kind, index);
    struct reader_value shape = {0};
    cr_assert_eq(reader_shape(b, stage, task, kind, index, &shape, NULL), rb);
    if (ra == 0) {
        cr_assert(shape.dtype == vb.dtype && shape.ndim == vb.ndim);
        cr_assert(shape.nbytes == vb.nbytes && shape.data == NULL);
        cr_assert_eq(memcmp(shape.dims, vb.dims, vb.ndim * sizeof(vb.dims[0])), 0);
        cr_assert_eq(va.dtype, vb.dtype);
        cr_assert_eq(va.ndim, vb.ndim);
        cr_assert_eq(va.nbytes, vb.nbytes);
        cr_assert_eq(memcmp(va.dims, vb.dims, va.ndim * sizeof(va.dims[0])), 0);
        cr_assert_eq(memcmp(va.data, vb.data, va.nbytes + 1), 0);
    }
    free(va.data);
    free(vb.data);
}

static void same_task(struct reader *a, struct reader *b, unsigned stage, uint64_t task)
{
    struct reader_task ta, tb;
    cr_assert_eq(reader_task(a, stage, task, &ta, NULL), 0);
    cr_assert_eq(reader_task(b, stage, task, &tb, NULL), 0);
    cr_assert_eq(ta.status, tb.status);
    cr_assert_eq(ta.reason, tb.reason);
    cr_assert_eq(ta.exit_code, tb.exit_code);
    cr_assert_eq(ta.signal, tb.signal);
    cr_assert_eq(ta.attempts, tb.attempts);
    cr_assert_eq(ta.start, tb.start);
    cr_assert_eq(ta.end, tb.end);
    if (ta.status == RESULT_DONE)
        cr_assert_eq(ta.rank, tb.rank);
    for (uint32_t kind = RESULT_OUTPUT; kind <= RESULT_MESSAGE; kind++) {
        for (uint32_t i = 0; i < (kind <= RESULT_SERIES ? N_OUTPUTS : 1); i++)
            same_value(a, b, stage, task, kind, i);
    }
}

Test(reader, shards_and_the_packed_file_give_the_same_answers)
{
    struct result_fixture f;
    struct gm_error err = {0};
    fixture_make(&f, NULL, 40, 4);
    ok(fixture_run(&f, 4, &err), &err);
    pack(&f);
    AUTO(reader) shards = NULL;
    AUTO(reader) packed = NULL;
    ok(reader_open(f.folder, &shards, &err), &err);
    ok(reader_open(f.file, &packed, &err), &err);
    cr_expect_not(reader_is_packed(shards));
    cr_expect(reader_is_packed(packed));
    for (unsigned s = 0; s < 2; s++) {
        const struct reader_stage *a = reader_stage(shards, s),
                                  *b = reader_stage(packed, s);
        cr_assert_str_eq(a->name, b->name);
        cr_assert_str_eq(a->identity, b->identity);
        for (uint64_t i = 0; i < a->n_tasks; i++)
            same_task(shards, packed, s, i);
    }
    cr_assert_eq(reader_n_ranks(shards), 4);
    cr_assert_eq(reader_n_ranks(packed), 4);
    for (unsigned i = 0; i < 4; i++) {
        struct reader_rank a, b;
        ok(reader_rank(shards, i, &a, &err), &err);
        ok(reader_rank(packed, i, &b, &err), &err);
        cr_expect_str_eq(a.host, b.host);
        cr_expect_str_eq(a.seen, "0-1");
        cr_expect_str_eq(b.inherited, "0-3");
        cr_expect_str_eq(a.memory, "0");
        cr_expect_str_eq(b.memory, "0");
        cr_expect_str_eq(b.gpus, "all");
        cr_expect_str_eq(b.mismatch, i == 1 ? "elsewhere" : "");
        cr_expect_eq(a.tasks, b.tasks);
        cr_expect_eq(a.pid, b.pid);
        cr_expect_float_eq(a.busy_s, b.busy_s, 1e-12);
    }
    fixture_drop(&f);
}

/* What earlier versions wrote: no memory, no GPUs, no mismatch. */
Test(reader, ranks_of_an_earlier_version_are_read)
{
    struct result_fixture f;
    struct gm_error err = {0};
    AUTO(reader) r = NULL;
    struct reader_rank rank;
    fixture_make(&f, NULL, 4, 4);
    ok(fixture_run(&f, 4, &err), &err);
    pack(&f);
    hid_t file = H5Fopen(f.file, H5F_ACC_RDWR, H5P_DEFAULT);
    cr_assert_geq(file, 0);
    cr_assert_geq(H5Ldelete(file, "ranks/memory", H5P_DEFAULT), 0);
    cr_assert_geq(H5Ldelete(file, "ranks/gpus", H5P_DEFAULT), 0);
    cr_assert_geq(H5Ldelete(file, "ranks/mismatch", H5P_DEFAULT), 0);
    cr_assert_geq(H5Fclose(file), 0);
    ok(reader_open(f.file, &r, &err), &err);
    ok(reader_rank(r, 1, &rank, &err), &err);
    cr_expect_str_eq(rank.seen, "0-1");
    cr_expect_str_eq(rank.memory, "");
    cr_expect_str_eq(rank.mismatch, "");
    fixture_drop(&f);
}

Test(reader, a_retried_task_has_the_values_of_its_last_attempt_and_the_first_success_wins)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 100, 2);
    ok(shard_create(f.folder, 1, &s, &err), &err);
    struct result_commit c = fixture_commit(5, 1, 1);
    ok(fixture_outputs(s, 5, 10, 0, &err), &err);
    c.status = RESULT_RETRIED;
    ok(shard_commit(s, &c, &err), &err);
    for (unsigned attempt = 2; attempt <= 3; attempt++) { /* two successes: a late twin */
        c = fixture_commit(5, 1, attempt);
        ok(fixture_outputs(s, 5, attempt, 0, &err), &err);
        ok(shard_commit(s, &c, &err), &err);
    }
    c = (struct result_commit){
        .task = 20, .count = 30, .status = RESULT_SKIPPED, .reason = RESULT_NEEDS};
    ok(shard_commit(s, &c, &err), &err);
    c.task = 40; /* overlaps, and goes past */
    c.count = 20;
    ok(shard_commit(s, &c, &err), &err);
    ok(fixture_done(s, 45, 1, &err), &err); /* run after all: that counts */
    ok(shard_close(s, &err), &err);
    pack(&f);
    for (unsigned packed = 0; packed < 2; packed++) {
        AUTO(reader) r = NULL;
        struct reader_task t;
        struct reader_value v;
        ok(reader_open(packed ? f.file : f.folder, &r, &err), &err);
        ok(reader_task(r, 0, 5, &t, &err), &err);
        cr_expect_eq(t.status, RESULT_DONE);
        cr_expect_eq(t.attempts, 3);
        ok(reader_value(r, 0, 5, RESULT_OUTPUT, O_SCORE, &v, &err), &err);
        cr_expect_eq(*(double *)v.data, fixture_score(5) + 2);
        free(v.data);
        static const struct {
            uint64_t task;
            uint32_t status;
        } cases[] = {
            {19, 0}, {20, 3}, {39, 3}, {44, 3}, {45, 1}, {46, 3}, {59, 3}, {60, 0}};
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            ok(reader_task(r, 0, cases[i].task, &t, &err), &err);
            cr_expect_eq(t.status, cases[i].status, "task %d", (int)cases[i].task);
        }
        cr_expect_eq(reader_value(r, 0, 20, RESULT_OUTPUT, O_SCORE, &v, &err), -ENOENT);
        cr_expect_not_null(
            strstr(err.text, "probe[20] has no output score"), "%s", err.text);
        cr_expect_eq(reader_task(r, 0, 100, &t, &err), -ENOENT);
        cr_expect_eq(reader_task(r, 2, 0, &t, &err), -ENOENT);
    }
    fixture_drop(&f);
}

Test(reader, the_best_task_skips_failures_and_nan_and_ties_go_to_the_lowest)
{
    static const struct {
        double score;
        uint32_t status;
    } tasks[] = {{3, RESULT_DONE},
                 {NAN, RESULT_DONE},
                 {99, RESULT_FAILED},
                 {7, RESULT_DONE},
                 {7, RESULT_DONE},
                 {3, RESULT_DONE},
                 {-99, RESULT_RETRIED}};
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    uint64_t at = 77;
    fixture_make(&f, NULL, 50, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    AUTO(reader) r = NULL;
    ok(reader_open(f.folder, &r, &err), &err);
    cr_expect_eq(reader_best(r, 0, O_SCORE, false, &at, &err), -ENOENT);
    cr_expect_eq(at, 77);
    for (uint64_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++) {
        struct result_commit c = fixture_commit(i + 10, 0, 1);
        c.status = tasks[i].status;
        double x = tasks[i].score;
        ok(fixture_value(s, i + 10, RESULT_OUTPUT, O_SCORE, GM_F64, 0, 0, 0, &x, &err),
           &err);
        ok(shard_commit(s, &c, &err), &err);
    }
    ok(shard_flush(s, &err), &err);
    ok(reader_refresh(r, &err), &err);
    ok(reader_best(r, 0, O_SCORE, false, &at, &err), &err);
    cr_expect_eq(at, 13);
    ok(reader_best(r, 0, O_SCORE, true, &at, &err), &err);
    cr_expect_eq(at, 10);
    ok(shard_close(s, &err), &err);
    fixture_drop(&f);
}

static void write_bytes(const char *path, const char *data, size_t n)
{
    FILE *out = fopen(path, "wb");
    cr_assert_not_null(out);
    cr_assert_eq(fwrite(data, 1, n, out), n);
    cr_assert_eq(fclose(out), 0);
}

Test(reader, what_is_no_results_file_is_refused_with_its_name)
{
    struct gm_error err = {0};
    struct reader *r = NULL;
    char path[] = "/tmp/gridmill-reader-XXXXXX";
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    (void)close(fd);
    static const char *const contents[] = {
        "", "hello", "\x89HDF\r\n\x1a\n", "\x89HDF\r\n\x1a\n\x02"};
    for (size_t i = 0; i < 4; i++) {
        write_bytes(path, contents[i], strlen(contents[i]));
        err = (struct gm_error){0};
        cr_expect_lt(reader_open(path, &r, &err), 0);
        cr_expect_eq(strncmp(err.text, path, strlen(path)), 0, "%s", err.text);
    }
    hid_t id = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    (void)H5Fclose(id);
    cr_expect_eq(reader_open(path, &r, &err), -EINVAL);
    cr_expect_not_null(
        strstr(err.text, "not a results file of Gridmill"), "%s", err.text);
    (void)unlink(path);
    cr_expect_eq(reader_open(path, &r, &err), -ENOENT);
    cr_expect_not_null(strstr(err.text, "No such file or directory"), "%s", err.text);
    cr_expect_null(r);
}

/* Reads all there is to read; any error is fine, a crash is not. */
static void read_all(struct reader *r)
{
    for (unsigned s = 0; s < reader_n_stages(r); s++) {
        uint64_t n = reader_stage(r, s)->n_tasks;
        for (uint64_t i = 0; i < (n < 20 ? n : 20); i++) {
            struct reader_task t;
            (void)reader_task(r, s, i, &t, NULL);
            for (uint32_t k = 0; k < N_OUTPUTS + 6; k++) {
                struct reader_value v;
                bool out = k < N_OUTPUTS;
                uint32_t kind = !out          ? k - N_OUTPUTS + 1
                                : k == O_LOSS ? RESULT_SERIES
                                              : RESULT_OUTPUT;
                if (reader_value(r, s, i, kind, out ? k : 0, &v, NULL) == 0)
                    free(v.data);
            }
        }
    }
}

Test(reader, a_file_cut_anywhere_is_refused)
{
    struct result_fixture f;
    struct gm_error err = {0};
    char *data = NULL;
    size_t n = 0;
    fixture_make(&f, NULL, 20, 2);
    ok(fixture_run(&f, 2, &err), &err);
    pack(&f);
    ok(file_read(f.file, 1u << 30, &data, &n, &err), &err);
    for (unsigned i = 0; i < 40; i++) {
        struct reader *r = NULL;
        write_bytes(f.file, data, n * i / 40);
        cr_expect_lt(reader_open(f.file, &r, &err), 0, "cut at %u/40", i);
        cr_expect_not_null(strstr(err.text, f.file));
    }
    free(data);
    fixture_drop(&f);
}

Test(reader, bytes_changed_at_random_never_crash_it, .timeout = 60)
{
    struct result_fixture f;
    struct gm_error err = {0};
    char *data = NULL;
    size_t n = 0;
    /* HDF5 gives freed blocks out again by itself: what it leaks while it reads a damaged
     * file would be told as allocated by the pack that had the block before. */
    cr_assert_geq(H5set_free_list_limits(0, 0, 0, 0, 0, 0), 0);
    fixture_make(&f, NULL, 20, 2);
    ok(fixture_run(&f, 2, &err), &err);
    pack(&f);
    ok(file_read(f.file, 1u << 30, &data, &n, &err), &err);
    uint64_t state = 12345;
    for (unsigned i = 0; i < 150; i++) {
        for (unsigned k = 0; k < 8;
             k++) { /* past the superblock, whose checksum is first */
            state = state * 6364136223846793005u + 1442695040888963407u;
            data[96 + (state >> 33) % (n - 96)] ^= (char)(state >> 20 & 0xff);
        }
        struct reader *r = NULL;
        write_bytes(f.file, data, n);
        if (reader_open(f.file, &r, &err) == 0)
            read_all(r);
        reader_close(r);
        if (i % 10 == 9) {
            free(data);
            pack(&f);
            ok(file_read(f.file, 1u << 30, &data, &n, &err), &err);
        }
    }
    free(data);
    fixture_drop(&f);
}

/* Changes the first place where `what` stands in a file. */
static void damage(const char *path, const void *what, size_t len)
{
    struct gm_error err = {0};
    char *data = NULL;
    size_t n = 0;
    ok(file_read(path, 1u << 30, &data, &n, &err), &err);
    char *at = memmem(data, n, what, len);
    cr_assert_not_null(at);
    *at ^= 1;
    write_bytes(path, data, n);
    free(data);
}

/* Task 7 lost its parameters, task 11 a value of one output: their rows say so, and all
 * else is as it was. */
Test(reader, a_changed_byte_of_a_value_is_found_and_fails_its_task_alone)
{
    struct result_fixture f;
    struct gm_error err = {0};
    double score = fixture_score(11);
    fixture_make(&f, NULL, 20, 1);
    ok(fixture_run(&f, 1, &err), &err);
    AUTO_STR path = {0};
    str_printf(&path, "%s/shards/000/rank-000000.h5", f.folder);
    damage(path.text, "{\"i\":7}", 7);
    damage(path.text, &score, sizeof(score));
    AUTO(reader) r = NULL;
    struct reader_value v;
    struct reader_task t;
    ok(reader_open(f.folder, &r, &err), &err);
    cr_expect_eq(reader_value(r, 0, 7, RESULT_PARAMS, 0, &v, &err), -EBADMSG);
    cr_expect_not_null(strstr(err.text, "rank-000000.h5"));
    reader_close(steal(&r));
    struct pack_options opt = {.folder = f.folder, .file = f.file};
    ok(pack_run(&opt, &err), &err);
    ok(reader_open(f.file, &r, &err), &err);
    for (uint64_t i = 0; i < 20; i++) {
        bool damaged = i == 7 || i == 11;
        ok(reader_task(r, 0, i, &t, &err), &err);
        cr_expect_eq(t.status, damaged ? RESULT_FAILED : RESULT_DONE, "task %d", (int)i);
        cr_expect_eq(t.reason, damaged ? RESULT_DAMAGED : RESULT_OK);
        int rc = reader_value(r, 0, i, RESULT_OUTPUT, O_SCORE, &v, &err);
        cr_assert_eq(rc, damaged ? -ENOENT : 0, "%s", err.text);
        cr_expect(damaged || *(double *)v.data == fixture_score(i));
        if (!damaged)
            free(v.data);
    }
    ok(reader_value(r, 0, 11, RESULT_MESSAGE, 0, &v, &err), &err);
    cr_expect_not_null(strstr(v.data, "score: damaged: "), "%s", (char *)v.data);
    cr_expect_not_null(strstr(v.data, "rank-000000.h5"), "%s", (char *)v.data);
    free(v.data);
    cr_expect_eq(reader_value(r, 0, 7, RESULT_PARAMS, 0, &v, &err), -ENOENT);
    ok(reader_value(r, 0, 11, RESULT_PARAMS, 0, &v, &err), &err);
    free(v.data);
    fixture_drop(&f);
}

Test(reader, a_changed_row_is_no_commit)
{
    struct result_fixture f;
    struct gm_error err = {0};
    fixture_make(&f, NULL, 20, 1);
    ok(fixture_run(&f, 1, &err), &err);
    AUTO_STR path = {0};
    str_printf(&path, "%s/shards/000/rank-000000.h5", f.folder);
    const double start = 1000.0 + 7; /* stands in the commit row of task 7 alone */
    damage(path.text, &start, sizeof(start));
    AUTO(reader) r = NULL;
    struct reader_task t;
    ok(reader_open(f.folder, &r, &err), &err);
    for (uint64_t i = 0; i < 20; i++) {
        ok(reader_task(r, 0, i, &t, &err), &err);
        cr_expect_eq(t.status, i == 7 ? RESULT_NONE : RESULT_DONE, "task %d", (int)i);
    }
    fixture_drop(&f);
}

static void put(hid_t file, const char *name, hid_t type, const void *data)
{
    hsize_t dims[2] = {3, 2};
    hid_t space = H5Screate_simple(2, dims, NULL);
    hid_t how = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk[2] = {2, 2};
    (void)H5Pset_chunk(how, 2, chunk);
    (void)H5Pset_fletcher32(how);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, how, H5P_DEFAULT);
    cr_assert_geq(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), 0);
    (void)H5Dclose(set);
    (void)H5Pclose(how);
    (void)H5Sclose(space);
}

static void make_tables(const char *path)
{
    static const uint8_t u8[6] = {0, 1, 2, 253, 254, 255};
    static const int16_t i16[6] = {-32768, -1, 0, 1, 2, 32767};
    static const uint32_t u32[6] = {0, 1, 2, 3, 4, 4294967295u};
    static const uint64_t u64[6] = {0, 1, 2, 3, 4, 5},
                          past[6] = {0, 0, 0, 0, 0, 1ull << 63};
    static const uint16_t f16[6] = {
        0x3c00, 0xc000, 0x3800, 0, 0x7bff, 0x0001}; /* 1 -2 .5 .. */
    static const double f64[6] = {1, 2, 3, 4, 5, 6.5};
    hid_t half = H5Tcopy(H5T_IEEE_F32LE);
    (void)H5Tset_fields(half, 15, 10, 5, 0, 10);
    (void)H5Tset_size(half, 2);
    (void)H5Tset_ebias(half, 15);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    put(file, "u8", H5T_NATIVE_UINT8, u8);
    put(file, "i16", H5T_NATIVE_INT16, i16);
    put(file, "u32", H5T_NATIVE_UINT32, u32);
    put(file, "u64", H5T_NATIVE_UINT64, u64);
    put(file, "past", H5T_NATIVE_UINT64, past);
    put(file, "f16", half, f16);
    put(file, "f64", H5T_NATIVE_DOUBLE, f64);
    (void)H5Tclose(half);
    (void)H5Fclose(file);
}

Test(reader, rows_of_any_table_come_in_the_nearest_type)
{
    static const struct {
        const char *name;
        uint32_t dtype;
        double last[2]; /* row 2 */
    } cases[] = {{"u8", GM_U8, {254, 255}},
                 {"i16", GM_I32, {2, 32767}},
                 {"u32", GM_I64, {4, 4294967295.0}},
                 {"u64", GM_I64, {4, 5}},
                 {"f16", GM_F32, {65504, 0x1p-24}},
                 {"f64", GM_F64, {5, 6.5}}};
    char path[] = "/tmp/gridmill-table-XXXXXX", name[64];
    (void)close(mkstemp(path));
    make_tables(path);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gm_error err = {0};
        struct reader_value v;
        uint64_t rows = 0;
        (void)snprintf(name, sizeof(name), "%s:/%s", path, cases[i].name);
        ok(reader_table_rows(name, &rows, &err), &err);
        cr_expect_eq(rows, 3);
        ok(reader_table(name, 2, 1, &v, &err), &err);
        cr_expect_eq(v.dtype, cases[i].dtype, "%s", cases[i].name);
        cr_assert_eq(v.ndim, 2);
        cr_expect(v.dims[0] == 1 && v.dims[1] == 2);
        for (unsigned k = 0; k < 2; k++) {
            double x = v.dtype == GM_U8    ? ((uint8_t *)v.data)[k]
                       : v.dtype == GM_I32 ? ((int32_t *)v.data)[k]
                       : v.dtype == GM_I64 ? (double)((int64_t *)v.data)[k]
                       : v.dtype == GM_F32 ? (double)((float *)v.data)[k]
                                           : ((double *)v.data)[k];
            cr_expect_eq(x, cases[i].last[k], "%s: %g", cases[i].name, x);
        }
        free(v.data);
        cr_expect_eq(reader_table(name, 2, 2, &v, &err), -EINVAL);
        cr_expect_not_null(strstr(err.text, "has 3 rows, not 4"), "%s", err.text);
        cr_expect_eq(reader_table(name, UINT64_MAX, 2, &v, &err), -EINVAL);
    }
    (void)unlink(path);
}

Test(reader, a_table_that_cannot_be_read_says_why)
{
    static const struct {
        const char *name, *says;
    } cases[] = {{":/none", "there is no such dataset"},
                 {":/past", "past what int64 holds"},
                 {"", "no dataset is named"}};
    char path[] = "/tmp/gridmill-table-XXXXXX", name[64];
    (void)close(mkstemp(path));
    make_tables(path);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gm_error err = {0};
        uint64_t rows;
        (void)snprintf(name, sizeof(name), "%s%s", path, cases[i].name);
        cr_expect_lt(reader_table_rows(name, &rows, &err), 0);
        cr_expect_not_null(strstr(err.text, cases[i].says), "%s", err.text);
        cr_expect_eq(strncmp(err.text, path, strlen(path)), 0, "%s", err.text);
    }
    (void)unlink(path);
}
