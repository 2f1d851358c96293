/* The rate of fused multiply-adds that n_threads cores of this machine sustain, measured:
 * the ceiling that a matrix product is compared with. Takes about 30 ms; GFLOP/s, a fused
 * multiply-add being two. -EAGAIN: a thread could not be started. */
#ifndef OP_PEAK_H
#define OP_PEAK_H

#include "gridmill/error.h"
#include <stddef.h>

int peak_f32(unsigned n_threads, double *ret_gflops, struct gm_error *err);
int peak_f64(unsigned n_threads, double *ret_gflops, struct gm_error *err);

/* On the calling thread alone, for about so long: flop/s of the best few milliseconds.
 * element: the size of a number, 4 or 8. */
double peak_chain(size_t element, double seconds);
/* What it multiplies with: "avx512f", "avx2+fma", "128 bit". */
const char *peak_isa(void);

/* What PUs can do, alone and all at once: flop/s of multiply-adds in either precision,
 * byte/s read from memory (0: there was no memory to read from). */
struct peak_rates {
    double f32_one, f32, f64_one, f64, read_one, read;
};

/* Probes cpus[n] (the numbers of the operating system), a thread on each; takes 0.15 s,
 * and more where the machine is busy. -EAGAIN: a thread could not be started or bound. */
int peak_probe(const int *cpus, unsigned n, struct peak_rates *ret, struct gm_error *err);

#endif
