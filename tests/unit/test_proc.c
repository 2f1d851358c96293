/* base/proc.h, with /bin/sh as the child. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/proc.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <signal.h>

static int run(const char *script, struct proc_end *ret, struct gm_error *err)
{
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    struct proc_spec spec = {.argv = argv, .in = -1, .out = -1, .err = -1};
    pid_t pid;
    int rc = proc_spawn(&spec, &pid, err);
    return rc != 0 ? rc : proc_reap(pid, true, ret);
}

Test(proc, the_exit_status_comes_back)
{
    static const int codes[] = {0, 1, 77, 255};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        char script[32];
        (void)snprintf(script, sizeof(script), "exit %d", codes[i]);
        struct proc_end end;
        cr_assert_eq(run(script, &end, NULL), 1);
        cr_expect(end.status == codes[i] && end.signal == 0);
    }
}

Test(proc, a_signal_is_told_apart_from_a_status)
{
    struct proc_end end;
    cr_assert_eq(run("kill -9 $$", &end, NULL), 1);
    cr_expect(end.status == -1 && end.signal == SIGKILL);
}

Test(proc, usage_is_counted)
{
    struct proc_end end;
    cr_assert_eq(run("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done", &end, NULL), 1);
    cr_expect_gt(end.user_s + end.system_s, 0.005);
    cr_expect_gt(end.max_rss, 100000);
}

Test(proc, what_cannot_be_run_is_named)
{
    const char *argv[] = {"gridmill-no-such-program", NULL};
    struct proc_spec spec = {.argv = argv, .in = -1, .out = -1, .err = -1};
    pid_t pid = 42;
    struct gm_error err;
    cr_expect_eq(proc_spawn(&spec, &pid, &err), -ENOENT);
    cr_expect_eq(pid, 42);
    cr_expect_not_null(strstr(err.text, "gridmill-no-such-program: No such file"));
    const char *folder[] = {"/tmp", NULL};
    spec.argv = folder;
    cr_expect_eq(proc_spawn(&spec, &pid, &err), -EACCES);
}

Test(proc, streams_environment_and_folder_are_as_asked)
{
    const char *argv[] = {"/bin/sh", "-c", "pwd; echo $GM_X; cat; echo oops >&2", NULL};
    const char *env[] = {"GM_X=hello", NULL};
    int out[2];
    cr_assert_eq(proc_pipe(out, NULL), 0);
    struct proc_spec spec = {
        .argv = argv, .env = env, .cwd = "/", .in = -1, .out = out[1], .err = out[1]};
    pid_t pid;
    cr_assert_eq(proc_spawn(&spec, &pid, NULL), 0);
    close(out[1]);
    struct str text = {0};
    char buf[256];
    for (ssize_t n; (n = read(out[0], buf, sizeof(buf))) > 0;)
        str_add_n(&text, buf, (size_t)n);
    cr_expect_str_eq(str_text(&text), "/\nhello\noops\n");
    str_free(&text);
    close(out[0]);
    struct proc_end end;
    cr_expect_eq(proc_reap(pid, true, &end), 1);
}

Test(proc, a_running_child_is_not_waited_for_and_dies_with_its_whole_group)
{
    const char *argv[] = {"/bin/sh", "-c", "sleep 100 & wait", NULL};
    int life[2]; /* its write end is held by the shell and by sleep */
    cr_assert_eq(proc_pipe(life, NULL), 0);
    struct proc_spec spec = {.argv = argv, .in = -1, .out = life[1], .err = -1};
    pid_t pid;
    cr_assert_eq(proc_spawn(&spec, &pid, NULL), 0);
    close(life[1]);
    struct proc_end end;
    cr_expect_eq(proc_reap(pid, false, &end), 0);
    clock_sleep(0.05); /* so that sleep is there, too */
    cr_expect_eq(getpgid(pid), pid);
    proc_signal_group(pid, SIGKILL);
    cr_expect_eq(proc_reap(pid, true, &end), 1);
    cr_expect_eq(end.signal, SIGKILL);
    char byte;
    cr_expect_eq(read(life[0], &byte, 1), 0, "a grandchild lives on");
    close(life[0]);
    cr_expect_lt(proc_reap(pid, false, &end), 0, "there is nothing left to reap");
}

Test(proc, ignored_signals_are_not_handed_down)
{
    (void)signal(SIGTERM, SIG_IGN);
    struct proc_end end;
    cr_assert_eq(run("kill -TERM $$; sleep 5", &end, NULL), 1);
    cr_expect_eq(end.signal, SIGTERM);
}
