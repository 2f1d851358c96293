/* Real child processes: what they print, how they end, and that nothing of them is left.
 */
#include "base/clock.h"
#include "runner/exec.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

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
                             .in = -1,
                             .timeout = timeout,
                             .stop = never,
                             .most_output = most,
                             .look = true};
    return exec_run(&spec, end, err);
}

Test(exec, captures_both_streams_and_the_exit_status)
{
    struct exec_end end;
    cr_assert_eq(run("echo out; echo err >&2; exit 3", 0, 1000, &end, NULL), 0);
    cr_assert_str_eq(str_text(&end.out.text), "out\n");
    cr_assert_str_eq(str_text(&end.err.text), "err\n");
    cr_assert(end.exit_code == 3 && end.reason == RESULT_EXIT && end.signal == 0);
    exec_end_free(&end);
}

Test(exec, gives_exactly_the_environment_and_folder_it_was_told)
{
    struct exec_end end;
    cr_assert_eq(run("echo \"$GREETING\" \"$HOME\" $(pwd)", 0, 1000, &end, NULL), 0);
    cr_assert_str_eq(str_text(&end.out.text), "good day  /\n");
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
    char *said = str_steal(&end.out.text);
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
    pid_t grandchild = (pid_t)strtol(str_text(&end.out.text), NULL, 10);
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
                             .in = -1,
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
    struct exec_spec spec = {
        .argv = argv, .env = env, .cwd = "/", .in = -1, .stop = never};
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
    cr_assert_eq(strspn(str_text(&end.out.text), "x"), 1000);
    cr_assert_str_eq(str_text(&end.out.text) + 1000, "\n[gridmill: output cut here]\n");
    cr_assert_str_eq(str_text(&end.err.text), "end\n");
    exec_end_free(&end);
}

Test(exec, a_child_left_behind_that_holds_the_pipe_does_not_hold_the_task)
{
    struct exec_end end;
    double start = clock_monotonic();
    cr_assert_eq(run("sleep 30 & echo done", 0, 100, &end, NULL), 0);
    cr_assert_str_eq(str_text(&end.out.text), "done\n");
    cr_assert_lt(clock_monotonic() - start, 2.0);
    exec_end_free(&end);
}

Test(exec, one_that_prints_on_and_on_is_still_ended_at_its_timeout)
{
    struct exec_end end;
    double start = clock_monotonic();
    cr_assert_eq(run("yes", 0.3, 1000, &end, NULL), 0);
    cr_assert_eq(end.reason, RESULT_TIMEOUT);
    cr_assert_lt(clock_monotonic() - start, 2.0);
    exec_end_free(&end);
}

static long peak_kib(void)
{
    struct rusage use;
    cr_assert_eq(getrusage(RUSAGE_SELF, &use), 0);
    return use.ru_maxrss;
}

Test(exec, a_gigabyte_of_output_does_not_grow_us)
{
    char folder[] = "/tmp/test-exec-XXXXXX";
    cr_assert_not_null(mkdtemp(folder));
    const char *argv[] = {"sh", "-c", "printf head; head -c 1G /dev/zero", NULL};
    const char *env[] = {"PATH=/usr/bin:/bin", NULL};
    struct exec_spec spec = {.argv = argv,
                             .env = env,
                             .cwd = "/",
                             .in = -1,
                             .most_output = 64 << 20,
                             .spill = folder};
    struct exec_end end;
    long before = peak_kib();
    cr_assert_eq(exec_run(&spec, &end, NULL), 0);
    cr_expect_lt(peak_kib() - before, 4096, "%ld KiB more", peak_kib() - before);
    cr_expect_eq(end.reason, RESULT_OK);
    cr_expect_eq(end.out.len, (64 << 20) + strlen("\n[gridmill: output cut here]\n"));

    /* What is kept comes out of the file, in order, with its mark. */
    struct parcel *p = parcel_make();
    cr_assert_eq(capture_add(&end.out, p, RESULT_STDOUT, NULL), 0);
    cr_expect_eq(parcel_bytes(p), end.out.len);
    cr_expect_lt(peak_kib() - before, 4096, "it stands in no memory");
    char text[64] = {0};
    cr_expect_eq(pread(end.out.file, text, 5, 0), 5);
    cr_expect(memcmp(text, "head\0", 5) == 0);
    cr_expect_eq(pread(end.out.file, text, sizeof(text), 64 << 20), 29);
    cr_expect_str_eq(text, "\n[gridmill: output cut here]\n");
    parcel_free(p);
    exec_end_free(&end);
    cr_expect_eq(rmdir(folder), 0, "nothing is left in the folder");
}

Test(exec, output_that_finds_no_room_on_file_says_so)
{
    const char *argv[] = {"head", "-c", "400000", "/dev/zero", NULL};
    const char *env[] = {"PATH=/usr/bin:/bin", NULL};
    struct exec_spec spec = {.argv = argv,
                             .env = env,
                             .cwd = "/",
                             .in = -1,
                             .most_output = 64 << 20,
                             .spill = "/nowhere"};
    struct exec_end end;
    cr_assert_eq(exec_run(&spec, &end, NULL), 0);
    cr_expect(end.out.len > CAPTURE_IN_MEMORY / 2 && end.out.len < 300000);
    cr_expect_str_eq(str_text(&end.out.text) + end.out.len - 56,
                     "\n[gridmill: output cut here: No such file or directory]\n");
    exec_end_free(&end);
}

/* Python touches so many bytes; the last word of its output is its own VmHWM in KiB. */
static uint64_t told_peak(unsigned mib, const char *more, uint64_t *ret_told)
{
    struct exec_end end;
    char script[512];
    (void)snprintf(script,
                   sizeof(script),
                   "/usr/bin/python3 -S -c 'import time\nb = bytearray(%u << 20)\n"
                   "time.sleep(0.1)\nprint([l for l in open(\"/proc/self/status\") "
                   "if l.startswith(\"VmHWM\")][0].split()[1])' %s",
                   mib,
                   more);
    cr_assert_eq(run(script, 0, 1000, &end, NULL), 0);
    cr_assert_eq(end.reason, RESULT_OK, "%s", str_text(&end.err.text));
    *ret_told = strtoull(str_text(&end.out.text), NULL, 10) * 1024;
    uint64_t peak = end.max_rss;
    exec_end_free(&end);
    return peak;
}

Test(exec, its_peak_of_memory_is_its_own_whether_more_or_less_than_ours)
{
    size_t ours = 64 << 20;
    char *fat = malloc(ours);
    cr_assert_not_null(fat);
    memset(fat, 1, ours);
    uint64_t told, peak = told_peak(200, "", &told);
    cr_expect(peak > told - told / 20 && peak < told + told / 20,
              "%llu bytes, itself says %llu",
              (unsigned long long)peak,
              (unsigned long long)told);
    peak = told_peak(8, "; true", &told); /* below a shell, that is */
    cr_expect(peak > told - told / 10 && peak < told + told / 10,
              "%llu bytes, itself says %llu",
              (unsigned long long)peak,
              (unsigned long long)told);
    free(fat);
}

Test(exec, several_run_at_once_under_one_loop)
{
    enum { N = 5 };
    const char *argv[N][4];
    const char *env[] = {"PATH=/usr/bin:/bin", NULL};
    static const char *const scripts[N] = {"sleep 0.3; echo 0",
                                           "sleep 0.1; echo 1; exit 4",
                                           "head -c 200000 /dev/zero; sleep 0.2",
                                           "kill -9 $$",
                                           "exec >&- 2>&-; sleep 0.3"};
    struct exec_spec spec[N];
    struct exec_child child[N], *all[N];
    struct exec_end end[N];
    struct pollfd fds[3 * N];
    unsigned left = N;
    double start = clock_monotonic();
    for (unsigned i = 0; i < N; i++) {
        const char *words[] = {"sh", "-c", scripts[i], NULL};
        memcpy(argv[i], words, sizeof(words));
        spec[i] = (struct exec_spec){
            .argv = argv[i], .env = env, .cwd = "/", .in = -1, .most_output = 1 << 20};
        cr_assert_eq(exec_start(&spec[i], &child[i], &end[i], NULL), 0);
        all[i] = &child[i];
    }
    while (left > 0) {
        exec_wait(all, left, fds);
        unsigned kept = 0;
        for (unsigned i = 0; i < left; i++) {
            if (!exec_attend(all[i]))
                all[kept++] = all[i];
        }
        left = kept;
    }
    double took = clock_monotonic() - start;
    cr_expect(took > 0.29 && took < 0.9, "%g s", took);
    cr_expect_str_eq(str_text(&end[0].out.text), "0\n");
    cr_expect_eq(end[1].exit_code, 4);
    cr_expect_eq(end[2].out.len, 200000);
    cr_expect_eq(end[3].signal, SIGKILL);
    cr_expect_eq(end[4].reason, RESULT_OK);
    for (unsigned i = 0; i < N; i++)
        exec_end_free(&end[i]);
}
