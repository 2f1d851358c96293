/* What is put into a parcel is a copy, a series grows, a failed attempt keeps its logs.
 */
#include "runner/parcel.h"
#include <criterion/criterion.h>
#include <unistd.h>

/* shard_add is the one thing a parcel calls: this one keeps what it was given. */
static struct {
    struct result_record records[8];
    unsigned n;
    int fail_at;
} shelf;

int shard_add(struct shard *s, const struct result_record *r, struct gm_error *err)
{
    (void)s;
    if (shelf.fail_at > 0 && (int)shelf.n + 1 == shelf.fail_at)
        return gm_fail(err, -ENOSPC, "full");
    shelf.records[shelf.n++] = *r;
    return 0;
}

int shard_add_file(struct shard *s,
                   const struct result_record *r,
                   int fd,
                   struct gm_error *err)
{
    static char text[16];
    struct result_record got = *r;
    got.data = text;
    cr_assert_eq(pread(fd, text, sizeof(text), 0), (ssize_t)r->nbytes);
    return shard_add(s, &got, err);
}

static struct result_record
record(uint32_t kind, uint32_t index, const void *data, uint64_t n)
{
    return (struct result_record){.kind = kind,
                                  .index = index,
                                  .dtype = GM_U8,
                                  .ndim = 1,
                                  .dims = {n},
                                  .data = data,
                                  .nbytes = n};
}

Test(parcel, copies_the_data_and_writes_it_under_the_commits_task)
{
    char text[] = "abc";
    struct parcel *p = parcel_make();
    struct result_record r = record(RESULT_OUTPUT, 2, text, 3);
    struct result_commit c = {.stage = 7, .task = 99};
    cr_assert_eq(parcel_add(p, &r, NULL), 0);
    memset(text, 'x', 3);
    cr_assert_eq(parcel_bytes(p), 3);
    cr_assert_eq(parcel_write(p, NULL, &c, NULL), 0);
    cr_assert_eq(shelf.n, 1);
    const struct result_record *got = &shelf.records[0];
    cr_assert(got->stage == 7 && got->task == 99 && got->index == 2 && got->nbytes == 3);
    cr_assert_eq(memcmp(got->data, "abc", 3), 0);
    parcel_free(p);
}

Test(parcel, keeps_a_file_that_its_giver_closes)
{
    FILE *file = tmpfile();
    cr_assert_not_null(file);
    cr_assert_eq(fputs("abcdef", file), 1);
    cr_assert_eq(fflush(file), 0);
    struct parcel *p = parcel_make();
    struct result_record r = record(RESULT_STDOUT, 0, NULL, 6);
    struct result_commit c = {.stage = 1, .task = 2};
    cr_assert_eq(parcel_add_file(p, &r, fileno(file), NULL), 0);
    fclose(file);
    cr_expect_eq(parcel_bytes(p), 6, "it counts for the queue");
    cr_assert_eq(parcel_write(p, NULL, &c, NULL), 0);
    cr_assert_eq(shelf.n, 1);
    cr_expect_eq(memcmp(shelf.records[0].data, "abcdef", 6), 0);
    struct gm_error err;
    cr_expect_eq(parcel_add_file(p, &r, -1, &err), -EBADF);
    parcel_free(p);
}

Test(parcel, refuses_an_output_that_is_set_twice_and_keeps_the_first)
{
    struct parcel *p = parcel_make();
    struct result_record a = record(RESULT_OUTPUT, 1, "a", 1),
                         b = record(RESULT_OUTPUT, 1, "b", 1);
    struct result_record log = record(RESULT_STDOUT, 1, "l", 1);
    struct gm_error err;
    cr_assert_eq(parcel_add(p, &a, NULL), 0);
    cr_assert_eq(parcel_add(p, &b, &err), -EEXIST);
    cr_assert_str_eq(err.text, "output 1 was set twice");
    cr_assert_eq(parcel_add(p, &log, NULL), 0, "another kind has its own indices");
    (void)parcel_write(p, NULL, &(struct result_commit){0}, NULL);
    cr_assert_eq(*(const char *)shelf.records[0].data, 'a');
    parcel_free(p);
}

Test(parcel, a_series_grows_into_one_record)
{
    struct parcel *p = parcel_make();
    static const char *const parts[] = {"ab", "c", "defg"};
    for (size_t i = 0; i < 3; i++) {
        struct result_record r = record(RESULT_SERIES, 0, parts[i], strlen(parts[i]));
        cr_assert_eq(parcel_append(p, &r, NULL), 0);
    }
    (void)parcel_write(p, NULL, &(struct result_commit){0}, NULL);
    cr_assert_eq(shelf.n, 1);
    cr_assert(shelf.records[0].dims[0] == 7 && shelf.records[0].nbytes == 7);
    cr_assert_eq(memcmp(shelf.records[0].data, "abcdefg", 7), 0);
    parcel_free(p);
}

Test(parcel, a_failed_attempt_keeps_logs_and_parameters_alone)
{
    struct parcel *p = parcel_make();
    static const uint32_t kinds[] = {
        RESULT_PARAMS, RESULT_OUTPUT, RESULT_STDOUT, RESULT_SERIES, RESULT_STDERR};
    for (size_t i = 0; i < 5; i++) {
        struct result_record r = record(kinds[i], 0, "xy", 2);
        cr_assert_eq(parcel_add(p, &r, NULL), 0);
    }
    parcel_drop_outputs(p);
    cr_assert_eq(parcel_bytes(p), 6);
    (void)parcel_write(p, NULL, &(struct result_commit){0}, NULL);
    cr_assert_eq(shelf.n, 3);
    cr_assert(shelf.records[0].kind == RESULT_PARAMS &&
              shelf.records[1].kind == RESULT_STDOUT &&
              shelf.records[2].kind == RESULT_STDERR);
    parcel_free(p);
}

Test(parcel, a_shard_that_is_full_is_told)
{
    struct parcel *p = parcel_make();
    struct result_record a = record(RESULT_OUTPUT, 0, "a", 1),
                         b = record(RESULT_OUTPUT, 1, "b", 1);
    struct gm_error err;
    (void)parcel_add(p, &a, NULL);
    (void)parcel_add(p, &b, NULL);
    shelf.fail_at = 2;
    cr_assert_eq(parcel_write(p, NULL, &(struct result_commit){0}, &err), -ENOSPC);
    cr_assert_str_eq(err.text, "full");
    parcel_free(p);
}
