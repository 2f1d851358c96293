/* base/proc.h, with /bin/sh as the child. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/proc.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

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

Test(proc, its_end_is_ours_to_see_though_we_were_started_to_ignore_it)
{
    (void)signal(SIGCHLD, SIG_IGN); /* as some services start what they run */
    struct proc_end end;
    cr_assert_eq(run("exit 3", &end, NULL), 1);
    cr_expect_eq(end.status, 3);
}

Test(proc, streams_may_have_the_numbers_of_others)
{
    int file = open("/tmp", O_TMPFILE | O_RDWR, 0600), status;
    cr_assert_gt(file, 2);
    pid_t apart = fork(); /* its own 0 to 2 are not the test's */
    if (apart == 0) {
        const char *argv[] = {"/bin/sh", "-c", "cat; echo out; echo err >&2", NULL};
        int in[2], out[2], err[2];
        struct proc_end end;
        pid_t pid;
        if (proc_pipe(in, NULL) != 0 || proc_pipe(out, NULL) != 0 ||
            proc_pipe(err, NULL) != 0 || write(in[1], "in\n", 3) != 3)
            _exit(2);
        struct proc_spec spec = {.argv = argv, .in = 1, .out = 2, .err = 0};
        (void)dup2(in[0], 1);
        (void)dup2(out[1], 2);
        (void)dup2(err[1], 0);
        (void)close(in[1]);
        (void)fcntl(out[0], F_SETFL, O_NONBLOCK);
        (void)fcntl(err[0], F_SETFL, O_NONBLOCK);
        if (proc_spawn(&spec, &pid, NULL) != 0 || proc_reap(pid, true, &end) != 1)
            _exit(3);
        char text[16];
        ssize_t n = read(out[0], text, sizeof(text));
        (void)!write(file, text, n > 0 ? (size_t)n : 0);
        n = read(err[0], text, sizeof(text));
        (void)!write(file, text, n > 0 ? (size_t)n : 0);
        _exit(end.status);
    }
    cr_assert_eq(waitpid(apart, &status, 0), apart);
    cr_assert_eq(status, 0);
    char text[64] = "";
    cr_assert_gt(pread(file, text, sizeof(text) - 1, 0), 0);
    cr_expect_str_eq(text, "in\nout\nerr\n");
    close(file);
}

/* What it prints, with everything of `spec` but argv and out. */
static char *said(struct proc_spec *spec, const char *script)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    int out[2];
    cr_assert_eq(proc_pipe(out, NULL), 0);
    spec->argv = argv;
    spec->out = spec->err = out[1];
    spec->in = -1;
    pid_t pid;
    struct gm_error err = {0};
    cr_assert_eq(proc_spawn(spec, &pid, &err), 0, "%s", err.text);
    close(out[1]);
    struct str text = {0};
    char buf[256];
    for (ssize_t n; (n = read(out[0], buf, sizeof(buf))) > 0;)
        str_add_n(&text, buf, (size_t)n);
    close(out[0]);
    struct proc_end end;
    cr_assert_eq(proc_reap(pid, true, &end), 1);
    return str_steal(&text);
}

Test(proc, limits_are_set_and_never_above_what_is_ours)
{
    struct rlimit files;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    struct proc_limit limits[] = {
        {.resource = RLIMIT_CORE, .most = 0},
        {.resource = RLIMIT_FSIZE, .most = 512 * 7},
        {.resource = RLIMIT_CPU, .most = 100},
        {.resource = RLIMIT_NOFILE, .most = (uint64_t)files.rlim_max + 1}};
    struct proc_spec spec = {.limits = limits, .n_limits = 4};
    char *text = said(&spec, "ulimit -c; ulimit -f; ulimit -St; ulimit -Ht; ulimit -Hn");
    char want[64];
    (void)snprintf(
        want, sizeof(want), "0\n7\n100\n101\n%llu\n", (unsigned long long)files.rlim_max);
    cr_expect_str_eq(text, want);
    free(text);

    struct proc_limit soft = {.resource = RLIMIT_NOFILE, .most = 40, .soft = true};
    spec = (struct proc_spec){.limits = &soft, .n_limits = 1};
    text = said(&spec, "ulimit -Sn; ulimit -Hn");
    (void)snprintf(want, sizeof(want), "40\n%llu\n", (unsigned long long)files.rlim_max);
    cr_expect_str_eq(text, want);
    free(text);
}

Test(proc, a_confined_one_gains_no_privileges_and_sees_no_other_descriptor)
{
    static const char script[] =
        "grep -o 'NoNewPrivs:.[01]' /proc/self/status; ls -l /proc/$$/fd";
    int leak = open("/dev/zero", O_RDONLY); /* as a library may */
    cr_assert_gt(leak, 2);
    struct proc_spec spec = {.confined = true};
    char *text = said(&spec, script);
    cr_expect(strstr(text, "NoNewPrivs:\t1\n") == text, "%s", text);
    cr_expect_null(strstr(text, "/dev/zero"), "%s", text);
    free(text);
    spec = (struct proc_spec){.confined = false};
    text = said(&spec, script);
    cr_expect(strstr(text, "NoNewPrivs:\t0\n") == text, "%s", text);
    cr_expect_not_null(strstr(text, "/dev/zero"), "%s", text);
    free(text);
    close(leak);
}

Test(proc, it_runs_on_the_cpus_it_was_given)
{
    struct idset *ours = idset_make(), *one = idset_make();
    cpu_set_t set;
    cr_assert_eq(sched_getaffinity(0, sizeof(set), &set), 0);
    for (unsigned i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &set))
            idset_add(ours, i);
    }
    unsigned last = 0;
    for (int64_t i = idset_next(ours, 0); i >= 0; i = idset_next(ours, last + 1))
        last = (unsigned)i;
    idset_add(one, last);
    struct proc_spec spec = {.cpus = one};
    char *text = said(&spec, "taskset -pc $$ | sed 's/.*: //'");
    cr_expect_eq((unsigned)strtoul(text, NULL, 10), last, "it ran on %s", text);
    cr_expect_null(strpbrk(text, ",-"));
    free(text);
    idset_free(ours);
    idset_free(one);
}

Test(proc, its_own_path_says_where_the_program_is)
{
    char folder[] = "/tmp/test-proc-XXXXXX", file[64];
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(file, sizeof(file), "%s/gm-there", folder);
    FILE *f = fopen(file, "w");
    cr_assert_not_null(f);
    (void)fprintf(f, "#!/bin/sh\nexit 41\n");
    cr_assert_eq(fclose(f), 0);
    cr_assert_eq(chmod(file, 0755), 0);
    char path[128];
    (void)snprintf(path, sizeof(path), "PATH=/nowhere:%s:/bin", folder);
    const char *argv[] = {"gm-there", NULL}, *env[] = {path, NULL};
    struct proc_spec spec = {.argv = argv, .env = env, .in = -1, .out = -1, .err = -1};
    pid_t pid;
    struct gm_error err = {0};
    struct proc_end end;
    cr_expect_eq(proc_spawn(&spec, &pid, &err), 0, "%s", err.text);
    cr_expect_eq(proc_reap(pid, true, &end), 1);
    cr_expect_eq(end.status, 41);
    spec.cwd = "/nowhere";
    cr_expect_eq(proc_spawn(&spec, &pid, &err), -ENOENT);
    cr_expect_str_eq(err.text, "/nowhere: No such file or directory");
    (void)unlink(file);
    (void)rmdir(folder);
}

Test(proc, its_end_can_be_polled_and_it_stays_until_it_is_reaped)
{
    const char *argv[] = {"sleep", "0.05", NULL};
    int pidfd = -1;
    struct proc_spec spec = {
        .argv = argv, .in = -1, .out = -1, .err = -1, .ret_pidfd = &pidfd};
    pid_t pid;
    cr_assert_eq(proc_spawn(&spec, &pid, NULL), 0);
    cr_assert_not(proc_ended(pid));
    struct pollfd fd = {.fd = pidfd, .events = POLLIN};
    if (pidfd >= 0)
        cr_assert_eq(poll(&fd, 1, 5000), 1);
    else
        clock_sleep(0.2);
    cr_assert(proc_ended(pid));
    cr_assert(proc_ended(pid), "asking takes nothing away");
    struct proc_end end;
    cr_assert_eq(proc_reap(pid, false, &end), 1);
    cr_assert(proc_ended(pid), "nothing is left to wait for");
    if (pidfd >= 0)
        close(pidfd);
}

/* A process that starts a sleep and is killed: the sleep holds the pipe's other end. */
static double outlived(bool ends_with_us)
{
    int life[2];
    cr_assert_eq(proc_pipe(life, NULL), 0);
    pid_t parent = fork();
    if (parent == 0) {
        const char *argv[] = {"sleep", "2", NULL};
        struct proc_spec spec = {.argv = argv,
                                 .in = -1,
                                 .out = life[1],
                                 .err = -1,
                                 .ends_with_us = ends_with_us};
        pid_t pid;
        if (proc_spawn(&spec, &pid, NULL) == 0)
            (void)kill(getpid(), SIGKILL);
        _exit(1);
    }
    close(life[1]);
    int status;
    cr_assert_eq(waitpid(parent, &status, 0), parent);
    cr_assert(WIFSIGNALED(status));
    double start = clock_monotonic();
    char byte;
    cr_assert_eq(read(life[0], &byte, 1), 0);
    close(life[0]);
    return clock_monotonic() - start;
}

Test(proc, it_does_not_outlive_who_started_it_where_that_was_asked)
{
    cr_expect_lt(outlived(true), 1.0);
    cr_expect_gt(outlived(false), 1.0);
}

Test(proc, bytes_to_storage_are_counted)
{
    struct proc_end end;
    char folder[] = "/var/tmp/test-proc-XXXXXX", script[160];
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(script,
                   sizeof(script),
                   "dd if=/dev/zero of=%s/x bs=64k count=4 conv=fsync",
                   folder);
    cr_assert_eq(run(script, &end, NULL), 1);
    cr_expect(end.written_bytes == 0 || end.written_bytes >= 4 * 65536,
              "%llu bytes: 0 on a file system in memory",
              (unsigned long long)end.written_bytes);
    (void)snprintf(script, sizeof(script), "rm -r %s", folder);
    cr_assert_eq(run(script, &end, NULL), 1);
}
