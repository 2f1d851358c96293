/* See clock.h. */
#include "clock.h"
#include <errno.h>
#include <math.h>
#include <time.h>

static double now(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double clock_monotonic(void)
{
    return now(CLOCK_MONOTONIC);
}

double clock_unix(void)
{
    return now(CLOCK_REALTIME);
}

void clock_sleep(double seconds)
{
    if (seconds <= 0)
        return;
    struct timespec t = {.tv_sec = (time_t)seconds,
                         .tv_nsec = (long)(1e9 * (seconds - floor(seconds)))};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
        ;
}
