#include "engine/held.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

Test(held, a_lock_is_seen_here_and_everywhere_as_long_as_it_is_held)
{
    char path[] = "/tmp/gridmill-held.XXXXXX";
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_expect_not(held_here(path));
    cr_expect_not(held(path));
    cr_assert_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
    cr_expect(held_here(path));
    cr_expect(held(path));
    cr_assert_eq(flock(fd, LOCK_UN), 0);
    cr_expect_not(held_here(path));
    cr_expect_not(held(path));
    (void)close(fd);
    (void)unlink(path);
}

Test(held, a_look_leaves_no_lock_behind)
{
    char path[] = "/tmp/gridmill-held.XXXXXX";
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_expect_not(held(path));
    cr_expect_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
    (void)close(fd);
    (void)unlink(path);
}

Test(held, a_file_that_is_not_there_is_held_by_nobody)
{
    cr_expect_not(held_here("/nonexistent/lock"));
    cr_expect_not(held("/nonexistent/lock"));
}
