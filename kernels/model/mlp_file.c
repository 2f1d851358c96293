/* A network as safetensors: layers.N.weight [out, in] and layers.N.bias [out], what a
 * shape cannot say in the metadata. Equal networks give equal bytes. */
#include "mlp.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/str.h"
#include "kernels/io/safetensors.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT    "gridmill.mlp/1"
#define MODEL_MAX ((size_t)1 << 40)

static void transpose(size_t rows, size_t cols, const float *from, float *to)
{
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < cols; j++)
            to[j * rows + i] = from[i * cols + j];
    }
}

int mlp_format(const struct mlp *m,
               unsigned char **ret,
               size_t *ret_len,
               struct gm_error *err)
{
    AUTO(arena) a = arena_make();
    AUTO_FREE(float) turned = malloc(m->n_params * sizeof(float));
    if (turned == NULL)
        return gm_fail(
            err, -ENOMEM, "no memory for a copy of %zu parameters", m->n_params);
    struct safetensors_tensor tensors[2 * MLP_MAX_LAYERS], *t = tensors;
    for (unsigned l = 0; l < m->shape.n_layers; l++) {
        const struct mlp_layer *layer = &m->layers[l];
        transpose(
            layer->in, layer->out, m->params + layer->weight, turned + layer->weight);
        *t++ = (struct safetensors_tensor){.name = arena_printf(a, "layers.%u.weight", l),
                                           .dtype = GM_F32,
                                           .ndim = 2,
                                           .dims = {layer->out, layer->in},
                                           .data = turned + layer->weight};
        *t++ = (struct safetensors_tensor){.name = arena_printf(a, "layers.%u.bias", l),
                                           .dtype = GM_F32,
                                           .ndim = 1,
                                           .dims = {layer->out},
                                           .data = m->params + layer->bias};
    }
    AUTO_STR widths = {0};
    for (unsigned l = 0; l <= m->shape.n_layers; l++)
        str_printf(&widths, l == 0 ? "%u" : ",%u", m->shape.widths[l]);
    char scale[32];
    const struct safetensors_meta meta[] = {
        {"activation", mlp_activation_name(m->shape.activation)},
        {"classes", arena_printf(a, "%u", m->shape.widths[m->shape.n_layers])},
        {"format", FORMAT},
        {"layers", str_text(&widths)},
        {"scale", str_double(m->scale, scale)}};
    return safetensors_format(tensors,
                              (size_t)(t - tensors),
                              meta,
                              sizeof(meta) / sizeof(meta[0]),
                              ret,
                              ret_len,
                              err);
}

/* "64,32,10" -> widths; false when it is not that. */
static bool read_widths(const char *text, int64_t *widths, size_t most, size_t *ret_n)
{
    size_t n = 0;
    for (const char *p = text;; p++) {
        char *end;
        errno = 0;
        long long v = strtoll(p, &end, 10);
        if (end == p || errno != 0 || n == most)
            return false;
        widths[n++] = v;
        if (*end == '\0')
            break;
        if (*end != ',')
            return false;
        p = end;
    }
    *ret_n = n;
    return true;
}

static int read_meta(const char *origin,
                     const struct safetensors *st,
                     struct mlp_shape *ret,
                     double *ret_scale,
                     struct gm_error *err)
{
    const char *format = safetensors_value(st, "format"),
               *layers = safetensors_value(st, "layers"),
               *activation = safetensors_value(st, "activation"),
               *scale = safetensors_value(st, "scale");
    if (format == NULL || strcmp(format, FORMAT) != 0)
        return gm_fail(err,
                       -EINVAL,
                       "%s: is no network of mlp.train: its format is %s%s",
                       origin,
                       format == NULL ? "not said" : format,
                       format == NULL ? "" : ", not " FORMAT);
    int64_t widths[MLP_MAX_LAYERS + 1];
    size_t n = 0;
    if (layers == NULL || !read_widths(layers, widths, MLP_MAX_LAYERS + 1, &n))
        return gm_fail(
            err, -EINVAL, "%s: metadata 'layers' is not a list of widths", origin);
    enum act act = ACT_NONE;
    if (activation != NULL && strcmp(activation, "relu") == 0)
        act = ACT_RELU;
    else if (activation != NULL && strcmp(activation, "gelu") == 0)
        act = ACT_GELU;
    else
        return gm_fail(
            err, -EINVAL, "%s: metadata 'activation' is not relu or gelu", origin);
    char *end = NULL;
    double v = scale == NULL ? 0 : strtod(scale, &end);
    if (scale == NULL || end == scale || *end != '\0' || !isfinite(v))
        return gm_fail(err, -EINVAL, "%s: metadata 'scale' is not a number", origin);
    *ret_scale = v;
    int rc = mlp_shape_make(widths, n, act, ret, err);
    if (rc != 0)
        gm_prefix(err, "%s", origin);
    return rc;
}

/* The tensor `name` of shape [a] or [a, b], or NULL with the sentence. */
static const void *tensor(const char *origin,
                          const struct safetensors *st,
                          const char *name,
                          size_t a,
                          size_t b,
                          struct gm_error *err)
{
    const struct safetensors_tensor *t = safetensors_find(st, name);
    if (t == NULL) {
        (void)gm_fail(err, -EINVAL, "%s: has no tensor '%s'", origin, name);
        return NULL;
    }
    bool fits = t->dtype == GM_F32 && t->ndim == (b > 0 ? 2U : 1U) && t->dims[0] == a &&
                (b == 0 || t->dims[1] == b);
    if (!fits) {
        (void)gm_fail(err,
                      -EINVAL,
                      "%s: tensor '%s' is not F32 [%zu%s%.0zu]",
                      origin,
                      name,
                      a,
                      b > 0 ? ", " : "",
                      b);
        return NULL;
    }
    return t->data;
}

static int read_layers(const char *origin,
                       const struct safetensors *st,
                       struct mlp *m,
                       struct gm_error *err)
{
    AUTO_FREE(float) turned = malloc(m->n_params * sizeof(float));
    if (turned == NULL)
        return gm_fail(
            err, -ENOMEM, "no memory for a copy of %zu parameters", m->n_params);
    for (unsigned l = 0; l < m->shape.n_layers; l++) {
        const struct mlp_layer *layer = &m->layers[l];
        char name[48];
        (void)snprintf(name, sizeof(name), "layers.%u.weight", l);
        const void *weight = tensor(origin, st, name, layer->out, layer->in, err);
        (void)snprintf(name, sizeof(name), "layers.%u.bias", l);
        const void *bias =
            weight == NULL ? NULL : tensor(origin, st, name, layer->out, 0, err);
        if (bias == NULL)
            return -EINVAL;
        memcpy(turned, weight, layer->in * layer->out * sizeof(float));
        transpose(layer->out, layer->in, turned, m->params + layer->weight);
        memcpy(m->params + layer->bias, bias, layer->out * sizeof(float));
    }
    return 0;
}

int mlp_parse(const char *origin,
              const void *bytes,
              size_t len,
              struct mlp **ret,
              struct gm_error *err)
{
    AUTO(safetensors) st = NULL;
    AUTO(mlp) m = NULL;
    struct mlp_shape shape;
    double scale = 1;
    int rc = safetensors_parse(origin, bytes, len, &st, err);
    if (rc == 0)
        rc = read_meta(origin, st, &shape, &scale, err);
    if (rc != 0)
        return rc;
    /* widths are only words until the tensors are as large as they say */
    size_t floats = 0, held = 0;
    for (unsigned l = 0; l < shape.n_layers; l++)
        floats += ((size_t)shape.widths[l] + 1) * shape.widths[l + 1];
    for (size_t i = 0; i < st->n_tensors; i++)
        held += st->tensors[i].nbytes / sizeof(float);
    if (floats != held)
        return gm_fail(err,
                       -EINVAL,
                       "%s: holds %zu parameters where its layers want %zu",
                       origin,
                       held,
                       floats);
    rc = mlp_make(&shape, &m, err);
    if (rc == 0)
        rc = read_layers(origin, st, m, err);
    if (rc != 0)
        return rc;
    m->scale = scale;
    *ret = steal(&m);
    return 0;
}

int mlp_load(const char *path, struct mlp **ret, struct gm_error *err)
{
    AUTO_FREE(char) bytes = NULL;
    size_t len = 0;
    int rc = file_read(path, MODEL_MAX, &bytes, &len, err);
    return rc == 0 ? mlp_parse(path, bytes, len, ret, err) : rc;
}
