/* See guard.h. It shares the board with the ranks and has a copy of all else. Invariant:
 * it is a copy of one thread among several: what takes a lock or memory (malloc, stdio)
 * may wait for a thread that it has not, and is not called. It holds no descriptor of the
 * rank's, since a launcher waits for their ends. */
#include "guard.h"
#include "alive.h"
#include "base/memory.h"
#include "dying.h"
#include "orphans.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* In which a launch is killed whole: its launcher is gone, too, or our ranks were asked
 * to end. That is no loss of theirs. */
static const struct timespec together = {.tv_nsec = 300000000};

struct guarded {
    const struct board *board;
    const uint32_t *ranks; /* [n seats] */
    struct pollfd *seats;  /* [n seats]; events 0: it has ended */
    pid_t launcher;
    char *words, *words_end; /* what ps shows as the command line */
};

/* Where the kernel reads this process's command line. */
static void find_words(struct guarded *g)
{
    char text[1024];
    unsigned long at[2];
    FILE *f = fopen("/proc/self/stat", "re");
    const char *p = f != NULL ? fgets(text, sizeof(text), f) : NULL;
    if (f != NULL)
        (void)fclose(f);
    p = p != NULL ? strrchr(text, ')') : NULL;
    for (unsigned field = 2; p != NULL && field < 48; field++) {
        p = strchr(p + 1, ' ');
        if (p == NULL)
            return;
    }
    if (p == NULL || sscanf(p, " %lu %lu", &at[0], &at[1]) != 2)
        return;
    memcpy(&g->words, &at[0], sizeof(g->words));
    memcpy(&g->words_end, &at[1], sizeof(g->words_end));
}

static void let_go_of_the_rank(const struct guarded *g)
{
    static const char name[] = "gridmill-guard";
    for (char *c = g->words; c < g->words_end; c++)
        *c = c - g->words < (ptrdiff_t)sizeof(name) ? name[c - g->words] : '\0';
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
    (void)setsid(); /* who signals the rank's group does not mean us */
    (void)prctl(PR_SET_NAME, name);
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
static unsigned watch_all(const struct guarded *g)
{
    unsigned n = board_n_seats(g->board), watched = 0;
    for (unsigned i = 0; i < n; i++) {
        struct board_sitter who;
        int fd = board_sitter(g->board, i, &who) ? alive_open(&who) : -1;
        g->seats[i] = (struct pollfd){.fd = fd, .events = POLLIN};
        watched += fd >= 0;
        if (fd == -ESRCH) {
            orphans_end(g->board, i);
            g->seats[i].events = 0;
        }
    }
    return watched;
}

/* Nobody of this host is left to say so. */
static void tell_losses(const struct guarded *g)
{
    (void)nanosleep(&together, NULL);
    if (kill(g->launcher, 0) != 0 || board_asked(g->board))
        return;
    for (unsigned i = 0; i < board_n_seats(g->board); i++) {
        struct board_sitter who;
        if (g->seats[i].events == 0 && !board_left(g->board, i) &&
            board_sitter(g->board, i, &who))
            dying_tell(g->board, i, g->ranks[i], who.pid);
    }
}

static void guard(const struct guarded *g)
{
    let_go_of_the_rank(g);
    unsigned n = board_n_seats(g->board);
    for (unsigned left = watch_all(g); left > 0;) {
        if (poll(g->seats, n, -1) < 0)
            return;
        for (unsigned i = 0; i < n; i++) {
            if (g->seats[i].revents == 0)
                continue;
            if (!board_left(g->board, i))
                orphans_end(g->board, i);
            g->seats[i].fd = -1; /* its descriptor ends with us */
            g->seats[i].events = 0;
            left--;
        }
    }
    tell_losses(g);
}

void guard_start(const struct board *b, const uint32_t *ranks)
{
    struct guarded g = {.board = b,
                        .ranks = ranks,
                        .seats = xcalloc(board_n_seats(b), sizeof(*g.seats)),
                        .launcher = getppid()};
    find_words(&g);
    /* Not fork: an MPI library may warn of it, and wants no part in this. No signal tells
     * of its end. */
    if (syscall(SYS_clone, 0UL, NULL, NULL, NULL, 0UL) == 0) {
        guard(&g);
        _exit(0);
    }
    free(g.seats);
}
