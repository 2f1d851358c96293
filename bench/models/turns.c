/* See turns.h. */
#include "turns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STEPS_MAX 100000 /* of a turn */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int take_turn(turns_step_fn *step, void *self, double seconds, double *told)
{
    size_t n = 0;
    double end = now() + seconds;
    while (n < STEPS_MAX && (n == 0 || now() < end)) {
        told[n] = step(self);
        if (!(told[n++] >= 0))
            return 1;
    }
    qsort(told, n, sizeof(*told), by_value);
    (void)printf("%.9g\n", 0.5 * (told[n / 2] + told[(n - 1) / 2]));
    return fflush(stdout) == 0 ? 0 : 1;
}

int turns_serve(turns_step_fn *step, void *self)
{
    static const char word[] = "turn ";
    char text[64];
    double *told = malloc(STEPS_MAX * sizeof(*told));
    if (told == NULL)
        return 1;
    (void)puts("ready");
    (void)fflush(stdout);
    int rc = 0;
    while (rc == 0 && fgets(text, sizeof(text), stdin) != NULL) {
        if (strncmp(text, word, sizeof(word) - 1) == 0)
            rc = take_turn(step, self, strtod(text + sizeof(word) - 1, NULL), told);
        else
            rc = 2;
    }
    free(told);
    return rc;
}
