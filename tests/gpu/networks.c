/* Optimisers, and the perceptron that all of this is for. */
#include "trial.h"

#include "kernels/model/mlp.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const size_t sizes[] = {1, 7, 64, 65, 1000, 200003};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

void check_sgd(struct trial *t)
{
    const struct sgd o = {.lr = 0.05, .momentum = 0.9, .decay = 1e-3};
    struct device *d = t->d;
    for (size_t s = 0; s < SIZES; s++) {
        size_t n = sizes[s];
        float *w = trial_numbers(t, n, 1), *v = trial_numbers(t, n, 1);
        double *rw = trial_wide(t, w, n), *rv = trial_wide(t, v, n);
        float *on_w = trial_floats(t, n, w), *on_v = trial_floats(t, n, v);
        for (unsigned step = 0; step < 5; step++) {
            float *g = trial_numbers(t, n, 1), *on_g = trial_floats(t, n, g);
            d->op->sgd(d, &o, n, on_w, on_v, on_g);
            sgd_ref_step(&o, n, rw, rv, trial_wide(t, g, n));
        }
        trial_near(t, "w", trial_back(t, on_w), rw, n, 1e-11);
        trial_near(t, "v", trial_back(t, on_v), rv, n, 1e-11);
        trial_clean(t);
    }
}

/* Two groups with a gap that must stay as it is. */
void check_adamw(struct trial *t)
{
    const struct adamw o = {
        .lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .decay = 0.5};
    const float factor = 0.75F;
    struct device *d = t->d;
    for (size_t s = 2; s < SIZES; s++) {
        size_t n = sizes[s], half = n / 2;
        const struct adamw_group groups[] = {
            {.first = half + 3, .n = n - half - 3, .decay = 0},
            {.first = 0, .n = half, .decay = 0.1},
            {.first = half, .n = 0, .decay = 9}};
        float *w = trial_numbers(t, n, 1), *m = trial_numbers(t, n, 0.01F),
              *v = trial_numbers(t, n, 0.01F);
        for (size_t i = 0; i < n; i++)
            v[i] = fabsf(v[i]);
        double *rw = trial_wide(t, w, n), *rm = trial_wide(t, m, n),
               *rv = trial_wide(t, v, n);
        float *on_w = trial_floats(t, n, w), *on_m = trial_floats(t, n, m),
              *on_v = trial_floats(t, n, v);
        for (uint64_t step = 3; step < 8; step++) {
            float *g = trial_numbers(t, n, 1), *on_g = trial_floats(t, n, g);
            d->op->adamw(d, &o, step, factor, 3, groups, on_w, on_m, on_v, on_g);
            double *rg = trial_wide(t, g, n);
            for (size_t i = 0; i < n; i++)
                rg[i] *= (double)factor;
            for (unsigned k = 0; k < 2; k++) {
                struct adamw own = o;
                own.decay = groups[k].decay;
                size_t at = groups[k].first;
                adamw_ref_step(
                    &own, step, groups[k].n, rw + at, rm + at, rv + at, rg + at);
            }
        }
        const float *got = trial_back(t, on_w);
        trial_near(t, "w", got, rw, n, 1e-10);
        trial_near(t, "m", trial_back(t, on_m), rm, n, 1e-10);
        trial_near(t, "v", trial_back(t, on_v), rv, n, 1e-10);
        trial_same(t, "the gap", got + half, w + half, 3 * sizeof(*w));
        trial_clean(t);
    }
}

#define NETWORK_ROWS 200
#define STEPS        10

struct outcome {
    double loss[STEPS];
    float *grad, *params, *p;
    int32_t *classes;
};

static struct mlp *network(const int64_t *widths, size_t n, enum act act)
{
    struct mlp_shape shape;
    struct mlp *m = NULL;
    if (mlp_shape_make(widths, n, act, &shape, NULL) != 0 ||
        mlp_make(&shape, &m, NULL) != 0)
        return NULL;
    mlp_init(m, 5);
    return m;
}

/* STEPS steps on d: what the network learned, and what it says. */
static void train(struct trial *t,
                  struct device *d,
                  struct mlp *m,
                  const float *x,
                  const int32_t *labels,
                  struct outcome *ret)
{
    const struct sgd o = {.lr = 0.05, .momentum = 0.9};
    struct gm_error err = {0};
    struct mlp_work *w = NULL;
    size_t bytes = m->n_params * sizeof(float),
           classes = m->shape.widths[m->shape.n_layers];
    void *grad = NULL, *speed = NULL;
    *ret = (struct outcome){.grad = trial_room(t, bytes),
                            .params = trial_room(t, bytes),
                            .p = trial_room(t, NETWORK_ROWS * classes * sizeof(float)),
                            .classes = trial_room(t, NETWORK_ROWS * sizeof(int32_t))};
    int rc = mlp_work_make(m, d, NETWORK_ROWS, &w, &err);
    if (rc == 0)
        rc = d->op->alloc(d, bytes, &grad, &err);
    if (rc == 0)
        rc = d->op->alloc(d, bytes, &speed, &err);
    for (unsigned i = 0; i < STEPS && rc == 0; i++) {
        struct xent_score score = {0};
        rc = mlp_gradient(
            w, NETWORK_ROWS, x, labels, 1.0F / NETWORK_ROWS, grad, &score, &err);
        ret->loss[i] = score.loss;
        if (rc == 0 && i == 0)
            d->op->get(d, ret->grad, grad, bytes);
        if (rc == 0)
            mlp_sgd(w, &o, speed, grad);
    }
    if (rc == 0)
        rc = mlp_fetch(w, &err);
    if (rc == 0)
        rc = mlp_predict(w, NETWORK_ROWS, x, ret->p, ret->classes, &err);
    memcpy(ret->params, m->params, bytes);
    if (rc != 0)
        trial_fail(t, "%s", err.text);
    d->op->release(d, grad);
    d->op->release(d, speed);
    mlp_work_free(w);
}

static void one_network(struct trial *t, const int64_t *widths, size_t n, enum act act)
{
    struct device *cpu = NULL;
    struct mlp *ours = network(widths, n, act), *truth = network(widths, n, act),
               *again = network(widths, n, act);
    if (ours == NULL || truth == NULL || again == NULL ||
        device_open("cpu", &cpu, NULL) != 0) {
        trial_fail(t, "out of memory");
        return;
    }
    size_t classes = (size_t)widths[n - 1], n_params = ours->n_params;
    float *x = trial_numbers(t, NETWORK_ROWS * (size_t)widths[0], 1);
    int32_t *labels = trial_room(t, NETWORK_ROWS * sizeof(*labels));
    for (size_t i = 0; i < NETWORK_ROWS; i++)
        labels[i] = (int32_t)(i * 7 % classes);
    struct outcome got, want, twice;
    train(t, t->d, ours, x, labels, &got);
    train(t, cpu, truth, x, labels, &want);
    train(t, t->d, again, x, labels, &twice);
    trial_near(
        t, "gradient", got.grad, trial_wide(t, want.grad, n_params), n_params, 1e-9);
    trial_near(t,
               "parameters",
               got.params,
               trial_wide(t, want.params, n_params),
               n_params,
               1e-9);
    trial_near(t,
               "probabilities",
               got.p,
               trial_wide(t, want.p, NETWORK_ROWS * classes),
               NETWORK_ROWS * classes,
               1e-7);
    trial_same(
        t, "training again", twice.params, got.params, n_params * sizeof(*got.params));
    t->cases++;
    for (unsigned i = 0; i < STEPS; i++) {
        if (!(fabs(got.loss[i] - want.loss[i]) <= 1e-4 * want.loss[i])) {
            trial_fail(t, "loss %u is %g, not %g", i, got.loss[i], want.loss[i]);
            break;
        }
    }
    mlp_free(ours);
    mlp_free(truth);
    mlp_free(again);
    device_close(cpu);
    trial_clean(t);
}

void check_perceptron(struct trial *t)
{
    one_network(t, (const int64_t[]){7, 2}, 2, ACT_RELU);
    one_network(t, (const int64_t[]){64, 32, 10}, 3, ACT_RELU);
    one_network(t, (const int64_t[]){50, 65, 33, 7}, 4, ACT_GELU);
    one_network(t, (const int64_t[]){784, 128, 10}, 3, ACT_RELU);
}
