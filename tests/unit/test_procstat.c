#include "base/procstat.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_NAME, "a) Z 1 (b");
        for (;;)
            (void)pause();
    }
    (void)usleep(20000);
    return pid;
}

Test(procstat, a_name_that_looks_like_fields_is_none)
{
    struct procstat self, its;
    pid_t pid = child();
    cr_assert(procstat_read(getpid(), &self) && procstat_read(pid, &its));
    cr_expect_eq(its.state, 'S');
    cr_expect_eq(its.group, getpgrp());
    cr_expect_eq(its.session, getsid(0));
    cr_expect(its.began >= self.began && its.began <= self.began + 1000);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

Test(procstat, stopped_ended_and_gone_are_told_apart)
{
    struct procstat its;
    pid_t pid = child();
    (void)kill(pid, SIGSTOP);
    (void)waitpid(pid, NULL, WUNTRACED);
    cr_assert(procstat_read(pid, &its));
    cr_expect_eq(its.state, 'T');
    (void)kill(pid, SIGKILL);
    (void)waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT);
    cr_assert(procstat_read(pid, &its));
    cr_expect_eq(its.state, 'Z');
    (void)waitpid(pid, NULL, 0);
    cr_expect_not(procstat_read(pid, &its));
    cr_expect_neq(procstat_space(), 0);
}
