/* The truth of the table's gradient, in double. */
#include "embedding.h"

void embedding_ref_backward(
    size_t m, size_t n, const int32_t *id, const double *dy, double *dtable)
{
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++)
            dtable[(size_t)id[i] * n + j] += dy[i * n + j];
    }
}
