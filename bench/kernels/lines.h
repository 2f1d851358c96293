/* What the kernels' benchmarks print: one JSON line a measurement (bench/README.md). */
#ifndef BENCH_KERNELS_LINES_H
#define BENCH_KERNELS_LINES_H

#include <stddef.h>
#include <stdint.h>

#define TURNS_MAX 64

struct samples {
    double v[TURNS_MAX];
    size_t n;
};

extern const char *lines_suite; /* whose lines: "kernels" unless it is set */

double quantile(const struct samples *s, double q);
/* One line; floor or peer may be 0: null. */
void line(const char *name,
          const char *unit,
          const struct samples *s,
          double floor,
          const char *floor_how,
          double peer);
/* n numbers between -1 and 1; the caller frees them. */
float *numbers(size_t n, uint64_t stream);

#endif
