/* See dying.h. Invariant: the handler calls nothing that is not async-signal-safe, and
 * then leaves the signal to whoever was asked before (the MPI library prints where it
 * was), so that the process ends as it would have. */
#include "dying.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const int watched[] = {
    SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP, SIGXCPU, SIGXFSZ};
enum { WATCHED = sizeof(watched) / sizeof(watched[0]), STACK = 64 << 10 };

static struct {
    _Atomic(struct board *) board; /* NULL: nothing to tell */
    atomic_bool told;
    struct sigaction before[WATCHED];
    char path[PATH_MAX];
    uint32_t launch, rank;
} self;

static char stack[STACK]; /* a kernel that recurses for ever has used its own up */

struct line {
    char text[256];
    size_t len;
};

static void add(struct line *l, const char *text)
{
    for (; *text != '\0' && l->len < sizeof(l->text); text++)
        l->text[l->len++] = *text;
}

static void add_number(struct line *l, uint64_t n)
{
    char digits[24];
    size_t at = sizeof(digits);
    digits[--at] = '\0';
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    add(l, digits + at);
    add(l, " ");
}

static void begin(struct line *l, const char *kind, uint32_t rank)
{
    add(l, kind);
    add_number(l, self.launch);
    add_number(l, rank);
}

/* number: of the signal; 0: not known. */
static void leave_lines(
    const struct board *board, unsigned seat, uint32_t rank, pid_t pid, int number)
{
    struct line lost = {.len = 0};
    struct timespec now;
    uint32_t stage;
    uint64_t task;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    begin(&lost, "lost ", rank);
    add_number(&lost, (uint64_t)now.tv_sec);
    add(&lost, "pid ");
    add_number(&lost, (uint64_t)pid);
    add(&lost, "ended");
    if (number != 0) {
        add(&lost, " by SIG");
        add(&lost, sigabbrev_np(number) != NULL ? sigabbrev_np(number) : "?");
    }
    add(&lost, "\n");
    int fd = open(self.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0)
        return;
    (void)!write(fd, lost.text, lost.len);
    for (unsigned at = 0; board_next_running(board, seat, &at, &stage, &task);) {
        struct line crash = {.len = 0};
        begin(&crash, "crash ", rank);
        add_number(&crash, stage);
        add_number(&crash, task);
        crash.text[crash.len - 1] = '\n';
        (void)!write(fd, crash.text, crash.len);
    }
    (void)close(fd);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    int kept = errno;
    struct board *board = atomic_load(&self.board);
    (void)context;
    if (board != NULL && !atomic_exchange(&self.told, true)) {
        board_dies(board, number);
        leave_lines(board, board_seat(board), self.rank, getpid(), number);
    }
    for (size_t i = 0; i < WATCHED; i++) {
        if (watched[i] == number)
            (void)sigaction(number, &self.before[i], NULL);
    }
    bool faults =
        number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL;
    if (!faults || info->si_code <= 0) /* else what caused it comes again */
        (void)raise(number);
    errno = kept;
}

void dying_watch(const char *folder, uint32_t launch, uint32_t rank, struct board *board)
{
    struct sigaction act = {.sa_sigaction = on_signal,
                            .sa_flags = SA_SIGINFO | SA_ONSTACK};
    stack_t own = {.ss_sp = stack, .ss_size = sizeof(stack)}, was;
    int n = snprintf(self.path, sizeof(self.path), "%s/losses", folder);
    if (n < 0 || (size_t)n >= sizeof(self.path))
        return;
    self.launch = launch;
    self.rank = rank;
    if (sigaltstack(NULL, &was) == 0 && (was.ss_flags & SS_DISABLE) != 0)
        (void)sigaltstack(&own, NULL);
    (void)sigemptyset(&act.sa_mask);
    for (size_t i = 0; i < WATCHED; i++) {
        (void)sigaction(watched[i], NULL, &self.before[i]);
        if (self.before[i].sa_handler != SIG_IGN)
            (void)sigaction(watched[i], &act, NULL);
    }
    atomic_store(&self.board, board);
}

void dying_forget(void)
{
    atomic_store(&self.board, NULL);
}

void dying_asked(void)
{
    struct board *board = atomic_load(&self.board);
    if (board != NULL)
        board_ask_all(board);
}

void dying_tell(const struct board *b, unsigned seat, uint32_t rank, pid_t pid)
{
    leave_lines(b, seat, rank, pid, board_died_of(b, seat));
}
