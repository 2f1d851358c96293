/* OpenBLAS, opened at its first use.
 *
 * Linked in, it would start a pool of threads in every process, before main, and they
 * spin for some 30 ms: in `gridmill`, which multiplies nothing, and in ranks that sleep
 * or run commands (bench/run start shows it). Opened late, it is paid for by who
 * multiplies. */
#ifndef KERNELS_OP_BLAS_H
#define KERNELS_OP_BLAS_H

#include "gridmill/error.h"

/* What we use of its interface, as cblas.h has it (integers are int in a library without
 * "64" in its name): so that it builds where only the library is, or comes later. */
enum { BLAS_ROW_MAJOR = 101, BLAS_NO_TRANS = 111, BLAS_TRANS = 112 };

struct blas {
    void (*dgemm)(int order,
                  int trans_a,
                  int trans_b,
                  int m,
                  int n,
                  int k,
                  double alpha,
                  const double *a,
                  int lda,
                  const double *b,
                  int ldb,
                  double beta,
                  double *c,
                  int ldc);
    void (*set_num_threads)(int n);
    char *(*get_config)(void);
};

/* The one copy of this process; NULL where it cannot be opened (err says why). Any
 * thread. */
const struct blas *blas_get(struct gm_error *err);

#endif
