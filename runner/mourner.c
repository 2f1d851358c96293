/* See mourner.h. Invariant: the child reads the page after the rank's end alone, so what
 * the rank writes there needs no order but its own. */
#include "mourner.h"
#include "base/clock.h"
#include "result/losses.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static const double A_WHILE = 0.5;         /* s in one task: it is told */
static const useconds_t TOGETHER = 300000; /* us in which a launch is killed whole */

struct page { /* shared with the child */
    pid_t rank_pid, launcher;
    uint32_t launch, rank;
    _Atomic uint32_t stage; /* UINT32_MAX: no task to tell */
    _Atomic uint64_t task;
    atomic_bool armed;
    char folder[PATH_MAX];
};

static struct page *page; /* NULL: no child */

static void tell(void)
{
    char why[64];
    struct losses_crash crash = {
        page->launch, page->rank, atomic_load(&page->stage), atomic_load(&page->task)};
    (void)snprintf(why, sizeof(why), "pid %d ended", (int)page->rank_pid);
    struct losses_rank lost = {page->launch, page->rank, clock_unix(), why};
    losses_add_rank(page->folder, &lost);
    if (crash.stage != UINT32_MAX)
        losses_add_crash(page->folder, &crash);
}

/* A launch that is killed takes us, or its launcher, with it. */
static void mourn(int end_of_rank)
{
    char byte;
    while (read(end_of_rank, &byte, 1) < 0 && errno == EINTR)
        ;
    if (!atomic_load(&page->armed))
        _exit(0);
    (void)usleep(TOGETHER);
    if (kill(page->launcher, 0) == 0)
        tell();
    _exit(0);
}

/* In the child: nothing of the rank's is kept open, and it is not taken for the rank. */
static void become_mourner(int argc, char **argv, int end_of_rank)
{
    static const char name[] = "gridmill-mourner";
    char *end = argv[argc - 1] + strlen(argv[argc - 1]);
    size_t room = (size_t)(end - argv[0]);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    memset(argv[0], 0, room);
    (void)snprintf(argv[0], room, "%s", name);
    (void)prctl(PR_SET_NAME, name);
    for (int fd = 0; fd < 3; fd++)
        (void)dup2(null, fd);
    (void)dup2(end_of_rank, 3);
    (void)close_range(4, UINT_MAX, 0);
    (void)!chdir("/");
    static const int deaf[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof(deaf) / sizeof(deaf[0]); i++)
        (void)signal(deaf[i], SIG_IGN);
    mourn(3);
}

void mourner_fork(int argc, char **argv)
{
    int ends[2];
    struct page *p =
        mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return;
    p->rank_pid = getpid();
    p->launcher = getppid();
    atomic_store(&p->stage, UINT32_MAX);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        (void)munmap(p, sizeof(*p));
        return;
    }
    page = p;
    pid_t child = fork();
    if (child == 0)
        become_mourner(argc, argv, ends[0]);
    (void)close(ends[0]); /* ends[1] is open as long as we are */
    if (child < 0) {
        (void)close(ends[1]);
        (void)munmap(p, sizeof(*p));
        page = NULL;
    }
}

void mourner_watch(const char *folder, uint32_t launch, uint32_t rank)
{
    if (page == NULL)
        return;
    page->launch = launch;
    page->rank = rank;
    int n = snprintf(page->folder, sizeof(page->folder), "%s", folder);
    atomic_store(&page->armed, n > 0 && (size_t)n < sizeof(page->folder));
}

void mourner_beat(const struct board *b, double now)
{
    static uint32_t stage = UINT32_MAX;
    static uint64_t task;
    static double since;
    uint32_t s;
    uint64_t t = 0;
    if (page == NULL)
        return;
    if (!board_was_running(b, board_seat(b), &s, &t))
        s = UINT32_MAX;
    if (s != stage || t != task) {
        atomic_store(&page->stage, UINT32_MAX);
        stage = s;
        task = t;
        since = now;
    } else if (now - since > A_WHILE) {
        atomic_store(&page->task, task);
        atomic_store(&page->stage, stage);
    }
}

void mourner_dismiss(void)
{
    if (page != NULL)
        atomic_store(&page->armed, false);
}
