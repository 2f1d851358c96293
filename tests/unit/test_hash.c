/* See scheduler/result/hash.h. */
#include "result/hash.h"
#include "result/pack.h"
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

static void pack(const struct result_fixture *f)
{
    struct gm_error err = {0};
    struct pack_options opt = {.folder = f->folder, .file = f->file};
    ok(pack_run(&opt, &err), &err);
}

Test(hash, of_bytes_is_sha256)
{
    char hex[65];
    hash_bytes("abc", 3, hex);
    cr_expect_str_eq(hex,
                     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hash_bytes("", 0, hex);
    cr_expect_str_eq(hex,
                     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

Test(hash, of_a_file_is_that_of_its_bytes)
{
    struct gm_error err = {0};
    char path[] = "/tmp/gridmill-hash-XXXXXX", a[65], b[65];
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    const size_t n = 3000001;
    AUTO_FREE(char) data = xcalloc(n, 1);
    memset(data, 'q', n);
    cr_assert_eq(write(fd, data, n), (ssize_t)n);
    (void)close(fd);
    ok(hash_file(path, a, &err), &err);
    hash_bytes(data, n, b);
    cr_expect_str_eq(a, b);
    (void)unlink(path);
    cr_expect_eq(hash_file(path, a, &err), -ENOENT);
    cr_expect_not_null(strstr(err.text, "No such file"));
}

Test(hash, shards_and_the_packed_file_are_equal_and_ranks_do_not_matter)
{
    char hex[4][65];
    unsigned n = 0;
    for (unsigned n_ranks = 1; n_ranks <= 4; n_ranks += 3) {
        struct result_fixture f;
        struct gm_error err = {0};
        fixture_make(&f, NULL, 50, n_ranks);
        ok(fixture_run(&f, n_ranks, &err), &err);
        hash_of(f.folder, hex[n++]);
        pack(&f);
        hash_of(f.file, hex[n++]);
        fixture_drop(&f);
    }
    for (unsigned i = 1; i < 4; i++)
        cr_expect_str_eq(hex[i], hex[0]);
}

/* One task, with something about it changed. */
struct variant {
    const char *what;
    double flip; /* of a computed output */
    double rate; /* of the measured one */
    const char *params;
    unsigned attempt;
    uint32_t status;
    int32_t exit_code;
    double start;
    bool twice; /* a failed attempt before */
    bool equal; /* to the first */
};

static void hash_variant(const struct variant *v, char shards[65], char packed[65])
{
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *s = NULL;
    fixture_make(&f, NULL, 3, 1);
    ok(shard_create(f.folder, 0, &s, &err), &err);
    struct result_commit c = fixture_commit(1, 0, 1);
    if (v->twice) {
        ok(fixture_outputs(s, 1, 99, 0, &err), &err);
        c.status = RESULT_RETRIED;
        ok(shard_commit(s, &c, &err), &err);
    }
    ok(fixture_text(s, 0, 1, RESULT_PARAMS, v->params, &err), &err);
    ok(fixture_outputs(s, 1, v->flip, v->rate, &err), &err);
    ok(fixture_text(s, 0, 1, RESULT_STDOUT, v->what, &err), &err);
    c.attempt = v->attempt;
    c.status = v->status;
    c.exit_code = v->exit_code;
    c.start = v->start;
    ok(shard_commit(s, &c, &err), &err);
    ok(shard_close(s, &err), &err);
    hash_of(f.folder, shards);
    pack(&f);
    hash_of(f.file, packed);
    fixture_drop(&f);
}

Test(hash, covers_what_was_computed_and_nothing_that_was_measured)
{
    static const struct variant variants[] = {
        {"as it is", 0, 1, "{\"i\":1}", 1, RESULT_DONE, 0, 10, false, true},
        {"another rate", 0, 2, "{\"i\":1}", 1, RESULT_DONE, 0, 10, false, true},
        {"another time", 0, 1, "{\"i\":1}", 1, RESULT_DONE, 0, 11, false, true},
        {"another attempt", 0, 1, "{\"i\":1}", 2, RESULT_DONE, 0, 10, true, true},
        {"one bit of an output",
         0x1p-52,
         1,
         "{\"i\":1}",
         1,
         RESULT_DONE,
         0,
         10,
         false,
         false},
        {"another parameter", 0, 1, "{\"i\":2}", 1, RESULT_DONE, 0, 10, false, false},
        {"another exit code", 0, 1, "{\"i\":1}", 1, RESULT_DONE, 1, 10, false, false},
        {"another status", 0, 1, "{\"i\":1}", 1, RESULT_FAILED, 0, 10, false, false},
    };
    char first[65], shards[65], packed[65];
    for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
        hash_variant(&variants[i], shards, packed);
        cr_expect_str_eq(shards, packed, "%s", variants[i].what);
        if (i == 0)
            memcpy(first, shards, sizeof(first));
        cr_expect_eq(
            strcmp(shards, first) == 0, variants[i].equal, "%s", variants[i].what);
    }
}
