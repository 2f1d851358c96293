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
#include "kernels/op/bias_act.h"
#include "kernels/op/xent.h"
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
    float *params; /* [n_params], 64-byte aligned */
    double scale;  /* what inputs were multiplied by; who calls forward does it */
};

/* Buffers for batches of up to `rows` rows. */
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

int mlp_work_make(const struct mlp *m,
                  size_t rows,
                  struct mlp_work **ret,
                  struct gm_error *err);
void mlp_work_free(struct mlp_work *w); /* takes NULL */

/* Class scores [rows][classes] of x[rows][inputs]; they lie in `w` until its next use. */
const float *
mlp_forward(const struct mlp *m, struct mlp_work *w, size_t rows, const float *x);
/* The gradient of scale * (summed loss) into grad[n_params], and the score. */
struct xent_score mlp_gradient(const struct mlp *m,
                               struct mlp_work *w,
                               size_t rows,
                               const float *x,
                               const int32_t *labels,
                               float scale,
                               float *grad);

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
