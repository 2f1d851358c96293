/* The list of losses in the job folder: what is written comes back, a cut line does not,
 * and of two that tell the same the first counts. */
#include "base/exitinfo.h"
#include "base/file.h"
#include "result/losses.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

Test(losses, lines_come_back_and_a_cut_one_is_not_believed)
{
    char folder[] = "/tmp/gridmill-losses.XXXXXX", path[64];
    struct losses all = {.n_ranks = 9};
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/losses", folder);
    cr_assert_eq(losses_read(folder, &all, NULL), 0);
    cr_assert(all.n_ranks == 0 && all.n_crashes == 0);
    losses_add_crash(folder, &(struct losses_crash){0, 2, 1, 5000000000});
    losses_add_rank(folder, &(struct losses_rank){0, 2, 1700000000.25, "pid 7 ended"});
    losses_add_crash(folder, &(struct losses_crash){0, 2, 1, 6}); /* beside it */
    losses_add_crash(folder, &(struct losses_crash){0, 2, 1, 6}); /* told by two */
    losses_add_rank(folder, &(struct losses_rank){0, 2, 1700000001, "no sign of life"});
    losses_add_rank(folder, &(struct losses_rank){1, 2, 1700000099, "again"});
    losses_add_crash(folder, &(struct losses_crash){1, 0, 0, 7});
    FILE *f = fopen(path, "a");
    (void)fprintf(
        f, "crash x 1\ncrash 1 2 3\ncrash 1 2 3 4 5\n\nlost 3 4\nlost 1 1 nan x\n");
    (void)fprintf(f, "lost 9 9 17 cut in the");
    (void)fclose(f);
    cr_assert_eq(losses_read(folder, &all, NULL), 0);
    cr_assert_eq(all.n_crashes, 3);
    cr_expect(all.crashes[0].stage == 1 && all.crashes[0].task == 5000000000);
    cr_expect(all.crashes[1].stage == 1 && all.crashes[1].task == 6);
    cr_expect(all.crashes[2].stage == 0 && all.crashes[2].task == 7);
    cr_assert_eq(all.n_ranks, 2);
    cr_expect_str_eq(all.ranks[0].why, "pid 7 ended");
    cr_expect_eq(all.ranks[0].when, 1700000000.25);
    cr_expect_str_eq(losses_last(&all, 2)->why, "again");
    cr_expect_null(losses_last(&all, 9));
    cr_expect_eq(losses_crash_of(&all, 1, 0)->task, 7);
    cr_expect_null(losses_crash_of(&all, 1, 2));
    losses_forgive(&all, 1);
    cr_expect(all.n_crashes == 1 && all.crashes[0].task == 7);
    losses_clear(&all);
    losses_add_crash("/nowhere", &(struct losses_crash){0}); /* and nothing happens */
    (void)unlink(path);
    (void)rmdir(folder);
}

Test(exitinfo, a_zombie_tells_how_it_ended)
{
    pid_t pid = fork();
    if (pid == 0)
        (void)pause();
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    cr_expect_eq(exitinfo_of(pid, pidfd), -1, "it lives");
    (void)kill(pid, SIGKILL);
    siginfo_t info;
    cr_assert_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    int status = exitinfo_of(pid, pidfd), real;
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%d", status);
    cr_assert_eq(waitpid(pid, &real, 0), pid);
    status = exitinfo_of(pid, pidfd); /* Linux 6.15 still knows */
    cr_expect(status == -1 || status == real, "%d", status);
    cr_expect_eq(exitinfo_of(pid, -1), -1, "nobody is there");
    (void)close(pidfd);
}
