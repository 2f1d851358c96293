/* Real child processes: what they print, how they end, and that nothing of them is left.
 */
#include "base/clock.h"
#include "runner/exec.h"
#include <criterion/criterion.h>
#include <signal.h>

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

static bool flag_is_set(void *ctx)
{
    return *(double *)ctx > 0 && clock_monotonic() > *(double *)ctx;
}

static int run(const char *script,
               double timeout,
               size_t most,
               struct exec_end *end,
               struct gm_error *err)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    const char *env[] = {"PATH=/usr/bin:/bin", "GREETING=good day", NULL};
    struct exec_spec spec = {.argv = argv,
                             .env = env,
                             .cwd = "/",
                             .timeout = timeout,
                             .stop = never,
                             .most_output = most};
    return exec_run(&spec, end, err);
}

Test(exec, captures_both_streams_and_the_exit_status)
{
    struct exec_end end;
    cr_assert_eq(run("echo out; echo err >&2; exit 3", 0, 1000, &end, NULL), 0);
    cr_assert_str_eq(str_text(&end.out), "out\n");
    cr_assert_str_eq(str_text(&end.err), "err\n");
    cr_assert(end.exit_code == 3 && end.reason == RESULT_EXIT && end.signal == 0);
    exec_end_free(&end);
}

Test(exec, gives_exactly_the_environment_and_folder_it_was_told)
{
    struct exec_end end;
    cr_assert_eq(run("echo \"$GREETING\" \"$HOME\" $(pwd)", 0, 1000, &end, NULL), 0);
    cr_assert_str_eq(str_text(&end.out), "good day  /\n");
    exec_end_free(&end);
}

Test(exec, measures_cpu_time_and_memory)
{
    struct exec_end end;
    cr_assert_eq(
        run("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done", 0, 10, &end, NULL), 0);
    cr_assert(end.user_s > 0.01 && end.max_rss > 500000,
              "%g s, %d bytes",
              end.user_s,
              (int)end.max_rss);
    exec_end_free(&end);
}

Test(exec, tells_the_childs_own_affinity)
{
    struct exec_end end;
    cr_assert_eq(run("taskset -pc $$ | sed 's/.*: //'", 0, 100, &end, NULL), 0);
    cr_assert_not_null(end.seen);
    char *seen = idset_format(end.seen);
    char *said = str_steal(&end.out);
    said[strcspn(said, "\n")] = '\0';
    struct idset *parsed = NULL;
    cr_assert_eq(idset_parse(said, &parsed, NULL), 0);
    cr_assert(idset_equal(parsed, end.seen), "seen %s, the child says %s", seen, said);
    idset_free(parsed);
    free(seen);
    free(said);
    exec_end_free(&end);
}

Test(exec, a_timeout_ends_the_whole_group_and_is_told_apart_from_a_signal)
{
    struct exec_end end;
    double start = clock_monotonic();
    cr_assert_eq(run("sleep 60 & echo $!; wait", 0.2, 100, &end, NULL), 0);
    cr_assert_eq(end.reason, RESULT_TIMEOUT);
    cr_assert_lt(clock_monotonic() - start, 2.0);
    pid_t grandchild = (pid_t)strtol(str_text(&end.out), NULL, 10);
    cr_assert_gt(grandchild, 1);
    for (int i = 0; i < 100 && kill(grandchild, 0) == 0; i++)
        clock_sleep(0.01); /* until init has reaped it */
    char stat[64], state = 'X';
    (void)snprintf(stat, sizeof(stat), "/proc/%d/stat", (int)grandchild);
    FILE *f = fopen(stat, "r");
    if (f != NULL && fscanf(f, "%*d %*s %c", &state) == 1)
        cr_assert(state == 'Z' || state == 'X', "the grandchild lives on: %c", state);
    if (f != NULL)
        fclose(f);
    exec_end_free(&end);
}

Test(exec, one_that_ignores_sigterm_is_killed_after_the_grace)
{
    struct exec_end end;
    double start = clock_monotonic();
    cr_assert_eq(run("trap '' TERM; while :; do sleep 0.05; done", 0.2, 100, &end, NULL),
                 0);
    double took = clock_monotonic() - start;
    cr_assert(end.reason == RESULT_TIMEOUT && end.signal == SIGKILL);
    cr_assert(took > 1.9 && took < 6, "%g s", took);
    exec_end_free(&end);
}

Test(exec, a_signal_is_told)
{
    struct exec_end end;
    cr_assert_eq(run("kill -SEGV $$", 0, 100, &end, NULL), 0);
    cr_assert(end.reason == RESULT_SIGNAL && end.signal == SIGSEGV &&
              end.exit_code == -1);
    exec_end_free(&end);
}

Test(exec, a_stop_ends_it_as_cancelled)
{
    const char *argv[] = {"sleep", "60", NULL}, *env[] = {"PATH=/usr/bin:/bin", NULL};
    double when = clock_monotonic() + 0.2;
    struct exec_spec spec = {.argv = argv,
                             .env = env,
                             .cwd = "/",
                             .stop = flag_is_set,
                             .stop_ctx = &when,
                             .most_output = 10};
    struct exec_end end;
    cr_assert_eq(exec_run(&spec, &end, NULL), -ECANCELED);
    cr_assert_lt(clock_monotonic() - when, 1.5);
    exec_end_free(&end);
}

Test(exec, a_program_that_is_not_there_is_named)
{
    const char *argv[] = {"no-such-program", NULL}, *env[] = {"PATH=/usr/bin:/bin", NULL};
    struct exec_spec spec = {.argv = argv, .env = env, .cwd = "/", .stop = never};
    struct exec_end end;
    struct gm_error err;
    cr_assert_eq(exec_run(&spec, &end, &err), -ENOENT);
    cr_assert_str_eq(err.text, "no-such-program: No such file or directory");
    exec_end_free(&end);
}

Test(exec, output_past_the_limit_is_cut_and_marked_but_still_drained)
{
    struct exec_end end;
    cr_assert_eq(
        run("head -c 300000 /dev/zero | tr '\\0' x; echo end >&2", 0, 1000, &end, NULL),
        0);
    cr_assert_eq(end.reason, RESULT_OK);
    cr_assert_eq(strspn(str_text(&end.out), "x"), 1000);
    cr_assert_str_eq(str_text(&end.out) + 1000, "\n[gridmill: output cut here]\n");
    cr_assert_str_eq(str_text(&end.err), "end\n");
    exec_end_free(&end);
}

Test(exec, a_child_left_behind_that_holds_the_pipe_does_not_hold_the_task)
{
    struct exec_end end;
    double start = clock_monotonic();
    cr_assert_eq(run("sleep 30 & echo done", 0, 100, &end, NULL), 0);
    cr_assert_str_eq(str_text(&end.out), "done\n");
    cr_assert_lt(clock_monotonic() - start, 2.0);
    exec_end_free(&end);
}
