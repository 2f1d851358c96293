/* base/mark.h: groups of real processes, whose first one may be gone. */
#include "base/clock.h"
#include "base/mark.h"
#include "base/proc.h"
#include <criterion/criterion.h>
#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

static int life[2]; /* all of the group hold its other end */

static pid_t start(const char *script, _Atomic uint64_t *mark)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    cr_assert_eq(proc_pipe(life, NULL), 0);
    struct proc_spec spec = {
        .argv = argv, .in = -1, .out = life[1], .err = -1, .mark = mark};
    pid_t pid;
    cr_assert_eq(proc_spawn(&spec, &pid, NULL), 0);
    (void)close(life[1]);
    return pid;
}

static bool is_over(double seconds)
{
    struct pollfd p = {.fd = life[0], .events = POLLIN};
    return poll(&p, 1, (int)(seconds * 1e3)) == 1 && (p.revents & POLLHUP) != 0;
}

static void reap(pid_t pid)
{
    struct proc_end end;
    cr_assert_eq(proc_reap(pid, true, &end), 1);
}

Test(mark, it_ends_the_group_it_was_made_of)
{
    _Atomic uint64_t mark = 0;
    pid_t pid = start("sleep 60 & sleep 61 & wait", &mark);
    cr_assert_eq(atomic_load(&mark) >> 32, pid);
    clock_sleep(0.1);
    mark_kill(atomic_load(&mark), getsid(0));
    cr_expect(is_over(2), "something of it lives on");
    reap(pid);
}

Test(mark, what_its_first_process_left_is_found_by_its_session)
{
    _Atomic uint64_t mark = 0;
    pid_t pid = start("sleep 60 & sleep 0.05", &mark);
    reap(pid);
    mark_kill(atomic_load(&mark), getsid(0) + 1);
    cr_expect_not(is_over(0.2), "of another session");
    mark_kill(atomic_load(&mark), getsid(0));
    cr_expect(is_over(2), "it lives on");
}

Test(mark, who_got_the_number_later_is_left_alone)
{
    _Atomic uint64_t mark = 0;
    pid_t pid = start("sleep 60 & sleep 61 & wait", &mark);
    uint32_t began = (uint32_t)atomic_load(&mark);
    uint32_t hz = (uint32_t)sysconf(_SC_CLK_TCK);
    mark_kill(mark_make(pid, began - 3 * hz), getsid(0));
    mark_kill(mark_make(pid, began + hz), getsid(0));
    cr_expect_not(is_over(0.2));
    mark_kill(mark_make(pid, began - hz), getsid(0));
    cr_expect(is_over(2), "a second is a fork on a crowded machine");
    reap(pid);
    mark_kill(0, getsid(0));
    mark_kill(mark_make(1, began), getsid(0));
    mark_kill(mark_make(0, began), getsid(0));
}

Test(mark, what_did_not_start_has_none)
{
    _Atomic uint64_t mark = 7;
    const char *argv[] = {"/nowhere/program", NULL};
    struct proc_spec spec = {.argv = argv, .in = -1, .out = -1, .err = -1, .mark = &mark};
    pid_t pid;
    cr_expect_eq(proc_spawn(&spec, &pid, NULL), -ENOENT);
    cr_expect_eq(atomic_load(&mark), 0);
}
