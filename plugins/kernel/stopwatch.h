/* Seconds for the kernels' measured outputs; never steps back. */
#ifndef PLUGINS_KERNEL_STOPWATCH_H
#define PLUGINS_KERNEL_STOPWATCH_H

#include <stdlib.h>
#include <time.h>

static inline double stopwatch_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline int stopwatch_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Of n times, which are sorted by this: times[0] is the least then. */
static inline double stopwatch_median(double *times, size_t n)
{
    qsort(times, n, sizeof(*times), stopwatch_order);
    return (times[(n - 1) / 2] + times[n / 2]) / 2;
}

#endif
