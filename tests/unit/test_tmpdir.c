/* runner/tmpdir.h, with a shell doing to the folder what commands may do. */
#include "base/str.h"
#include "runner/tmpdir.h"
#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char parent[] = "/tmp/test-tmpdir-XXXXXX";

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(parent));
    cr_assert_eq(setenv("TMPDIR", parent, 1), 0);
}

static unsigned entries(const char *path)
{
    DIR *dir = opendir(path);
    cr_assert_not_null(dir, "%s: %s", path, strerror(errno));
    unsigned n = 0;
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n - 2;
}

static void tear_down(void)
{
    cr_expect_eq(entries(parent), 0, "something is left");
    cr_expect_eq(rmdir(parent), 0);
}

TestSuite(tmpdir, .init = set_up, .fini = tear_down);

static void shell(const struct tmpdir *t, const char *script)
{
    cr_assert_eq(setenv("T", tmpdir_path(t), 1), 0);
    FILE *f = popen(script, "r");
    cr_assert_not_null(f);
    cr_assert_eq(pclose(f), 0, "%s", script);
}

Test(tmpdir, what_a_command_does_to_it_is_undone)
{
    static const char *const scripts[] = {
        "true",
        "touch $T/a $T/.b; mkdir -p $T/c/d; touch $T/c/d/e",
        "mkdir $T/a; touch $T/a/b; chmod 0 $T/a",
        "chmod 0 $T",
        "rmdir $T",
        "rmdir $T; touch $T",
        "rmdir $T; ln -s / $T",
        "ln -s / $T/root",
        "rmdir $T; mkdir $T; touch $T/x"};
    struct gm_error err = {0};
    AUTO(tmpdir) t = NULL;
    cr_assert_eq(tmpdir_make("job-0", "/nowhere", &t, &err), 0, "%s", err.text);
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        cr_assert_eq(tmpdir_empty(t, &err), 0, "%s", err.text);
        struct stat st;
        cr_assert_eq(lstat(tmpdir_path(t), &st), 0);
        cr_expect(S_ISDIR(st.st_mode) && (st.st_mode & 0777) == 0700, "%o", st.st_mode);
        cr_expect_eq(entries(tmpdir_path(t)), 0, "before: %s", scripts[i]);
        cr_expect_eq(strncmp(tmpdir_path(t), parent, strlen(parent)), 0);
        shell(t, scripts[i]);
    }
}

Test(tmpdir, one_that_was_moved_away_is_left_alone_and_made_anew)
{
    struct gm_error err = {0};
    AUTO(tmpdir) t = NULL;
    cr_assert_eq(tmpdir_make("job-0", "/nowhere", &t, &err), 0, "%s", err.text);
    shell(t, "mv $T $T.moved && touch $T.moved/x");
    cr_assert_eq(tmpdir_empty(t, &err), 0);
    cr_expect_eq(entries(parent), 2);
    shell(t, "rm ${T%/*}/*.moved/x && rmdir ${T%/*}/*.moved");
}

Test(tmpdir, what_a_killed_rank_left_is_swept_and_a_living_ones_is_not)
{
    struct gm_error err = {0};
    AUTO(tmpdir) living = NULL;
    AUTO(tmpdir) t = NULL;
    cr_assert_eq(tmpdir_make("job-0", "/nowhere", &living, &err), 0);
    shell(living,
          "touch $T/mine; mkdir ${T%/*}/gridmill-1.234567 ${T%/*}/gridmill-task-x.1");
    pid_t killed = fork();
    if (killed == 0) {
        struct tmpdir *lost = NULL;
        (void)tmpdir_make("job-1", "/nowhere", &lost, NULL);
        FILE *f =
            popen("cd ${TMPDIR}/gridmill-task-job-1.* && mkdir -p a/b && chmod 0 a", "r");
        (void)pclose(f);
        (void)kill(getpid(), SIGKILL);
    }
    int status;
    cr_assert_eq(waitpid(killed, &status, 0), killed);
    cr_assert_eq(entries(parent), 4);
    cr_assert_eq(tmpdir_make("job-2", "/nowhere", &t, &err), 0, "%s", err.text);
    cr_expect_eq(entries(parent), 4, "one has gone, one has come");
    cr_expect_eq(entries(tmpdir_path(living)), 1);
    shell(t, "rmdir ${T%/*}/gridmill-1.234567 ${T%/*}/gridmill-task-x.1");
}

Test(tmpdir, without_room_elsewhere_it_is_in_the_jobs_folder)
{
    struct gm_error err = {0};
    AUTO(tmpdir) t = NULL;
    /* "job/x" cannot be made in TMPDIR or /tmp: there is no such folder. */
    AUTO_STR last = {0};
    str_printf(&last, "%s/job", parent);
    AUTO_STR inner = {0};
    str_printf(&inner, "%s/gridmill-task-in", last.text);
    cr_assert_eq(mkdir(last.text, 0700), 0);
    cr_assert_eq(mkdir(inner.text, 0700), 0);
    cr_expect_eq(tmpdir_make("in/x", last.text, &t, &err), 0, "%s", err.text);
    cr_expect_eq(strncmp(tmpdir_path(t), inner.text, inner.len), 0);
    tmpdir_free(steal(&t));
    cr_expect_eq(rmdir(inner.text), 0);
    cr_expect_eq(rmdir(last.text), 0);
    cr_expect_eq(tmpdir_make("in/x", last.text, &t, &err), -ENOENT);
    cr_expect_not_null(
        strstr(err.text, "no private folder for commands"), "%s", err.text);
}
