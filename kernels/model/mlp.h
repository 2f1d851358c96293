/* A multilayer perceptron: widths[0] inputs, dense layers with bias, an activation after
 * each but the last, whose outputs are class scores.
 *
 * Parameters lie in one allocation, layer after layer, weight [in][out] then bias [out];
 * a gradient is a flat array of the same layout. In a file (mlp_file.c) weights are [out,
 * in], as PyTorch has them. */
#ifndef MODEL_MLP_H
#define MODEL_MLP_H

#include "base/auto.h"
#include "gridmill/error.h"
#include "kernels/device/device.h"
#include <stddef.h>
#include <stdint.h>

#define MLP_MAX_LAYERS 64
#define MLP_MAX_WIDTH  (1U << 24)

struct mlp_shape {
    unsigned n_layers;                   /* of weights: one less than widths */
    uint32_t widths[MLP_MAX_LAYERS + 1]; /* inputs, hidden ..., classes */
    enum act activation;
};

struct mlp_layer {
    size_t in, out;
    size_t weight, bias; /* offsets into the parameters */
};

struct mlp {
    struct mlp_shape shape;
    struct mlp_layer layers[MLP_MAX_LAYERS];
    size_t n_params;
    float *params; /* [n_params], 64-byte aligned, the host's */
    double scale;  /* what inputs were multiplied by; who calls forward does it */
};

/* A network on a device: its parameters there, and buffers for batches of up to `rows`
 * rows. Where the device's memory is the host's, they are m->params itself. */
struct mlp_work;

/* Fills a shape from widths[n]; fails with the sentence when they are no network. */
int mlp_shape_make(const int64_t *widths,
                   size_t n,
                   enum act activation,
                   struct mlp_shape *ret,
                   struct gm_error *err);
/* All parameters 0. */
int mlp_make(const struct mlp_shape *shape, struct mlp **ret, struct gm_error *err);
void mlp_free(struct mlp *m); /* takes NULL */
/* Weights uniform in +-sqrt(6 / in) (He et al. 2015) from Philox (seed, stream: layer),
 * biases 0. */
void mlp_init(struct mlp *m, uint64_t seed);

/* `m` and `d` are borrowed. -ENOTSUP: the device has not all that is needed. */
int mlp_work_make(struct mlp *m,
                  struct device *d,
                  size_t rows,
                  struct mlp_work **ret,
                  struct gm_error *err);
void mlp_work_free(struct mlp_work *w); /* takes NULL */

/* Class scores [rows][classes] of x[rows][inputs]: x is the host's, what is returned the
 * device's, until w's next use. Waits for nothing. */
const float *mlp_forward(struct mlp_work *w, size_t rows, const float *x);
/* The same where the host reads them. */
int mlp_scores(struct mlp_work *w,
               size_t rows,
               const float *x,
               const float **ret,
               struct gm_error *err);
/* Probabilities [rows][classes] and the class of each row, for the host. */
int mlp_predict(struct mlp_work *w,
                size_t rows,
                const float *x,
                float *ret_p,
                int32_t *ret_class,
                struct gm_error *err);
/* The gradient of scale * (summed loss) into grad[n_params], which is the device's; x and
 * labels are the host's. With `ret` NULL nothing is waited for, and 0 returned. */
int mlp_gradient(struct mlp_work *w,
                 size_t rows,
                 const float *x,
                 const int32_t *labels,
                 float scale,
                 float *grad,
                 struct xent_score *ret,
                 struct gm_error *err);
/* A step of the parameters; all arrays are the device's, [n_params]. */
void mlp_sgd(struct mlp_work *w, const struct sgd *o, float *v, const float *grad);
void mlp_adamw(struct mlp_work *w,
               const struct adamw *o,
               uint64_t t,
               float *mean,
               float *square,
               const float *grad);
/* The device's parameters into the network, and back. */
int mlp_fetch(struct mlp_work *w, struct gm_error *err);
void mlp_store(struct mlp_work *w);

/* safetensors bytes (yours to free), and back. `origin` names them in errors. */
int mlp_format(const struct mlp *m,
               unsigned char **ret,
               size_t *ret_len,
               struct gm_error *err);
int mlp_parse(const char *origin,
              const void *bytes,
              size_t len,
              struct mlp **ret,
              struct gm_error *err);
int mlp_load(const char *path, struct mlp **ret, struct gm_error *err);

const char *mlp_activation_name(enum act act); /* "relu", "gelu" */

AUTO_TYPE(mlp, mlp_free)
AUTO_TYPE(mlp_work, mlp_work_free)

#endif
