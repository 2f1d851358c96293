/* Products of doubles: OpenBLAS's, on the threads that gemm_set_threads gave it. */
#include "gemm.h"

#include "blas.h"
#include "threads.h"
#include <assert.h>
#include <limits.h>
#include <string.h>

void gemm_f64(enum gemm_form form,
              size_t m,
              size_t n,
              size_t k,
              const double *a,
              const double *b,
              double *c)
{
    assert(m <= INT_MAX && n <= INT_MAX && k <= INT_MAX);
    if (m == 0 || n == 0)
        return;
    if (k == 0) {
        memset(c, 0, m * n * sizeof(*c));
        return;
    }
    const struct blas *blas = blas_get(NULL);
    if (blas == NULL) {
        gemm_ref_f64(form, m, n, k, a, b, c);
        return;
    }
    blas->dgemm(BLAS_ROW_MAJOR,
                form == GEMM_TN ? BLAS_TRANS : BLAS_NO_TRANS,
                form == GEMM_NT ? BLAS_TRANS : BLAS_NO_TRANS,
                (int)m,
                (int)n,
                (int)k,
                1.0,
                a,
                (int)(form == GEMM_TN ? m : k),
                b,
                (int)(form == GEMM_NT ? k : n),
                0.0,
                c,
                (int)n);
}

int gemm_probe(struct gm_error *err)
{
    return blas_get(err) == NULL ? -ENODEV : 0;
}

void gemm_set_threads(unsigned n)
{
    const struct blas *blas = blas_get(NULL);
    if (blas != NULL)
        blas->set_num_threads(n > INT_MAX ? INT_MAX : (int)n);
    threads_set(n);
}

const char *gemm_backend(struct gm_error *err)
{
    const struct blas *blas = blas_get(err);
    return blas == NULL ? NULL : blas->get_config();
}
