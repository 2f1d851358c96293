#include "base/clock.h"
#include "engine/tend.h"
#include <criterion/criterion.h>
#include <math.h>

static void stopping(void *ctx, const char *why)
{
    (void)ctx;
    (void)why;
}

static void ended(void *ctx)
{
    (void)ctx;
}

/* A launcher that is this script, with so many s to bring its ranks up. */
static struct tend run(const char *script, double start, struct child *ret)
{
    const char *argv[] = {"sh", "-c", script, NULL}, *env[] = {NULL};
    const char *more[] = {"WORD=given", NULL};
    struct launch_line line = {.argv = argv, .env = env};
    struct relay relay = {.last = {.left = -1}};
    struct gm_error err = {0};
    struct tend t = {.relay = &relay,
                     .env = more,
                     .deadline = (double)INFINITY,
                     .grace = 1,
                     .start = start,
                     .stopping = stopping,
                     .ended = ended};
    cr_assert_eq(tend_launch(&t, &line, ret, &err), 0, "%s", err.text);
    relay_free(&relay);
    return t;
}

Test(tend, a_launcher_whose_ranks_do_not_come_up_is_ended)
{
    struct child c;
    double began = clock_monotonic();
    struct tend t = run("sleep 60 & wait", 0.5, &c);
    cr_expect(t.stuck && !t.silent && !t.deserted);
    cr_expect(c.ended);
    cr_expect_lt(clock_monotonic() - began, 8);
    child_close(&c);
}

Test(tend, ranks_that_are_up_have_time)
{
    struct child c;
    struct tend t =
        run("echo '{\"gridmill\":\"started\",\"total\":2}'; sleep 1", 0.5, &c);
    cr_expect_not(t.stuck);
    cr_expect_eq(c.end.status, 0);
    child_close(&c);
}

Test(tend, the_launcher_has_what_is_added_to_its_environment)
{
    struct child c;
    (void)run("test \"$WORD\" = given", (double)INFINITY, &c);
    cr_expect_eq(c.end.status, 0);
    child_close(&c);
}
