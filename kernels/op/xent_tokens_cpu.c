/* Cross-entropy of tokens on the CPU: rows go to threads, each row's sum is in lanes
 * (rows.h), and the losses are added up in order afterwards. */
#include "xent.h"

#include "real.h"
#include "rows.h"
#include <stdbool.h>

#define SERIAL ((size_t)1 << 15) /* elements: some 20 us */

/* The row's loss. */
LANES_CLONES
static float gradient_row(size_t n, const float *z, size_t label, float scale, float *d)
{
    float max = row_max(n, z), own = z[label];
    float sum = row_exp(n, z, max, d), share = scale / sum;
    for (size_t c = 0; c < n; c++)
        d[c] *= share;
    d[label] -= scale;
    return (float)(real_log((double)sum) + ((double)max - (double)own));
}

LANES_CLONES
static float loss_row(size_t n, const float *z, size_t label)
{
    float max = row_max(n, z), sum = row_exp_sum(n, z, max);
    return (float)(real_log((double)sum) + ((double)max - (double)z[label]));
}

/* No score is above the label's, and none before it equals it. */
LANES_CLONES
static bool is_first_best(size_t n, const float *z, size_t label)
{
    size_t better = 0;
    for (size_t c = 0; c < label; c++)
        better += z[c] >= z[label];
    for (size_t c = label + 1; c < n; c++)
        better += z[c] > z[label];
    return better == 0 && z[label] == z[label];
}

uint64_t xent_count(size_t m, const int32_t *labels)
{
    uint64_t tokens = 0;
    for (size_t i = 0; i < m; i++)
        tokens += labels[i] >= 0;
    return tokens;
}

struct xent_tokens xent_tokens(size_t m,
                               size_t classes,
                               const float *logits,
                               const int32_t *labels,
                               float scale,
                               float *losses,
                               float *dlogits)
{
    uint64_t correct = 0;
#pragma omp parallel for schedule(static) reduction(+ : correct) if (m * classes > SERIAL)
    for (size_t i = 0; i < m; i++) {
        const float *z = logits + i * classes;
        float *d = dlogits == NULL ? NULL : dlogits + i * classes;
        if (labels[i] < 0) {
            losses[i] = 0;
            if (d != NULL)
                memset(d, 0, classes * sizeof(*d));
            continue;
        }
        size_t label = (size_t)labels[i];
        correct += is_first_best(classes, z, label);
        losses[i] = d == NULL ? loss_row(classes, z, label)
                              : gradient_row(classes, z, label, scale, d);
    }
    struct xent_tokens all = {.tokens = xent_count(m, labels), .correct = correct};
    for (size_t i = 0; i < m; i++)
        all.loss += (double)losses[i];
    return all;
}
