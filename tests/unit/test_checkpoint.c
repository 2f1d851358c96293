/* A checkpoint's files: what was put comes back; of a file with one bit changed anywhere,
 * cut anywhere, or of another task, save or rank, nothing is believed. */
#include "base/file.h"
#include "result/checkpoint.h"
#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/gridmill-checkpoint.XXXXXX";

static void make_folder(void)
{
    cr_assert_not_null(mkdtemp(folder));
}

static void remove_folder(void)
{
    (void)file_remove_tree(folder, NULL);
}

TestSuite(checkpoint, .init = make_folder, .fini = remove_folder);

static struct checkpoint_head head_of(uint32_t rank, uint64_t set)
{
    static const char *const texts[] = {"build", "kernel", "{}"};
    struct checkpoint_head h = {
        .stage = 3, .task = 70000000000, .rank = rank, .n_ranks = 3, .set = set};
    h.step = 1234567;
    checkpoint_digest(texts, 3, h.digest);
    return h;
}

static const double series[3] = {0.5, 0.25, 0.125};

/* A part of 13 bytes, an empty one and a series. */
static struct checkpoint_seal write_one(const struct checkpoint_head *h)
{
    const struct result_record records[] = {{.kind = CHECKPOINT_PART,
                                             .index = 7,
                                             .dtype = GM_U8,
                                             .ndim = 1,
                                             .dims = {13},
                                             .data = "thirteen byte",
                                             .nbytes = 13},
                                            {.kind = CHECKPOINT_PART, .index = 8},
                                            {.kind = RESULT_SERIES,
                                             .index = 1,
                                             .dtype = GM_F64,
                                             .ndim = 1,
                                             .dims = {3},
                                             .data = series,
                                             .nbytes = sizeof(series)}};
    struct checkpoint_file *f = NULL;
    struct checkpoint_seal seal;
    struct gm_error err = {0};
    cr_assert_eq(checkpoint_create(folder, h, &f, &err), 0, "%s", err.text);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(checkpoint_put(f, &records[i], &err), 0, "%s", err.text);
    cr_assert_eq(checkpoint_keep(f, &seal, &err), 0, "%s", err.text);
    return seal;
}

static unsigned n_files(void)
{
    char path[64];
    unsigned n = 0;
    (void)snprintf(path, sizeof(path), "%s/checkpoints", folder);
    DIR *dir = opendir(path);
    for (const struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (dir != NULL)
        (void)closedir(dir);
    return n;
}

Test(checkpoint, what_was_put_comes_back)
{
    struct checkpoint_head h = head_of(0, 5);
    struct checkpoint_seal seal = write_one(&h);
    struct checkpoint c;
    char *bytes = NULL;
    size_t len = 0;
    cr_assert_eq(checkpoint_read(folder, &h, &bytes, &len, NULL), 0);
    h.set = 99; /* of the first rank any set will do */
    cr_assert_eq(checkpoint_parse(bytes, len, &h, &c, NULL), 0);
    cr_expect(c.head.set == 5 && c.head.step == 1234567 && c.head.n_ranks == 3);
    cr_expect(c.n == 3 && c.seal.nbytes == len && c.seal.crc == seal.crc);
    const struct result_record *r = checkpoint_find(&c, CHECKPOINT_PART, 7);
    cr_assert(r != NULL && r->nbytes == 13 && r->task == 70000000000 && r->stage == 3);
    cr_expect_eq(memcmp(r->data, "thirteen byte", 13), 0);
    r = checkpoint_find(&c, CHECKPOINT_PART, 8);
    cr_assert(r != NULL && r->nbytes == 0);
    r = checkpoint_find(&c, RESULT_SERIES, 1);
    cr_assert(r != NULL && r->dims[0] == 3 && (uintptr_t)r->data % 8 == 0);
    cr_expect_eq(memcmp(r->data, series, sizeof(series)), 0);
    cr_expect_null(checkpoint_find(&c, RESULT_OUTPUT, 1));
    checkpoint_clear(&c);
    free(bytes);
}

Test(checkpoint, no_bit_may_differ_and_no_byte_be_missing)
{
    struct checkpoint_head h = head_of(0, 5);
    struct checkpoint c;
    struct gm_error err;
    char *bytes = NULL;
    size_t len = 0;
    (void)write_one(&h);
    cr_assert_eq(checkpoint_read(folder, &h, &bytes, &len, NULL), 0);
    for (size_t i = 0; i < len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes[i] = (char)(bytes[i] ^ 1 << bit);
            err.text[0] = '\0';
            cr_assert_eq(
                checkpoint_parse(bytes, len, &h, &c, &err), -EINVAL, "byte %zu", i);
            cr_assert_str_not_empty(err.text);
            bytes[i] = (char)(bytes[i] ^ 1 << bit);
        }
    }
    for (size_t n = 0; n < len; n++) {
        void *part = malloc(n + 1); /* so that a sanitizer sees what is read past it */
        memcpy(part, bytes, n);
        cr_assert_eq(checkpoint_parse(part, n, &h, &c, &err), -EINVAL, "%zu bytes", n);
        free(part);
    }
    bytes = realloc(bytes, 2 * len);
    memcpy(bytes + len, bytes, len);
    cr_expect_eq(checkpoint_parse(bytes, 2 * len, &h, &c, &err), -EINVAL, "twice");
    cr_assert_eq(checkpoint_parse(bytes, len, &h, &c, &err), 0, "%s", err.text);
    checkpoint_clear(&c);
    free(bytes);
}

Test(checkpoint, what_is_of_another_task_save_or_rank_is_not_taken)
{
    struct checkpoint_head h = head_of(1, 5), other;
    struct checkpoint c;
    char *bytes = NULL;
    size_t len = 0;
    (void)write_one(&h);
    cr_assert_eq(checkpoint_read(folder, &h, &bytes, &len, NULL), 0);
    other = h;
    other.stage = 2;
    cr_expect_eq(checkpoint_parse(bytes, len, &other, &c, NULL), -EINVAL);
    other = h;
    other.task++;
    cr_expect_eq(checkpoint_parse(bytes, len, &other, &c, NULL), -EINVAL);
    other = h;
    other.rank = 0;
    cr_expect_eq(checkpoint_parse(bytes, len, &other, &c, NULL), -EINVAL);
    other = h;
    other.set = 6; /* two generations never mix */
    cr_expect_eq(checkpoint_parse(bytes, len, &other, &c, NULL), -EINVAL);
    other = h;
    other.digest[31] ^= 1;
    cr_expect_eq(checkpoint_parse(bytes, len, &other, &c, NULL), -EINVAL);
    other = h;
    other.n_ranks = 1; /* the group's size is the kernel's to judge */
    cr_assert_eq(checkpoint_parse(bytes, len, &other, &c, NULL), 0);
    checkpoint_clear(&c);
    free(bytes);
}

Test(checkpoint, a_file_has_its_name_when_it_is_whole_and_the_last_one_counts)
{
    struct checkpoint_head h = head_of(0, 5), second = head_of(1, 5);
    struct checkpoint_file *f = NULL;
    struct checkpoint c;
    char *bytes = NULL;
    size_t len = 0;
    cr_expect_not(checkpoint_any(folder));
    cr_assert_eq(checkpoint_create(folder, &h, &f, NULL), 0);
    cr_expect_not(checkpoint_any(folder), "half a file has no name");
    cr_expect_eq(checkpoint_read(folder, &h, &bytes, &len, NULL), -ENOENT);
    checkpoint_drop(f);
    cr_expect_eq(n_files(), 0, "what was dropped is gone");
    (void)write_one(&second);
    cr_expect_not(checkpoint_any(folder), "another rank's file alone is none");
    (void)write_one(&h);
    cr_expect(checkpoint_any(folder));
    h.set = 6;
    (void)write_one(&h);
    cr_expect_eq(n_files(), 2);
    cr_assert_eq(checkpoint_read(folder, &h, &bytes, &len, NULL), 0);
    cr_assert_eq(checkpoint_parse(bytes, len, &h, &c, NULL), 0);
    cr_expect_eq(c.head.set, 6);
    checkpoint_clear(&c);
    free(bytes);
    second.rank = 0;
    checkpoint_remove_ranks(folder, &second, 3);
    cr_expect_eq(n_files(), 1);
    checkpoint_remove(folder, &h);
    checkpoint_remove(folder, &h);
    cr_expect_eq(n_files(), 0);
}

Test(checkpoint, what_an_earlier_launch_left_is_swept_and_nothing_else)
{
    struct checkpoint_head h = head_of(0, checkpoint_set(1, 2, 1)), other = h;
    struct checkpoint_file *half[2] = {NULL, NULL};
    (void)write_one(&h);
    h.rank = 2;
    (void)write_one(&h); /* of the checkpoint's set: stays */
    h.set = checkpoint_set(0, 0, 7);
    (void)write_one(&h); /* of a set before it */
    h.set = checkpoint_set(0, 1, 8);
    cr_assert_eq(checkpoint_create(folder, &h, &half[0], NULL), 0);
    h.set = checkpoint_set(2, 1, 1);
    (void)write_one(&h); /* of this launch, as the next */
    cr_assert_eq(checkpoint_create(folder, &h, &half[1], NULL), 0);
    cr_assert_eq(n_files(), 6);
    checkpoint_sweep(folder, 2);
    cr_expect_eq(n_files(), 4);
    cr_expect(checkpoint_any(folder));
    other.rank = 2;
    checkpoint_remove(folder, &other);
    checkpoint_remove(folder, &h);
    cr_expect_eq(n_files(), 2);
    struct checkpoint_seal seal;
    cr_expect_eq(checkpoint_keep(half[0], &seal, NULL), -ENOENT, "comes to nothing");
    cr_expect_eq(checkpoint_keep(half[1], &seal, NULL), 0);
}

Test(checkpoint, what_cannot_be_written_leaves_the_last_one)
{
    static char great[1 << 16];
    struct checkpoint_head h = head_of(0, 5);
    const struct result_record r = {
        .kind = CHECKPOINT_PART, .data = great, .nbytes = sizeof(great)};
    struct checkpoint_file *f = NULL;
    struct gm_error err = {0};
    const struct rlimit least = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY};
    (void)write_one(&h);
    h.set = 6;
    (void)signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &least), 0);
    cr_assert_eq(checkpoint_create(folder, &h, &f, &err), 0, "%s", err.text);
    cr_expect_eq(checkpoint_put(f, &r, &err), -EFBIG, "%s", err.text);
    cr_expect_not_null(strstr(err.text, "File too large"));
    checkpoint_drop(f);
    cr_expect_eq(n_files(), 1);
    cr_expect(checkpoint_any(folder));
}
