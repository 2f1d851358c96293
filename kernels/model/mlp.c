/* The network over the operators' functions. Nothing is allocated after mlp_work_make,
 * and what a call computes depends on its arguments alone: equal shapes and bytes give
 * equal bits. */
#include "mlp.h"

#include "kernels/op/gemm.h"
#include "kernels/op/philox.h"
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN 64

/* Layer l of a batch: z before the activation, y after it; dy and dz share one buffer. */
struct mlp_work {
    size_t rows;
    float *block;
    float *z[MLP_MAX_LAYERS], *y[MLP_MAX_LAYERS], *d[MLP_MAX_LAYERS];
};

int mlp_shape_make(const int64_t *widths,
                   size_t n,
                   enum act activation,
                   struct mlp_shape *ret,
                   struct gm_error *err)
{
    if (n < 2 || n > MLP_MAX_LAYERS + 1)
        return gm_fail(err,
                       -EINVAL,
                       "layers: %zu widths where 2 (inputs, classes) to %d are possible",
                       n,
                       MLP_MAX_LAYERS + 1);
    struct mlp_shape shape = {.n_layers = (unsigned)n - 1, .activation = activation};
    for (size_t i = 0; i < n; i++) {
        if (widths[i] < 1 || widths[i] > MLP_MAX_WIDTH)
            return gm_fail(err,
                           -EINVAL,
                           "layers: a width of %" PRId64 " is not 1 to %u",
                           widths[i],
                           MLP_MAX_WIDTH);
        shape.widths[i] = (uint32_t)widths[i];
    }
    if (widths[n - 1] < 2)
        return gm_fail(err,
                       -EINVAL,
                       "layers: the last width is the number of classes: 2 at "
                       "least");
    *ret = shape;
    return 0;
}

static int alloc_floats(size_t n, float **ret, struct gm_error *err)
{
    size_t bytes;
    void *p = NULL;
    if (__builtin_mul_overflow(n, sizeof(float), &bytes) || bytes > PTRDIFF_MAX - ALIGN ||
        posix_memalign(&p, ALIGN, bytes + ALIGN) != 0)
        return gm_fail(err, -ENOMEM, "no memory for %zu floats", n);
    memset(p, 0, bytes);
    *ret = p;
    return 0;
}

int mlp_make(const struct mlp_shape *shape, struct mlp **ret, struct gm_error *err)
{
    AUTO(mlp) m = calloc(1, sizeof(*m));
    if (m == NULL)
        return gm_fail(err, -ENOMEM, "out of memory");
    m->shape = *shape;
    m->scale = 1;
    size_t at = 0; /* 64 layers of at most 2^48 + 2^24 floats fit 64 bits */
    for (unsigned l = 0; l < shape->n_layers; l++) {
        size_t in = shape->widths[l], out = shape->widths[l + 1];
        m->layers[l] =
            (struct mlp_layer){.in = in, .out = out, .weight = at, .bias = at + in * out};
        at += in * out + out;
    }
    m->n_params = at;
    int rc = alloc_floats(at, &m->params, err);
    if (rc == 0)
        *ret = steal(&m);
    return rc;
}

void mlp_free(struct mlp *m)
{
    if (m == NULL)
        return;
    free(m->params);
    free(m);
}

void mlp_init(struct mlp *m, uint64_t seed)
{
    memset(m->params, 0, m->n_params * sizeof(float));
    for (unsigned l = 0; l < m->shape.n_layers; l++) {
        const struct mlp_layer *layer = &m->layers[l];
        float bound = (float)sqrt(6.0 / (double)layer->in);
        philox_uniform(
            seed, l, -bound, bound, layer->in * layer->out, m->params + layer->weight);
    }
}

int mlp_work_make(const struct mlp *m,
                  size_t rows,
                  struct mlp_work **ret,
                  struct gm_error *err)
{
    size_t n = 0;
    for (unsigned l = 0; l < m->shape.n_layers; l++) {
        size_t each, three;
        if (__builtin_mul_overflow(rows, m->layers[l].out, &each) ||
            __builtin_mul_overflow(each, 3, &three) ||
            __builtin_add_overflow(n, three, &n))
            return gm_fail(err, -ENOMEM, "no memory for batches of %zu rows", rows);
    }
    AUTO(mlp_work) w = calloc(1, sizeof(*w));
    if (w == NULL)
        return gm_fail(err, -ENOMEM, "out of memory");
    int rc = alloc_floats(n, &w->block, err);
    if (rc != 0)
        return rc;
    w->rows = rows;
    float *at = w->block;
    for (unsigned l = 0; l < m->shape.n_layers; l++) {
        size_t each = rows * m->layers[l].out;
        w->z[l] = at;
        w->y[l] = at + each;
        w->d[l] = at + 2 * each;
        at += 3 * each;
    }
    *ret = steal(&w);
    return 0;
}

void mlp_work_free(struct mlp_work *w)
{
    if (w == NULL)
        return;
    free(w->block);
    free(w);
}

const float *
mlp_forward(const struct mlp *m, struct mlp_work *w, size_t rows, const float *x)
{
    assert(rows <= w->rows);
    const float *input = x;
    unsigned last = m->shape.n_layers - 1;
    for (unsigned l = 0; l <= last; l++) {
        const struct mlp_layer *layer = &m->layers[l];
        gemm_f32(GEMM_NN,
                 rows,
                 layer->out,
                 layer->in,
                 input,
                 m->params + layer->weight,
                 w->z[l]);
        bias_act_forward(l < last ? m->shape.activation : ACT_NONE,
                         rows,
                         layer->out,
                         w->z[l],
                         m->params + layer->bias,
                         l < last ? w->y[l] : w->z[l]);
        input = w->y[l];
    }
    return w->z[last];
}

struct xent_score mlp_gradient(const struct mlp *m,
                               struct mlp_work *w,
                               size_t rows,
                               const float *x,
                               const int32_t *labels,
                               float scale,
                               float *grad)
{
    unsigned last = m->shape.n_layers - 1;
    const float *logits = mlp_forward(m, w, rows, x);
    struct xent_score score =
        xent_train(rows, m->layers[last].out, logits, labels, scale, w->d[last]);
    for (unsigned l = last + 1; l-- > 0;) {
        const struct mlp_layer *layer = &m->layers[l];
        bias_act_backward(l < last ? m->shape.activation : ACT_NONE,
                          rows,
                          layer->out,
                          w->z[l],
                          w->d[l],
                          w->d[l],
                          grad + layer->bias);
        gemm_f32(GEMM_TN,
                 layer->in,
                 layer->out,
                 rows,
                 l > 0 ? w->y[l - 1] : x,
                 w->d[l],
                 grad + layer->weight);
        if (l > 0)
            gemm_f32(GEMM_NT,
                     rows,
                     layer->in,
                     layer->out,
                     w->d[l],
                     m->params + layer->weight,
                     w->d[l - 1]);
    }
    return score;
}

const char *mlp_activation_name(enum act act)
{
    return act == ACT_GELU ? "gelu" : "relu";
}
