/* See scheduler/engine/receipts.h: the line, and the file that it goes to. */
#include "base/file.h"
#include "base/memory.h"
#include "engine/receipts.h"
#include "engine/summary_data.h"
#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

/* A summary of a job that is done, without any file. */
static void fill(struct summary *s, struct receipt *r)
{
    for (unsigned i = 0; i < RECEIPT_NUMBERS; i++)
        r->v[i] = (double)NAN;
    r->v[RECEIPT_LAUNCHES] = 2;
    r->v[RECEIPT_WALL] = 12.5;
    r->v[RECEIPT_ASKED_RANKS] = 8;
    r->v[RECEIPT_ASKED_CPUS] = 2;
    r->v[RECEIPT_ASKED_GPUS] = 1;
    r->v[RECEIPT_ASKED_MEMORY] = 2147483648;
    r->v[RECEIPT_ASKED_TIME] = 7200;
    r->v[RECEIPT_RANKS_BUSY] = 0.37312345;
    r->v[RECEIPT_FLOPS] = 3e12;
    r->v[RECEIPT_FLOPS64] = 1e12;
    r->v[RECEIPT_FIT_RANKS] = 3;
    *s = (struct summary){.id = "0123", .name = "my job \"x\"=\n\xc3\xa9", .receipt = r};
}

Test(receipts, the_line_is_words_that_a_script_can_cut)
{
    struct receipt *r = receipt_make(0, 0, 0);
    struct summary s;
    fill(&s, r);
    r->sbatch = xstrdup("-n 3 -t 10");
    AUTO_FREE(char)
    line = receipts_line(&s,
                         &(struct receipts_who){
                             .user = "ann", .job_id = "77_3", .uid = 1000, .time = 1e9});
    cr_expect_str_eq(
        line,
        "receipt=1 time=1000000000 user=ann uid=1000 jobid=77_3 id=0123 "
        "name=my_job__x_____ outcome=done gpus=8 launches=2 wall=12.5 ranks=8 cores=2 "
        "mem=2147483648 limit=7200 ranks_busy=0.3731 cpus_busy=n/a gpus_busy=n/a "
        "of_peak=n/a rss=n/a fit_ranks=3 fit_cores=n/a fit_gpus=n/a fit_mem=n/a "
        "fit_limit=n/a flops=4000000000000 suggest=\"-n 3 -t 10\" end=1\n");
    s.receipt = NULL;
    cr_expect_null(receipts_line(&s, &(struct receipts_who){.uid = 1}));
    receipt_free(r);
}

static char folder[] = "/tmp/gridmill-receipts-XXXXXX";

static void enter(void)
{
    cr_assert_not_null(mkdtemp(folder));
}

static void leave(void)
{
    (void)file_remove_tree(folder, NULL);
}

TestSuite(receipts_file, .init = enter, .fini = leave);

static char *path_of(unsigned long uid)
{
    struct str path = {0};
    str_printf(&path, "%s/uid-%lu.txt", folder, uid);
    return str_steal(&path);
}

static void *append_many(void *arg)
{
    char line[400];
    memset(line, 'a' + *(int *)arg, sizeof(line) - 2);
    memcpy(line + sizeof(line) - 2, "\n", 2);
    for (unsigned i = 0; i < 200; i++)
        cr_assert_eq(receipts_append(folder, 7, line, NULL), 0);
    return NULL;
}

Test(receipts_file, lines_of_several_at_once_stay_whole)
{
    pthread_t threads[4];
    int letters[4] = {0, 1, 2, 3};
    for (unsigned i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, append_many, &letters[i]), 0);
    for (unsigned i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
    AUTO_FREE(char) path = path_of(7);
    AUTO_FREE(char) text = NULL;
    size_t len = 0, lines = 0;
    cr_assert_eq(file_read(path, 1 << 20, &text, &len, NULL), 0);
    for (char *at = text; at < text + len; at += 399, lines++) {
        cr_assert_eq(strspn(at, (char[]){at[0], '\0'}), 398, "line %zu is torn", lines);
        cr_assert_eq(at[398], '\n');
    }
    cr_expect_eq(lines, 800);
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 07777 & ~0644u, 0, "others must not write");
}

Test(receipts_file, what_is_not_this_users_own_file_is_refused)
{
    struct gm_error err = {0};
    AUTO_FREE(char) path = path_of(8);
    AUTO_FREE(char) other = path_of(9);
    cr_assert_eq(receipts_append("/nonexistent/folder", 8, "x\n", &err), -ENOENT);
    cr_expect_not_null(strstr(err.text, "/nonexistent/folder/uid-8.txt"), "%s", err.text);
    cr_assert_eq(file_write(other, "keep\n", 5, &err), 0, "%s", err.text);
    cr_assert_eq(symlink(other, path), 0);
    cr_expect_eq(receipts_append(folder, 8, "x\n", &err), -ELOOP, "%s", err.text);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(link(other, path), 0);
    cr_expect_eq(receipts_append(folder, 8, "x\n", &err), -EPERM, "%s", err.text);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(mkfifo(path, 0600), 0); /* must not hang */
    cr_expect_lt(receipts_append(folder, 8, "x\n", &err), 0);
    AUTO_FREE(char) text = NULL;
    size_t len = 0;
    cr_assert_eq(file_read(other, 100, &text, &len, NULL), 0);
    cr_expect_str_eq(text, "keep\n");
}
