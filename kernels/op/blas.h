/* OpenBLAS, opened at its first use.
 *
 * Linked in, it would start a pool of threads in every process, before main, and they
 * spin for some 30 ms: in `gridmill`, which multiplies nothing, and in ranks that sleep
 * or run commands (bench/run start shows it). Opened late, it is paid for by who
 * multiplies. */
#ifndef KERNELS_OP_BLAS_H
#define KERNELS_OP_BLAS_H

#include "gridmill/error.h"
#include <cblas.h>

struct blas {
    __typeof__(cblas_dgemm) *dgemm;
    __typeof__(openblas_set_num_threads) *set_num_threads;
    __typeof__(openblas_get_config) *get_config;
};

/* The one copy of this process; NULL where it cannot be opened (err says why). Any
 * thread. */
const struct blas *blas_get(struct gm_error *err);

#endif
