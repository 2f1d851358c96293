/* See scheduler/result/pack.h. What a packed file looks like from outside: tests/cli/h5.
 */
#include "result/pack.h"
#include "result_job.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <hdf5.h>
#include <sys/mount.h>

static void ok(int rc, const struct gm_error *err)
{
    cr_assert_eq(rc, 0, "%s", err->text);
}

static char *tmp_name(const struct result_fixture *f)
{
    struct str s = {0};
    str_printf(&s, "%s.tmp", f->file);
    return str_steal(&s);
}

Test(pack, only_the_stages_that_were_asked_for_are_in)
{
    struct result_fixture f;
    struct gm_error err = {0};
    fixture_make(&f, NULL, 30, 2);
    ok(fixture_run(&f, 2, &err), &err);
    AUTO(idset) stages = idset_make();
    idset_add(stages, 0);
    struct pack_options opt = {.folder = f.folder, .file = f.file, .stages = stages};
    ok(pack_run(&opt, &err), &err);
    AUTO(reader) r = NULL;
    struct reader_task t;
    ok(reader_open(f.file, &r, &err), &err);
    ok(reader_task(r, 0, 29, &t, &err), &err);
    cr_expect_eq(t.status, RESULT_DONE);
    ok(reader_task(r, 1, 0, &t, &err), &err);
    cr_expect_eq(t.status, RESULT_NONE);
    fixture_drop(&f);
}

Test(pack, works_beside_a_writer_and_again_when_there_is_more)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 30, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    struct pack_options opt = {.folder = f.folder, .file = f.file};
    for (uint64_t i = 0; i < 30; i++) {
        ok(fixture_done(s, i, 0, &err), &err);
        if (i % 10 != 9)
            continue;
        ok(shard_flush(s, &err), &err);
        ok(pack_run(&opt, &err), &err);
        AUTO(reader) r = NULL;
        struct reader_task t;
        ok(reader_open(f.file, &r, &err), &err);
        ok(reader_task(r, 0, i, &t, &err), &err);
        cr_expect_eq(t.status, RESULT_DONE);
        if (i < 29)
            ok(reader_task(r, 0, i + 1, &t, &err), &err);
        cr_expect_eq(t.status, i < 29 ? RESULT_NONE : RESULT_DONE);
    }
    ok(shard_close(s, &err), &err);
    fixture_drop(&f);
}

Test(pack, of_a_job_that_is_over_misses_no_task)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 30, 1);
    struct pack_options opt = {.folder = f.folder, .file = f.file, .whole = true};
    ok(shard_create(f.folder, 0, &s, &err), &err);
    ok(fixture_commands(s, 0, &err), &err);
    for (uint64_t i = 0; i < 30; i++) {
        if (i != 17 && i != 29)
            ok(fixture_done(s, i, 0, &err), &err);
    }
    struct result_commit c = fixture_commit(29, 0, 1);
    c.status = RESULT_RETRIED;
    ok(shard_commit(s, &c, &err), &err);
    ok(shard_flush(s, &err), &err);
    cr_expect_eq(pack_run(&opt, &err), -ENODATA);
    cr_expect_not_null(strstr(
        err.text, "2 tasks of stage probe are not on file, the first of them is 17"));
    cr_expect(!file_exists(f.file));
    ok(fixture_done(s, 17, 0, &err), &err);
    ok(shard_flush(s, &err), &err);
    cr_expect_eq(pack_run(&opt, &err), -ENODATA);
    cr_expect_not_null(strstr(err.text, "the first of them is 29"));
    c.attempt = 2;
    c.status = RESULT_FAILED;
    ok(shard_commit(s, &c, &err), &err);
    ok(shard_close(s, &err), &err);
    ok(pack_run(&opt, &err), &err);
    fixture_drop(&f);
}

Test(pack, values_of_different_shapes_are_stored_as_a_heap)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 4, 1);
    float x[12] = {0};
    for (unsigned k = 0; k < 12; k++)
        x[k] = (float)k;
    ok(shard_create(f.folder, 0, &s, &err), &err);
    for (uint64_t i = 0; i < 3; i++) { /* [1, 4], [2, 4], [3, 4], none */
        struct result_commit c = fixture_commit(i, 0, 1);
        ok(fixture_value(s, i, RESULT_OUTPUT, O_MATRIX, GM_F32, 2, i + 1, 4, x, &err),
           &err);
        ok(shard_commit(s, &c, &err), &err);
    }
    ok(shard_close(s, &err), &err);
    struct pack_options opt = {.folder = f.folder, .file = f.file};
    ok(pack_run(&opt, &err), &err);
    AUTO(reader) r = NULL;
    ok(reader_open(f.file, &r, &err), &err);
    for (uint64_t i = 0; i < 3; i++) {
        struct reader_value v;
        ok(reader_value(r, 0, i, RESULT_OUTPUT, O_MATRIX, &v, &err), &err);
        cr_expect(v.ndim == 2 && v.dims[0] == i + 1 && v.dims[1] == 4);
        cr_expect_eq(memcmp(v.data, x, v.nbytes), 0);
        free(v.data);
    }
    struct reader_value v;
    cr_expect_eq(reader_value(r, 0, 3, RESULT_OUTPUT, O_MATRIX, &v, &err), -ENOENT);
    cr_expect_eq(reader_value(r, 0, 1, RESULT_OUTPUT, O_SCORE, &v, &err),
                 -ENOENT,
                 "a task that is done can lack an output");
    fixture_drop(&f);
}

Test(pack, a_value_that_is_not_as_declared_is_named)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 4, 1);
    int64_t x = 1;
    struct result_commit c = fixture_commit(2, 0, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    ok(fixture_value(s, 2, RESULT_OUTPUT, O_SCORE, GM_I64, 0, 0, 0, &x, &err), &err);
    ok(shard_commit(s, &c, &err), &err);
    ok(shard_close(s, &err), &err);
    struct pack_options opt = {.folder = f.folder, .file = f.file};
    cr_expect_eq(pack_run(&opt, &err), -EINVAL);
    cr_expect_not_null(strstr(err.text, "probe[2].score: int64"), "%s", err.text);
    AUTO_FREE(char) tmp = tmp_name(&f);
    cr_expect_not(file_exists(f.file));
    cr_expect_not(file_exists(tmp));
    fixture_drop(&f);
}

Test(pack, a_full_disk_leaves_nothing_but_the_shards)
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
    static unsigned char model[1700000];
    fixture_make(&f, dir, 10, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    struct result_commit c = fixture_commit(0, 0, 1);
    ok(fixture_value(
           s, 0, RESULT_OUTPUT, O_MODEL, GM_U8, 1, sizeof(model), 0, model, &err),
       &err);
    ok(shard_commit(s, &c, &err), &err);
    ok(shard_close(s, &err), &err);
    struct pack_options opt = {.folder = f.folder, .file = f.file};
    cr_expect_eq(pack_run(&opt, &err), -ENOSPC, "%s", err.text);
    cr_expect_not_null(strstr(err.text, "No space left on device"), "%s", err.text);
    cr_expect_eq(strncmp(err.text, f.file, strlen(f.file)), 0, "%s", err.text);
    AUTO_FREE(char) tmp = tmp_name(&f);
    cr_expect_not(file_exists(f.file));
    cr_expect_not(file_exists(tmp));
    AUTO(reader) r = NULL;
    ok(reader_open(f.file, &r, &err), &err); /* the shards */
    reader_close(steal(&r));
    fixture_drop(&f);
    cr_expect_eq(umount2(dir, MNT_DETACH), 0, "%s", strerror(errno));
    (void)rmdir(dir);
}

Test(pack, without_a_job_says_so)
{
    struct gm_error err = {0};
    struct pack_options opt = {.folder = "/nowhere.gm", .file = "/nowhere"};
    cr_expect_eq(pack_run(&opt, &err), -ENOENT);
    cr_expect_str_eq(err.text, "/nowhere.gm/job.h5: No such file or directory");
}

/* A virtual dataset over `source` instead of the output "score". */
static void point_elsewhere(const struct result_fixture *f, const char *source)
{
    hsize_t n = 30;
    hid_t file = H5Fopen(f->file, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t space = H5Screate_simple(1, &n, NULL), how = H5Pcreate(H5P_DATASET_CREATE);
    cr_assert(H5Ldelete(file, "stages/probe/outputs/score", H5P_DEFAULT) >= 0);
    cr_assert(H5Pset_virtual(how, space, source, "/stages/probe/outputs/score", space) >=
              0);
    hid_t set = H5Dcreate2(file,
                           "stages/probe/outputs/score",
                           H5T_NATIVE_DOUBLE,
                           space,
                           H5P_DEFAULT,
                           how,
                           H5P_DEFAULT);
    cr_assert(set >= 0);
    (void)H5Dclose(set);
    (void)H5Pclose(how);
    (void)H5Sclose(space);
    (void)H5Fclose(file);
}

static void expect_refused(const struct result_fixture *f, const char *why)
{
    struct gm_error err = {0};
    struct reader_value v;
    AUTO(reader) r = NULL;
    ok(reader_open(f->file, &r, &err), &err);
    cr_expect_eq(reader_value(r, 0, 3, RESULT_OUTPUT, O_SCORE, &v, &err), -EINVAL);
    cr_expect_not_null(strstr(err.text, why), "%s", err.text);
}

Test(pack, data_in_other_files_is_a_part_or_is_not_followed)
{
    static const char *const elsewhere[] = {"/etc/passwd",
                                            "../fixture.h5.parts/0/part-00000.h5",
                                            "x/fixture.h5.parts/0/part-00000.h5",
                                            "fixture.h5.parts/../part-00000.h5",
                                            "fixture.h5.parts/0/../part-00000.h5",
                                            "fixture.h5.parts/0/part-.h5",
                                            ".parts/0/part-00000.h5",
                                            "other.h5"};
    struct result_fixture f;
    struct gm_error err = {0};
    fixture_make(&f, NULL, 30, 1);
    ok(fixture_run(&f, 1, &err), &err);
    struct pack_options opt = {.folder = f.folder, .file = f.file};
    ok(pack_run(&opt, &err), &err);
    for (unsigned i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
        point_elsewhere(&f, elsewhere[i]);
        expect_refused(&f, "its data is in other files, which are not followed");
    }
    point_elsewhere(&f, "fixture.h5.parts/0/part-00000.h5");
    expect_refused(&f, "fixture.h5.parts/0/part-00000.h5, which has its data, is not");
    fixture_drop(&f);
}

static void pack_again(const struct result_fixture *f, bool sharded)
{
    struct gm_error err = {0};
    struct pack_options opt = {.folder = f->folder, .file = f->file, .sharded = sharded};
    AUTO_STR kept = {0}; /* pack_clean but for the folder */
    ok(pack_run(&opt, &err), &err);
    str_printf(&kept, "%s.away", f->folder);
    cr_assert_eq(rename(f->folder, kept.text), 0);
    ok(pack_clean(&opt, &err), &err);
    cr_assert_eq(rename(kept.text, f->folder), 0);
}

static bool has_part(const struct result_fixture *f, unsigned generation)
{
    AUTO_STR part = {0};
    str_printf(&part, "%s.parts/%u/part-00000.h5", f->file, generation);
    return file_exists(part.text);
}

static void expect_tasks(const char *path)
{
    struct gm_error err = {0};
    struct reader_task t;
    AUTO(reader) r = NULL;
    ok(reader_open(path, &r, &err), &err);
    ok(reader_task(r, 0, 8999, &t, &err), &err);
    cr_expect_eq(t.status, RESULT_DONE);
}

/* The parts of a file that is replaced go with it. */
Test(pack, parts_that_no_file_needs_are_removed)
{
    struct result_fixture f;
    struct gm_error err = {0};
    AUTO_STR old = {0};
    fixture_make(&f, NULL, 9000, 1);
    ok(fixture_run(&f, 1, &err), &err);
    for (unsigned i = 0; i < 3; i++) {
        pack_again(&f, true);
        cr_expect(has_part(&f, i % 2));
        cr_expect_not(has_part(&f, (i + 1) % 2), "the one before");
        expect_tasks(f.file);
    }
    str_printf(&old, "%s.parts", f.file);
    AUTO_STR left = {0};
    str_printf(&left, "%s/7.tmp/deep", old.text); /* of a pack that was killed */
    ok(file_make_folders(left.text, &err), &err);
    pack_again(&f, false);
    cr_expect_not(file_exists(old.text));
    expect_tasks(f.file);
    fixture_drop(&f);
}

/* A file that got another name keeps its parts, whatever is packed beside it. */
Test(pack, parts_of_a_file_that_was_renamed_stay)
{
    struct result_fixture f;
    struct gm_error err = {0};
    AUTO_STR first = {0};
    AUTO_STR link = {0};
    fixture_make(&f, NULL, 9000, 1);
    ok(fixture_run(&f, 1, &err), &err);
    pack_again(&f, true);
    str_printf(&link, "%s.elsewhere", f.folder);
    ok(file_make_folders(link.text, &err), &err);
    str_add(&link, "/link.h5");
    cr_assert_eq(symlink(f.file, link.text), 0);
    expect_tasks(link.text);
    str_printf(&first, "%s.first", f.file);
    cr_assert_eq(rename(f.file, first.text), 0);
    for (unsigned i = 0; i < 2; i++) {
        pack_again(&f, true);
        cr_expect(has_part(&f, 0));
        cr_expect(has_part(&f, 1 + i));
        expect_tasks(first.text);
        expect_tasks(f.file);
    }
    pack_again(&f, false);
    expect_tasks(first.text);
    fixture_drop(&f);
}

/* Flips one byte of what a shard has once. */
static void damage(const char *path, const char *bytes)
{
    struct gm_error err = {0};
    AUTO_FREE(char) all = NULL;
    size_t len = 0;
    ok(file_read(path, 1u << 30, &all, &len, &err), &err);
    char *at = memmem(all, len, bytes, strlen(bytes));
    cr_assert_not_null(at);
    *at ^= 1;
    AUTO_FD fd = open(path, O_WRONLY);
    cr_assert_eq(pwrite(fd, at, 1, at - all), 1);
}

Test(pack, what_is_damaged_costs_its_task_alone_and_the_outcome_says_so)
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    uint64_t damaged = 0;
    AUTO_STR path = {0};
    fixture_make(&f, NULL, 3, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    ok(fixture_rank(s, 0, &err), &err);
    for (uint64_t i = 0; i < 3; i++) {
        struct result_commit c = fixture_commit(i, 0, 1);
        const char *text = i == 1 ? "a text to be damaged" : "another";
        ok(fixture_value(s,
                         i,
                         RESULT_OUTPUT,
                         O_MODEL,
                         GM_U8,
                         1,
                         (uint32_t)strlen(text),
                         0,
                         text,
                         &err),
           &err);
        ok(shard_commit(s, &c, &err), &err);
    }
    ok(shard_close(s, &err), &err);
    str_printf(&path, "%s/shards/000/rank-000000.h5", f.folder);
    damage(path.text, "a text to be damaged");
    damage(path.text, "0-3"); /* of what the rank says of itself */
    struct pack_options opt = {.folder = f.folder,
                               .file = f.file,
                               .complete = true,
                               .outcome = "done",
                               .ret_damaged = &damaged};
    ok(pack_run(&opt, &err), &err);
    cr_expect_eq(damaged, 1);
    AUTO(reader) r = NULL;
    ok(reader_open(f.file, &r, &err), &err);
    for (uint64_t i = 0; i < 3; i++) {
        struct reader_task t;
        ok(reader_task(r, 0, i, &t, &err), &err);
        cr_expect_eq(t.status, i == 1 ? RESULT_FAILED : RESULT_DONE);
        cr_expect_eq(t.reason, i == 1 ? RESULT_DAMAGED : RESULT_OK);
    }
    char outcome[16] = "";
    hid_t file = H5Fopen(f.file, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t id = H5Aopen_by_name(file, "job", "outcome", H5P_DEFAULT, H5P_DEFAULT);
    hid_t type = H5Aget_type(id);
    cr_assert(H5Tget_size(type) < sizeof(outcome) && H5Aread(id, type, outcome) >= 0);
    cr_expect_str_eq(outcome, "failed");
    (void)H5Tclose(type);
    (void)H5Aclose(id);
    (void)H5Fclose(file);
    fixture_drop(&f);
}
