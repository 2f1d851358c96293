/* Poison is a NaN: what an operator does not write, or reads too far, is no number in the
 * result. */
#include "trial.h"

#include "kernels/op/philox.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POISON 0x7fc0deadU
#define BEHIND ((size_t)256) /* bytes after an array */

static void *must(void *p)
{
    if (p == NULL) {
        (void)fprintf(stderr, "out of memory\n");
        exit(4);
    }
    return p;
}

void *trial_room(struct trial *t, size_t nbytes)
{
    void *p = must(calloc(1, nbytes + 64));
    if (t->n_host == TRIAL_ARRAYS * 8)
        abort();
    t->host[t->n_host++] = p;
    return p;
}

float *trial_numbers(struct trial *t, size_t n, float size)
{
    float *v = trial_room(t, n * sizeof(*v));
    philox_uniform(t->seed, t->stream++, -size, size, n, v);
    return v;
}

double *trial_wide(struct trial *t, const float *v, size_t n)
{
    double *w = trial_room(t, n * sizeof(*w));
    for (size_t i = 0; i < n; i++)
        w[i] = (double)v[i];
    return w;
}

void trial_fail(struct trial *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)fprintf(stderr, "%s: ", t->operator_);
    (void)vfprintf(stderr, fmt, args);
    (void)fprintf(stderr, "\n");
    va_end(args);
    t->failures++;
}

static void *poison(size_t nbytes)
{
    uint32_t *p = must(malloc(nbytes + sizeof(*p)));
    for (size_t i = 0; i * sizeof(*p) < nbytes + 1; i++)
        p[i] = POISON;
    return p;
}

void *trial_array(struct trial *t, size_t nbytes, const void *host)
{
    struct gm_error err = {0};
    void *at = NULL;
    if (t->n_device == TRIAL_ARRAYS)
        abort();
    if (t->d->op->alloc(t->d, nbytes + BEHIND, &at, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        exit(4);
    }
    void *bytes = poison(nbytes + BEHIND);
    if (host != NULL)
        memcpy(bytes, host, nbytes);
    t->d->op->put(t->d, at, bytes, nbytes + BEHIND);
    free(bytes);
    t->device[t->n_device] = at;
    t->nbytes[t->n_device++] = nbytes;
    return at;
}

float *trial_floats(struct trial *t, size_t n, const float *host)
{
    return trial_array(t, n * sizeof(float), host);
}

void *trial_back(struct trial *t, const void *array)
{
    struct gm_error err = {0};
    unsigned i = 0;
    while (i < t->n_device && t->device[i] != array)
        i++;
    if (i == t->n_device)
        abort();
    size_t nbytes = t->nbytes[i];
    char *bytes = trial_room(t, nbytes + BEHIND);
    t->d->op->get(t->d, bytes, array, nbytes + BEHIND);
    if (t->d->op->sync(t->d, &err) != 0)
        trial_fail(t, "%s", err.text);
    char *all = poison(nbytes + BEHIND);
    if (memcmp(bytes + nbytes, all + nbytes, BEHIND) != 0)
        trial_fail(t, "wrote behind the end of an array of %zu bytes", nbytes);
    free(all);
    return bytes;
}

void trial_clean(struct trial *t)
{
    for (unsigned i = 0; i < t->n_device; i++)
        t->d->op->release(t->d, t->device[i]);
    for (unsigned i = 0; i < t->n_host; i++)
        free(t->host[i]);
    t->n_device = t->n_host = 0;
}

void trial_near(struct trial *t,
                const char *what,
                const float *got,
                const double *want,
                size_t n,
                double most)
{
    /* what is less than some 1e-10 does not count: a slope that happens to be near 0 */
    double off = 0, size = 1e-9 * (double)n;
    for (size_t i = 0; i < n; i++) {
        double d = (double)got[i] - want[i];
        off += d * d;
        size += want[i] * want[i];
    }
    double error = n > 0 ? off / size : 0;
    t->cases++;
    if (!(error <= most))
        trial_fail(t, "%s: its error is %g, and may be %g", what, error, most);
}

void trial_same(
    struct trial *t, const char *what, const void *got, const void *want, size_t nbytes)
{
    t->cases++;
    for (size_t i = 0; i < nbytes; i++) {
        if (((const char *)got)[i] != ((const char *)want)[i]) {
            trial_fail(t, "%s: byte %zu of %zu differs", what, i, nbytes);
            return;
        }
    }
}
