/* The network on a device, by the device's table. Nothing of ours is allocated after
 * mlp_work_make, and what a call computes depends on its arguments alone: equal shapes
 * and bytes give equal bits. */
#include "mlp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Layer l of a batch: z before the activation, y after it; dy and dz share one buffer.
 * All but `host` is the device's memory. */
struct mlp_work {
    struct mlp *m;
    struct device *d;
    size_t rows;
    float *params; /* d->host: m's */
    float *block;
    float *z[MLP_MAX_LAYERS], *y[MLP_MAX_LAYERS], *dz[MLP_MAX_LAYERS];
    float *x;        /* room for a batch, and its labels; d->host: NULL */
    int32_t *labels; /* also the classes that were given */
    struct xent_score *score;
    float *host; /* scores that the host reads; d->host: NULL */
};

/* Floats of z, y and dz of all layers. */
static int
count_floats(const struct mlp *m, size_t rows, size_t *ret, struct gm_error *err)
{
    size_t n = 0;
    for (unsigned l = 0; l < m->shape.n_layers; l++) {
        size_t each, three;
        if (__builtin_mul_overflow(rows, m->layers[l].out, &each) ||
            __builtin_mul_overflow(each, 3, &three) ||
            __builtin_add_overflow(n, three, &n))
            return gm_fail(err, -ENOMEM, "no memory for batches of %zu rows", rows);
    }
    *ret = n;
    return 0;
}

static int alloc(struct device *d, size_t n, size_t size, void *ret, struct gm_error *err)
{
    size_t nbytes;
    void *at = NULL;
    if (__builtin_mul_overflow(n, size, &nbytes))
        return gm_fail(err, -ENOMEM, "no memory for %zu numbers", n);
    int rc = d->op->alloc(d, nbytes, &at, err);
    if (rc == 0)
        memcpy(ret, &at, sizeof(at));
    return rc;
}

/* What a device with memory of its own has besides. */
static int make_copies(struct mlp_work *w, struct gm_error *err)
{
    struct device *d = w->d;
    const struct mlp *m = w->m;
    size_t classes = m->shape.widths[m->shape.n_layers];
    int rc = alloc(d, m->n_params, sizeof(float), &w->params, err);
    if (rc == 0)
        rc = alloc(d, w->rows * sizeof(float), m->shape.widths[0], &w->x, err);
    if (rc == 0)
        rc = alloc(d, w->rows, sizeof(*w->labels), &w->labels, err);
    if (rc != 0)
        return rc;
    w->host = calloc(w->rows * classes + 1, sizeof(*w->host));
    if (w->host == NULL)
        return gm_fail(err, -ENOMEM, "no memory for batches of %zu rows", w->rows);
    mlp_store(w);
    return 0;
}

int mlp_work_make(struct mlp *m,
                  struct device *d,
                  size_t rows,
                  struct mlp_work **ret,
                  struct gm_error *err)
{
    size_t n = 0;
    int rc = device_check(d, DEVICE_FOR_MLP, err);
    if (rc == 0)
        rc = count_floats(m, rows, &n, err);
    if (rc != 0)
        return rc;
    AUTO(mlp_work) w = calloc(1, sizeof(*w));
    if (w == NULL)
        return gm_fail(err, -ENOMEM, "out of memory");
    *w = (struct mlp_work){.m = m, .d = d, .rows = rows, .params = m->params};
    if (!d->host)
        w->params = NULL;
    rc = alloc(d, n, sizeof(float), &w->block, err);
    if (rc == 0)
        rc = alloc(d, 1, sizeof(*w->score), &w->score, err);
    if (rc == 0 && !d->host)
        rc = make_copies(w, err);
    if (rc != 0)
        return rc;
    float *at = w->block;
    for (unsigned l = 0; l < m->shape.n_layers; l++) {
        size_t each = rows * m->layers[l].out;
        w->z[l] = at;
        w->y[l] = at + each;
        w->dz[l] = at + 2 * each;
        at += 3 * each;
    }
    *ret = steal(&w);
    return 0;
}

void mlp_work_free(struct mlp_work *w)
{
    if (w == NULL)
        return;
    struct device *d = w->d;
    d->op->release(d, w->block);
    d->op->release(d, w->score);
    d->op->release(d, w->labels);
    d->op->release(d, w->x);
    if (!d->host)
        d->op->release(d, w->params);
    free(w->host);
    free(w);
}

static void product(struct device *d,
                    enum gemm_form form,
                    size_t m,
                    size_t n,
                    size_t k,
                    const float *a,
                    const float *b,
                    float *c)
{
    const struct gemm_shape g = {.form = form, .m = m, .n = n, .k = k};
    d->op->gemm(d, &g, a, b, c);
}

/* x is the device's. */
static const float *forward(struct mlp_work *w, size_t rows, const float *x)
{
    const struct mlp *m = w->m;
    struct device *d = w->d;
    unsigned last = m->shape.n_layers - 1;
    for (unsigned l = 0; l <= last; l++) {
        const struct mlp_layer *layer = &m->layers[l];
        product(d,
                GEMM_NN,
                rows,
                layer->out,
                layer->in,
                x,
                w->params + layer->weight,
                w->z[l]);
        d->op->bias_act_forward(d,
                                l < last ? m->shape.activation : ACT_NONE,
                                rows,
                                layer->out,
                                w->z[l],
                                w->params + layer->bias,
                                l < last ? w->y[l] : w->z[l]);
        x = w->y[l];
    }
    return w->z[last];
}

static const float *view_rows(struct mlp_work *w, size_t rows, const float *x)
{
    assert(rows <= w->rows);
    return device_view(w->d, x, rows * w->m->shape.widths[0] * sizeof(*x), w->x);
}

const float *mlp_forward(struct mlp_work *w, size_t rows, const float *x)
{
    return forward(w, rows, view_rows(w, rows, x));
}

int mlp_scores(struct mlp_work *w,
               size_t rows,
               const float *x,
               const float **ret,
               struct gm_error *err)
{
    struct device *d = w->d;
    size_t classes = w->m->shape.widths[w->m->shape.n_layers];
    const float *scores = mlp_forward(w, rows, x);
    if (!d->host) {
        d->op->get(d, w->host, scores, rows * classes * sizeof(*scores));
        scores = w->host;
    }
    int rc = d->op->sync(d, err);
    if (rc == 0)
        *ret = scores;
    return rc;
}

int mlp_predict(struct mlp_work *w,
                size_t rows,
                const float *x,
                float *ret_p,
                int32_t *ret_class,
                struct gm_error *err)
{
    struct device *d = w->d;
    unsigned last = w->m->shape.n_layers - 1;
    size_t classes = w->m->layers[last].out;
    const float *scores = mlp_forward(w, rows, x);
    float *p = d->host ? ret_p : w->dz[last];
    int32_t *class = d->host ? ret_class : w->labels;
    d->op->xent_infer(d, rows, classes, scores, p, class);
    if (!d->host) {
        d->op->get(d, ret_p, p, rows * classes * sizeof(*p));
        d->op->get(d, ret_class, class, rows * sizeof(*class));
    }
    return d->op->sync(d, err);
}

/* From dz of the last layer to all of the gradient. */
static void backward(struct mlp_work *w, size_t rows, const float *x, float *grad)
{
    const struct mlp *m = w->m;
    struct device *d = w->d;
    unsigned last = m->shape.n_layers - 1;
    for (unsigned l = last + 1; l-- > 0;) {
        const struct mlp_layer *layer = &m->layers[l];
        d->op->bias_act_backward(d,
                                 l < last ? m->shape.activation : ACT_NONE,
                                 rows,
                                 layer->out,
                                 w->z[l],
                                 w->dz[l],
                                 w->dz[l],
                                 grad + layer->bias);
        product(d,
                GEMM_TN,
                layer->in,
                layer->out,
                rows,
                l > 0 ? w->y[l - 1] : x,
                w->dz[l],
                grad + layer->weight);
        if (l > 0)
            product(d,
                    GEMM_NT,
                    rows,
                    layer->in,
                    layer->out,
                    w->dz[l],
                    w->params + layer->weight,
                    w->dz[l - 1]);
    }
}

int mlp_gradient(struct mlp_work *w,
                 size_t rows,
                 const float *x,
                 const int32_t *labels,
                 float scale,
                 float *grad,
                 struct xent_score *ret,
                 struct gm_error *err)
{
    struct device *d = w->d;
    unsigned last = w->m->shape.n_layers - 1;
    const float *at = view_rows(w, rows, x);
    const int32_t *wanted = device_view(d, labels, rows * sizeof(*labels), w->labels);
    const float *scores = forward(w, rows, at);
    d->op->xent_train(
        d, rows, w->m->layers[last].out, scores, wanted, scale, w->dz[last], w->score);
    backward(w, rows, at, grad);
    if (ret == NULL)
        return 0;
    struct xent_score score;
    d->op->get(d, &score, w->score, sizeof(score));
    int rc = d->op->sync(d, err);
    if (rc == 0)
        *ret = score;
    return rc;
}

void mlp_sgd(struct mlp_work *w, const struct sgd *o, float *v, const float *grad)
{
    w->d->op->sgd(w->d, o, w->m->n_params, w->params, v, grad);
}

void mlp_adamw(struct mlp_work *w,
               const struct adamw *o,
               uint64_t t,
               float *mean,
               float *square,
               const float *grad)
{
    const struct adamw_group all = {.n = w->m->n_params, .decay = o->decay};
    w->d->op->adamw(w->d, o, t, 1, 1, &all, w->params, mean, square, grad);
}

int mlp_fetch(struct mlp_work *w, struct gm_error *err)
{
    struct device *d = w->d;
    if (!d->host)
        d->op->get(d, w->m->params, w->params, w->m->n_params * sizeof(float));
    return d->op->sync(d, err);
}

void mlp_store(struct mlp_work *w)
{
    struct device *d = w->d;
    if (!d->host)
        d->op->put(d, w->params, w->m->params, w->m->n_params * sizeof(float));
}
