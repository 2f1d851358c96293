#include "mlp_task.h"

static int nap(const char *seconds,
               unsigned ranks,
               unsigned cancel,
               double *ret,
               struct gm_error *err)
{
    const struct gm_kernel *k = mlp_task_kernel("sleep");
    const struct rehearse_arg args[] = {{"seconds", seconds}, {NULL, NULL}};
    const struct rehearse_task task = {
        .kernel = k, .args = args, .n_ranks = ranks, .cancel_after = cancel};
    struct rehearse_output *out = NULL;
    int rc = rehearse_run(&task, &out, err);
    if (rc == 0)
        *ret = *(const double *)rehearse_find(k, out, "slept")->data;
    rehearse_free(k, rc == 0 ? out : NULL);
    return rc;
}

Test(sleep, takes_its_time_and_not_much_more)
{
    double slept = -1;
    struct gm_error err;
    cr_assert_eq(nap("0", 1, 0, &slept, &err), 0);
    cr_expect(slept >= 0 && slept < 0.02, "%g", slept);
    cr_assert_eq(nap("0.12", 2, 0, &slept, &err), 0);
    cr_expect(slept >= 0.12 && slept < 0.3, "%g", slept);
}

Test(sleep, a_stop_ends_it_after_a_nap)
{
    double slept = -1;
    struct gm_error err;
    cr_expect_eq(nap("1000", 1, 2, &slept, &err), -ECANCELED);
    cr_expect_eq(slept, -1);
    cr_expect_not_null(strstr(err.text, "of 1000 s"), "%s", err.text);
}
