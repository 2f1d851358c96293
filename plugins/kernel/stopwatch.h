/* Seconds for the kernels' measured outputs; never steps back. */
#ifndef PLUGINS_KERNEL_STOPWATCH_H
#define PLUGINS_KERNEL_STOPWATCH_H

#include <time.h>

static inline double stopwatch_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
