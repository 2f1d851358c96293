/* See siblings.h. Invariant: nobody is missed who was not there before, unless it is
 * known how many there have to be. */
#include "siblings.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/str.h"
#include <assert.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const double LOOK_EVERY = 0.25;
/* A mis-launch ends all ranks, not quite at once: each shall say its own word first. */
static const double GONE_FOR = 1; /* s */
struct watching {
    void (*lost)(bool first);
    unsigned expected;
    double within;
    atomic_bool over;
};

static bool runs_our_program(long pid, const struct stat *ours)
{
    char path[64];
    struct stat its;
    (void)snprintf(path, sizeof(path), "/proc/%ld/exe", pid);
    return stat(path, &its) == 0 && its.st_ino == ours->st_ino &&
           its.st_dev == ours->st_dev;
}

/* Counts those in a thread's list of children: "12 34 ". */
static unsigned count_listed(const char *path, const struct stat *ours, bool *ret_first)
{
    unsigned n = 0;
    AUTO_FILE f = fopen(path, "re");
    for (long pid; f != NULL && fscanf(f, "%ld", &pid) == 1;) { /* NOLINT(cert-err34-c) */
        if (!runs_our_program(pid, ours))
            continue;
        n++;
        *ret_first = *ret_first && pid >= getpid();
    }
    return n;
}

unsigned siblings_count(bool *ret_first)
{
    char path[64];
    struct stat ours;
    unsigned n = 0;
    *ret_first = true;
    (void)snprintf(path, sizeof(path), "/proc/%ld/task", (long)getppid());
    DIR *threads = opendir(path);
    if (threads == NULL || stat("/proc/self/exe", &ours) != 0) {
        if (threads != NULL)
            (void)closedir(threads);
        return 0;
    }
    for (const struct dirent *e = readdir(threads); e != NULL; e = readdir(threads)) {
        if (e->d_name[0] == '.')
            continue;
        AUTO_STR list = {0};
        str_printf(&list, "%s/%s/children", path, e->d_name);
        n += count_listed(str_text(&list), &ours, ret_first);
    }
    (void)closedir(threads);
    return n;
}

static void *look(void *arg)
{
    struct watching *w = arg;
    unsigned most = 0;
    double since = 0, began = clock_monotonic();
    while (!atomic_load(&w->over)) {
        bool first;
        unsigned n = siblings_count(&first);
        double now = clock_monotonic();
        most = n > most ? n : most;
        if (now - began > w->within && w->expected > most)
            most = w->expected;
        since = n == most || n == 0 ? 0 : since > 0 ? since : now;
        if (since > 0 && now - since > GONE_FOR && !atomic_load(&w->over))
            w->lost(first);
        clock_sleep(LOOK_EVERY);
    }
    return NULL;
}

/* At the start and at the end; a thread may outlast every scope, so its state does, too.
 */
static struct watching watches[2];
static unsigned n_watches;

void siblings_watch(unsigned expected, double within, void (*lost)(bool first))
{
    pthread_t thread;
    siblings_let_go();
    assert(n_watches < sizeof(watches) / sizeof(watches[0]));
    struct watching *w = &watches[n_watches++];
    w->expected = expected;
    w->within = within;
    w->lost = lost;
    if (pthread_create(&thread, NULL, look, w) == 0)
        (void)pthread_detach(thread);
}

void siblings_let_go(void)
{
    if (n_watches > 0)
        atomic_store(&watches[n_watches - 1].over, true);
}
