/* See threads.h. OpenMP keeps the number for each thread that calls it. */
#include "threads.h"

#ifdef _OPENMP
#include <limits.h>
#include <omp.h>

void threads_set(unsigned n)
{
    omp_set_num_threads(n == 0 ? 1 : n > INT_MAX ? INT_MAX : (int)n);
}

unsigned threads_count(void)
{
    return omp_in_parallel() ? 1 : (unsigned)omp_get_max_threads();
}
#else
void threads_set(unsigned n)
{
    (void)n;
}

unsigned threads_count(void)
{
    return 1;
}
#endif
