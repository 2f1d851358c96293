/* The network: its shape and its parameters, in the host's memory. */
#include "mlp.h"

#include "kernels/op/philox.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN 64

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

const char *mlp_activation_name(enum act act)
{
    return act == ACT_GELU ? "gelu" : "relu";
}
