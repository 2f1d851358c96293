/* The rate of fused multiply-adds that n_threads cores of this machine sustain, measured:
 * the ceiling that a matrix product is compared with. Takes about 30 ms; GFLOP/s, a fused
 * multiply-add being two. -EAGAIN: a thread could not be started. */
#ifndef OP_PEAK_H
#define OP_PEAK_H

#include "gridmill/error.h"

int peak_f32(unsigned n_threads, double *ret_gflops, struct gm_error *err);
int peak_f64(unsigned n_threads, double *ret_gflops, struct gm_error *err);

#endif
