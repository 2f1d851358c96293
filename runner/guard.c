/* See guard.h. It shares the board with the ranks and has a copy of all else. Invariant:
 * it is a copy of one thread among several: what takes a lock or memory (malloc, stdio)
 * may wait for a thread that it has not, and is not called. It holds no descriptor of the
 * rank's, since a launcher waits for their ends. */
#include "guard.h"
#include "alive.h"
#include "base/memory.h"
#include "orphans.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void let_go_of_the_rank(void)
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
    (void)setsid(); /* who signals the rank's group does not mean us */
    (void)prctl(PR_SET_NAME, "gridmill-guard");
    bool closed = false;
#ifdef SYS_close_range
    closed = syscall(SYS_close_range, 0U, ~0U, 0U) == 0;
#endif
    for (int fd = (int)sysconf(_SC_OPEN_MAX); fd >= 0 && !closed; fd--)
        (void)close(fd);
    for (int fd = open("/dev/null", O_RDWR); fd >= 0 && fd < STDERR_FILENO;)
        fd = dup(fd);
}

/* Who cannot be watched is left to the other ranks. */
static unsigned watch_all(const struct board *b, struct pollfd *seats)
{
    unsigned n = board_n_seats(b), watched = 0;
    for (unsigned i = 0; i < n; i++) {
        struct board_sitter who;
        int fd = board_sitter(b, i, &who) ? alive_open(&who) : -1;
        seats[i] = (struct pollfd){.fd = fd, .events = POLLIN};
        watched += fd >= 0;
        if (fd == -ESRCH)
            orphans_end(b, i);
    }
    return watched;
}

static void guard(const struct board *b, struct pollfd *seats)
{
    let_go_of_the_rank();
    unsigned n = board_n_seats(b);
    for (unsigned left = watch_all(b, seats); left > 0;) {
        if (poll(seats, n, -1) < 0)
            return;
        for (unsigned i = 0; i < n; i++) {
            if (seats[i].revents == 0)
                continue;
            if (!board_left(b, i))
                orphans_end(b, i);
            seats[i].fd = -1; /* its descriptor ends with us */
            left--;
        }
    }
}

void guard_start(const struct board *b)
{
    struct pollfd *seats = xcalloc(board_n_seats(b), sizeof(*seats));
    /* Not fork: an MPI library may warn of it, and wants no part in this. No signal tells
     * of its end. */
    if (syscall(SYS_clone, 0UL, NULL, NULL, NULL, 0UL) == 0) {
        guard(b, seats);
        _exit(0);
    }
    free(seats);
}
