/* Candidates stand in a heap, the best at its root, and are popped as far as they are
 * asked for: a few of a large vocabulary cost little more than one pass over it. Popped
 * ones fill the array from its end, in order. */
#include "sampler.h"

#include "base/memory.h"
#include "kernels/op/philox.h"
#include "kernels/op/softmax.h"
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

struct candidate {
    float logit, p;
    int32_t id;
};

struct sampler {
    struct sampler_options how;
    size_t vocab;
    float *p;                     /* [vocab] */
    struct candidate *candidates; /* [vocab] */
};

int sampler_make(const struct sampler_options *how,
                 size_t vocab,
                 struct sampler **ret,
                 struct gm_error *err)
{
    if (!(how->temperature >= 0) || !isfinite(how->temperature))
        return gm_fail(
            err, -EINVAL, "temperature: must be 0 or more, is %g", how->temperature);
    if (!(how->top_p > 0) || how->top_p > 1)
        return gm_fail(
            err, -EINVAL, "top-p: must be above 0 and at most 1, is %g", how->top_p);
    if (vocab == 0 || vocab > INT32_MAX)
        return gm_fail(err, -EINVAL, "a vocabulary of %zu cannot be drawn from", vocab);
    AUTO(sampler) s = xcalloc(1, sizeof(*s));
    s->how = *how;
    s->vocab = vocab;
    s->p = calloc(vocab, sizeof(*s->p));
    s->candidates = calloc(vocab, sizeof(*s->candidates));
    if (s->p == NULL || s->candidates == NULL)
        return gm_fail(err, -ENOMEM, "no memory to draw from a vocabulary of %zu", vocab);
    *ret = steal(&s);
    return 0;
}

void sampler_free(struct sampler *s)
{
    if (s == NULL)
        return;
    free(s->p);
    free(s->candidates);
    free(s);
}

double sampler_uniform(uint64_t seed, uint64_t text, uint64_t position)
{
    struct philox draw = philox_make(seed, text);
    draw.block = position;
    return (double)(philox_next(&draw) >> 11) * 0x1p-53;
}

/* -1: one of them is NaN or +inf, or all are -inf. */
static int32_t highest(size_t n, const float *logits)
{
    int32_t best = -1;
    float most = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        if (!(logits[i] < INFINITY))
            return -1;
        if (logits[i] > most) {
            most = logits[i];
            best = (int32_t)i;
        }
    }
    return best;
}

static bool better(const struct candidate *a, const struct candidate *b)
{
    if (a->logit > b->logit || a->logit < b->logit)
        return a->logit > b->logit;
    return a->id < b->id;
}

static void sink_root(struct candidate *c, size_t n, size_t at)
{
    struct candidate moved = c[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && better(&c[child + 1], &c[child]))
            child++;
        if (better(&moved, &c[child]))
            break;
        c[at] = c[child];
    }
    c[at] = moved;
}

/* The best of the heap's *n goes behind it, and the heap has one less. */
static const struct candidate *pop(struct candidate *c, size_t *n)
{
    size_t last = --*n;
    struct candidate best = c[0];
    c[0] = c[last];
    sink_root(c, last, 0);
    c[last] = best;
    return &c[last];
}

static double fill(struct sampler *s, const float *logits, float most)
{
    double sum = 0, t = s->how.temperature;
    for (size_t i = 0; i < s->vocab; i++)
        s->p[i] = (float)(((double)logits[i] - (double)most) / t);
    softmax_forward(1, s->vocab, s->p, s->p);
    for (size_t i = 0; i < s->vocab; i++)
        sum += (double)s->p[i];
    return sum;
}

static int32_t draw_from_all(const struct sampler *s, double target)
{
    int32_t last = 0;
    double sum = 0;
    for (size_t i = 0; i < s->vocab; i++) {
        if (s->p[i] > 0)
            last = (int32_t)i;
        sum += (double)s->p[i];
        if (sum > target)
            return (int32_t)i;
    }
    return last;
}

/* `total`: the sum of all p. */
static int32_t
draw_from_best(struct sampler *s, const float *logits, double total, double uniform)
{
    struct candidate *c = s->candidates;
    const size_t n = s->vocab;
    size_t left = n, kept = 0, most = n;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        c[i] = (struct candidate){logits[i], s->p[i], (int32_t)i};
    for (size_t at = n / 2; at-- > 0;)
        sink_root(c, n, at);
    if (s->how.top_k > 0 && s->how.top_k < n) {
        most = s->how.top_k;
        for (total = 0; left > n - most;)
            total += (double)pop(c, &left)->p;
    }
    while (kept < most && !(sum >= s->how.top_p * total && kept > 0)) {
        if (left > n - 1 - kept)
            (void)pop(c, &left);
        sum += (double)c[n - 1 - kept++].p;
    }
    double target = uniform * sum;
    sum = 0;
    for (size_t i = 0; i + 1 < kept; i++) {
        sum += (double)c[n - 1 - i].p;
        if (sum > target)
            return c[n - 1 - i].id;
    }
    return c[n - kept].id;
}

int32_t
sampler_pick(struct sampler *s, const float *logits, uint64_t text, uint64_t position)
{
    int32_t best = highest(s->vocab, logits);
    if (best < 0 || !(s->how.temperature > 0))
        return best;
    double total = fill(s, logits, logits[best]);
    double uniform = sampler_uniform(s->how.seed, text, position);
    if (s->how.top_p < 1 || (s->how.top_k > 0 && s->how.top_k < s->vocab))
        return draw_from_best(s, logits, total, uniform);
    return draw_from_all(s, uniform * total);
}
