/* engine/asking.h: launchers that answer, fail, hang, and leave children behind. */
#include "base/clock.h"
#include "engine/asking.h"
#include "engine/engine.h"
#include "engine/stop.h"
#include "launch/line.h"

#include <criterion/criterion.h>
#include <signal.h>

static struct asking shell(const char *script)
{
    struct line *l = line_make();
    line_word(l, "sh");
    line_word(l, "-c");
    line_word(l, script);
    return (struct asking){.line = line_finish(l, NULL)};
}

/* It ended by itself, with status 0. */
static bool succeeded(const struct asking *a)
{
    return a->started && !a->late && a->child.ended && a->child.end.status == 0;
}

Test(asking, several_answer_side_by_side_each_into_its_own_texts, .timeout = 30)
{
    struct asking all[] = {shell("sleep 0.3; echo one"),
                           shell("sleep 0.3; echo two; echo no >&2; exit 3"),
                           shell("sleep 0.3; head -c 300000 /dev/zero | tr '\\0' x")};
    double start = clock_monotonic();
    cr_assert_eq(asking_run(all, 3, 20, NULL), 0);
    cr_expect_lt(clock_monotonic() - start, 5);
    cr_expect_str_eq(str_text(&all[0].out), "one\n");
    cr_expect(succeeded(&all[0]));
    cr_expect_str_eq(str_text(&all[1].out), "two\n");
    cr_expect_str_eq(str_text(&all[1].err), "no\n");
    cr_expect_not(succeeded(&all[1]));
    cr_expect_eq(all[2].out.len, 300000);
    for (unsigned i = 0; i < 3; i++)
        asking_free(&all[i]);
}

/* The process that a script told by its id. */
static pid_t told(const struct asking *a)
{
    return (pid_t)strtol(str_text(&a->out), NULL, 10);
}

Test(asking, who_hangs_is_ended_with_all_that_it_started, .timeout = 30)
{
    /* one ignores SIGTERM, the other left its child to us */
    struct asking all[] = {
        shell("trap '' TERM; sleep 600 & echo $!; wait; wait"),
        shell("setsid sleep 600 >/dev/null 2>&1 & echo $!"),
        shell("echo quick"),
    };
    double start = clock_monotonic();
    cr_assert_eq(asking_run(all, 3, 0.5, NULL), 0);
    cr_expect_lt(clock_monotonic() - start, 8);
    cr_expect(all[0].late);
    cr_expect_not(all[2].late);
    cr_expect_str_eq(str_text(&all[2].out), "quick\n");
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_gt(told(&all[i]), 1);
        cr_expect_eq(kill(told(&all[i]), 0), -1, "child %u lives", i);
    }
    for (unsigned i = 0; i < 3; i++)
        asking_free(&all[i]);
}

Test(asking, a_stop_on_request_ends_the_wait, .timeout = 30)
{
    struct asking a = shell("sleep 600");
    struct gm_error err = {0};
    engine_stop();
    cr_expect_eq(asking_run(&a, 1, 20, &err), -ECANCELED);
    asking_free(&a);
    stop_reset();
}

Test(asking, a_program_that_is_not_there_says_so)
{
    struct line *l = line_make();
    line_word(l, "no-such-program-here");
    struct asking a = {.line = line_finish(l, NULL)};
    cr_expect_eq(asking_run(&a, 1, 5, NULL), 0);
    cr_expect_not_null(strstr(str_text(&a.err), "no-such-program-here"));
    cr_expect_not(succeeded(&a));
    asking_free(&a);
}
