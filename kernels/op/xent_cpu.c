/* Softmax with cross-entropy on the CPU. The exponentials are our own (lanes.h), so the
 * gradient's bits do not hang on the C library; the loss, which no weight depends on,
 * takes libm's log. The sum over classes is in index order. */
#include "xent.h"

#include "lanes.h"
#include <math.h>

static size_t argmax(const float *z, size_t n)
{
    size_t best = 0;
    for (size_t c = 1; c < n; c++)
        best = z[c] > z[best] ? c : best;
    return best;
}

int32_t xent_class(size_t classes, const float *logits)
{
    return (int32_t)argmax(logits, classes);
}

LANES_CLONES
static void exponentials(size_t n, const float *z, float max, float *e)
{
    for (size_t c = 0; c < n; c++)
        e[c] = lanes_exp(z[c] - max);
}

/* e = exp(z - max); returns the sum. */
static double softmax_row(size_t n, const float *z, float max, float *e)
{
    exponentials(n, z, max, e);
    double sum = 0;
    for (size_t c = 0; c < n; c++)
        sum += (double)e[c];
    return sum;
}

struct xent_score xent_train(size_t m,
                             size_t classes,
                             const float *logits,
                             const int32_t *labels,
                             float scale,
                             float *dlogits)
{
    struct xent_score score = {0};
    for (size_t i = 0; i < m; i++) {
        const float *z = logits + i * classes;
        float *d = dlogits + i * classes;
        size_t best = argmax(z, classes), label = (size_t)labels[i];
        double max = (double)z[best], own = (double)z[label];
        double sum = softmax_row(classes, z, z[best], d);
        float share = (float)((double)scale / sum);
        for (size_t c = 0; c < classes; c++)
            d[c] *= share;
        d[label] -= scale;
        score.loss += log(sum) + max - own;
        score.correct += best == label;
    }
    return score;
}

void xent_infer(
    size_t m, size_t classes, const float *logits, float *p, int32_t *predicted)
{
    for (size_t i = 0; i < m; i++) {
        const float *z = logits + i * classes;
        size_t best = argmax(z, classes);
        double sum = softmax_row(classes, z, z[best], p + i * classes);
        float share = (float)(1.0 / sum);
        for (size_t c = 0; c < classes; c++)
            p[i * classes + c] *= share;
        predicted[i] = (int32_t)best;
    }
}
