/* The truth of softmax with cross-entropy, in double with libm. */
#include "xent.h"

#include <assert.h>
#include <math.h>

struct xent_score xent_ref_train(size_t m,
                                 size_t classes,
                                 const double *logits,
                                 const int32_t *labels,
                                 double scale,
                                 double *dlogits)
{
    struct xent_score score = {0};
    assert(classes > 0);
    for (size_t i = 0; i < m; i++) {
        const double *z = logits + i * classes;
        size_t best = 0, label = (size_t)labels[i];
        for (size_t c = 1; c < classes; c++)
            best = z[c] > z[best] ? c : best;
        double max = z[best], sum = 0;
        for (size_t c = 0; c < classes; c++)
            sum += exp(z[c] - max);
        /* cppcheck-suppress invalidFunctionArg ; sum is 1 at least: classes > 0 */
        score.loss += log(sum) + max - z[label];
        score.correct += best == label;
        for (size_t c = 0; c < classes; c++)
            dlogits[i * classes + c] = scale * (exp(z[c] - max) / sum - (c == label));
    }
    return score;
}

struct xent_tokens xent_ref_tokens(size_t m,
                                   size_t classes,
                                   const double *logits,
                                   const int32_t *labels,
                                   double scale,
                                   double *losses,
                                   double *dlogits)
{
    struct xent_tokens all = {0};
    for (size_t i = 0; i < m; i++, logits += classes, dlogits += classes) {
        losses[i] = 0;
        for (size_t c = 0; c < classes; c++)
            dlogits[c] = 0;
        if (labels[i] < 0)
            continue;
        struct xent_score one =
            xent_ref_train(1, classes, logits, labels + i, scale, dlogits);
        losses[i] = one.loss;
        all.loss += one.loss;
        all.correct += one.correct;
        all.tokens++;
    }
    return all;
}
