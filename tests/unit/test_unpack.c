/* See scheduler/result/unpack.h. */
#include "result/committed.h"
#include "result/pack.h"
#include "result/unpack.h"
#include "result_job.h"
#include <criterion/criterion.h>

static void ok(int rc, const struct gm_error *err)
{
    cr_assert_eq(rc, 0, "%s", err->text);
}

static void hash_of(const char *path, char ret[65])
{
    struct gm_error err = {0};
    AUTO(reader) r = NULL;
    ok(reader_open(path, &r, &err), &err);
    ok(hash_results(r, ret, &err), &err);
}

/* Packed, unpacked, its folder read and packed again. */
Test(unpack, the_folder_and_what_is_packed_of_it_are_the_file)
{
    struct result_fixture f;
    struct gm_error err = {0};
    char hash[3][65];
    fixture_make(&f, NULL, 300, 2);
    ok(fixture_run(&f, 2, &err), &err);
    struct pack_options opt = {.folder = f.folder,
                               .file = f.file,
                               .complete = true,
                               .end = 2000,
                               .outcome = "failed"};
    ok(pack_run(&opt, &err), &err);
    ok(pack_clean(&opt, &err), &err);
    cr_expect_not(file_exists(f.folder));
    ok(file_make_folders(f.folder, &err), &err);
    ok(unpack_run(f.file, f.folder, &err), &err);
    hash_of(f.file, hash[0]);
    hash_of(f.folder, hash[1]);
    cr_expect_str_eq(hash[0], hash[1]);

    AUTO(committed) c = NULL; /* what a resume asks */
    ok(committed_load(f.folder, &c, &err), &err);
    cr_expect_eq(taskset_count(c->stages[0].done), 300);
    cr_expect_eq(taskset_count(c->stages[1].done), 1);
    cr_expect_eq(taskset_count(c->stages[1].failed), 1);
    cr_expect_eq(taskset_count(c->stages[1].skipped), 1);

    AUTO(reader) r = NULL;
    AUTO(reader) again = NULL;
    struct reader_task a, b;
    struct pack_options second = opt;
    AUTO_STR other = {0};
    str_printf(&other, "%s.again", f.file);
    second.file = other.text;
    ok(pack_run(&second, &err), &err);
    hash_of(other.text, hash[2]);
    cr_expect_str_eq(hash[0], hash[2]);
    ok(reader_open(f.file, &r, &err), &err);
    ok(reader_open(other.text, &again, &err), &err);
    for (unsigned i = 0; i < 2; i++) { /* what each rank said of itself */
        struct reader_rank x, y;
        ok(reader_rank(r, i, &x, &err), &err);
        ok(reader_rank(again, i, &y, &err), &err);
        cr_expect(x.pid == y.pid && x.tasks == y.tasks && x.busy_s == y.busy_s);
        cr_expect_str_eq(x.device, y.device);
        cr_expect_str_eq(x.seen, y.seen);
        cr_expect_str_eq(x.mismatch, y.mismatch);
    }
    for (uint64_t i = 0; i < 3; i++) { /* attempts, logs and messages too */
        struct reader_value x, y;
        ok(reader_task(r, 1, i, &a, &err), &err);
        ok(reader_task(again, 1, i, &b, &err), &err);
        cr_expect_eq(memcmp(&a, &b, sizeof(a)), 0, "task %d", (int)i);
        int rc = reader_value(r, 1, i, RESULT_STDOUT, 0, &x, &err);
        cr_assert_eq(rc, reader_value(again, 1, i, RESULT_STDOUT, 0, &y, &err));
        if (rc == 0) {
            cr_expect_str_eq(x.data, y.data);
            free(x.data);
            free(y.data);
        }
    }
    fixture_drop(&f);
}

/* Large enough for chunks; and without a task, where every dataset has no rows. */
Test(unpack, every_form_comes_back)
{
    static const struct {
        uint64_t tasks;
        bool gzip, sharded;
    } forms[] = {{9000, true, false},
                 {9000, false, true},
                 {9000, true, true},
                 {0, false, false},
                 {0, true, true}};
    for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct result_fixture f;
        struct gm_error err = {0};
        char hash[3][65];
        fixture_make(&f, NULL, forms[i].tasks, 2);
        ok(fixture_run(&f, 2, &err), &err);
        hash_of(f.folder, hash[0]);
        struct pack_options opt = {.folder = f.folder,
                                   .file = f.file,
                                   .gzip = forms[i].gzip,
                                   .sharded = forms[i].sharded};
        ok(pack_run(&opt, &err), &err);
        ok(pack_clean(&opt, &err), &err);
        ok(file_make_folders(f.folder, &err), &err);
        ok(unpack_run(f.file, f.folder, &err), &err);
        ok(pack_run(&opt, &err), &err);
        hash_of(f.file, hash[1]);
        hash_of(f.folder, hash[2]);
        cr_expect_str_eq(hash[0], hash[1]);
        cr_expect_str_eq(hash[0], hash[2]);
        fixture_drop(&f);
    }
}

Test(unpack, what_is_not_packed_is_refused)
{
    struct result_fixture f;
    struct gm_error err = {0};
    fixture_make(&f, NULL, 3, 1);
    cr_expect_eq(unpack_run(f.folder, f.folder, &err), -EINVAL);
    cr_expect_not_null(strstr(err.text, "not packed"), "%s", err.text);
    cr_expect_eq(unpack_run("/nowhere/x.h5", f.folder, &err), -ENOENT);
    fixture_drop(&f);
}
