/* Cross-entropy of tokens on the CPU: rows go to threads, each row's sum is in lanes
 * (rows.h), and the losses are added up in order afterwards. */
#include "xent.h"

#include "real.h"
#include "rows.h"
#include <stdbool.h>

#define SERIAL ((size_t)1 << 15) /* elements: some 20 us */

/* No score is above the label's (max is the row's highest), and none before it equals it.
 */
LANES_INLINE bool is_class(const float *z, size_t label, float max)
{
    if (!(z[label] == max))
        return false;
    int32_t equal = 0;
    for (size_t c = 0; c < label; c++)
        equal += z[c] == max;
    return equal == 0;
}

/* Both tell whether the row's class is its label. */
LANES_CLONES
static bool gradient_row(
    size_t n, const float *z, size_t label, float scale, float *ret_loss, float *d)
{
    float max = row_max(n, z), own = z[label];
    bool correct = is_class(z, label, max);
    float sum = row_exp(n, z, max, d), share = scale / sum;
    for (size_t c = 0; c < n; c++)
        d[c] *= share;
    d[label] -= scale;
    *ret_loss = (float)(real_log((double)sum) + ((double)max - (double)own));
    return correct;
}

LANES_CLONES
static bool loss_row(size_t n, const float *z, size_t label, float *ret_loss)
{
    float max = row_max(n, z), sum = row_exp_sum(n, z, max);
    *ret_loss = (float)(real_log((double)sum) + ((double)max - (double)z[label]));
    return is_class(z, label, max);
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
        correct += d == NULL ? loss_row(classes, z, label, losses + i)
                             : gradient_row(classes, z, label, scale, losses + i, d);
    }
    struct xent_tokens all = {.tokens = xent_count(m, labels), .correct = correct};
    for (size_t i = 0; i < m; i++)
        all.loss += (double)losses[i];
    return all;
}
