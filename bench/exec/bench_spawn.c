/* The floors of bench/run exec: N runs of a program, so many in flight, nothing of it
 * captured.
 *
 *   bench_spawn posix_spawn|vfork|proc N IN_FLIGHT PROGRAM
 *
 * Prints programs a second. posix_spawn: as libc starts it; vfork: the least that starts
 * a program at all; proc: as our ranks start it (base/proc.h), without their pipes. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/proc.h"
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static pid_t by_posix_spawn(char *const *argv)
{
    pid_t pid;
    return posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) == 0 ? pid : -1;
}

static pid_t by_vfork(char *const *argv)
{
    pid_t pid = vfork(); /* NOLINT: the floor is vfork itself */
    if (pid == 0) {
        (void)execve(argv[0], argv, environ);
        _exit(127);
    }
    return pid;
}

static pid_t by_proc(char *const *argv)
{
    static sigset_t changed; /* found once, as a rank does */
    static int null = -1;
    if (null < 0) {
        proc_changed_signals(&changed);
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
    }
    struct proc_spec spec = {.argv = (const char *const *)argv,
                             .in = null,
                             .out = null,
                             .err = null,
                             .ends_with_us = true,
                             .confined = true,
                             .changed = &changed};
    pid_t pid = -1;
    return proc_spawn(&spec, &pid, NULL) == 0 ? pid : -1;
}

static int end_one(void)
{
    int status;
    return wait4(-1, &status, 0, NULL) > 0 && status == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        pid_t (*start)(char *const *argv);
    } ways[] = {{"posix_spawn", by_posix_spawn}, {"vfork", by_vfork}, {"proc", by_proc}};
    if (argc < 5)
        return 2;
    unsigned way = 0;
    while (way < 3 && strcmp(ways[way].name, argv[1]) != 0)
        way++;
    long n = strtol(argv[2], NULL, 10), most = strtol(argv[3], NULL, 10), running = 0;
    if (way == 3 || n < 1 || most < 1)
        return 2;
    double start = clock_monotonic();
    for (long i = 0; i < n; i++) {
        if (running == most && end_one() != 0)
            return 1;
        running -= running == most;
        if (ways[way].start(argv + 4) < 0)
            return 1;
        running++;
    }
    for (; running > 0; running--) {
        if (end_one() != 0)
            return 1;
    }
    (void)printf("%.1f\n", (double)n / (clock_monotonic() - start));
    return 0;
}
