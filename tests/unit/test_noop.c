#include "mlp_task.h"
#include <unistd.h>

static int run(const char *width, const char *tally, uint64_t *ret, struct gm_error *err)
{
    const struct gm_kernel *k = mlp_task_kernel("noop");
    const struct rehearse_arg args[] = {
        {"width", width}, {tally != NULL ? "tally" : NULL, tally}, {NULL, NULL}};
    const struct rehearse_task task = {.kernel = k, .args = args, .n_ranks = 1};
    struct rehearse_output *out = NULL;
    int rc = rehearse_run(&task, &out, err);
    if (rc == 0)
        *ret = rehearse_find(k, out, "bytes")->nbytes;
    rehearse_free(k, rc == 0 ? out : NULL);
    return rc;
}

Test(noop, puts_out_as_many_bytes_as_it_is_told)
{
    uint64_t n = 0;
    struct gm_error err;
    cr_assert_eq(run("8", NULL, &n, &err), 0);
    cr_assert_eq(n, 8);
    cr_assert_eq(run("4093", NULL, &n, &err), 0);
    cr_assert_eq(n, 4093);
}

Test(noop, counts_how_often_each_task_ran)
{
    char path[] = "/tmp/gridmill-noop-XXXXXX";
    char count = 0;
    uint64_t n = 0;
    struct gm_error err;
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    cr_assert(run("16", path, &n, &err) < 0 && strstr(err.text, "cannot be mapped"));
    cr_assert_eq(ftruncate(fd, 1), 0);
    cr_assert_eq(run("16", path, &n, &err), 0);
    cr_assert_eq(run("16", path, &n, &err), 0);
    cr_assert_eq(pread(fd, &count, 1, 0), 1);
    cr_assert_eq(count, 2);
    (void)unlink(path);
    cr_assert(run("16", path, &n, &err) == -ENOENT);
    (void)close(fd);
}
