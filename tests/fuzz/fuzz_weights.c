/* model/weights.h: what is read from any bytes is aligned and complete, is written as
 * safetensors and read from there as the same tensors and the same config. */
#include "base/auto.h"
#include "fuzz.h"
#include "kernels/model/weights.h"

static void same_config(const struct weights_config *a, const struct weights_config *b)
{
    FUZZ_CHECK(a->arch == b->arch && a->dim == b->dim && a->hidden == b->hidden &&
                   a->layers == b->layers && a->heads == b->heads &&
                   a->kv_heads == b->kv_heads && a->head_dim == b->head_dim,
               "width %zu became %zu",
               a->dim,
               b->dim);
    FUZZ_CHECK(a->vocab == b->vocab && a->context == b->context && a->tied == b->tied &&
                   a->rope_pairs == b->rope_pairs && a->gelu_erf == b->gelu_erf,
               "vocabulary %zu became %zu",
               a->vocab,
               b->vocab);
    FUZZ_CHECK(!(a->norm_eps < b->norm_eps || a->norm_eps > b->norm_eps),
               "%g became %g",
               a->norm_eps,
               b->norm_eps);
    FUZZ_CHECK(!(a->rope_theta < b->rope_theta || a->rope_theta > b->rope_theta),
               "%g became %g",
               a->rope_theta,
               b->rope_theta);
}

static void take_all(const struct weights *w)
{
    for (size_t i = 0; i < w->n_tensors; i++) {
        const struct weights_tensor *t = &w->tensors[i];
        size_t dims[GM_MAX_DIMS], n = 1;
        for (uint32_t d = 0; d < t->ndim; d++)
            n *= dims[d] = (size_t)t->dims[d];
        FUZZ_CHECK(weights_find(w, t->name) == t, "%s", t->name);
        if (t->type == WEIGHTS_OTHER)
            continue;
        AUTO_FREE(float) v = malloc((n + 1) * sizeof(*v));
        struct gm_error err = {0};
        FUZZ_CHECK(weights_take(w, t->name, t->ndim, dims, v, &err) == 0, "%s", err.text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(weights) w = NULL;
    AUTO(weights) second = NULL;
    AUTO_FREE(unsigned char) bytes = NULL;
    size_t len = 0;
    struct gm_error err = {0};
    int rc = weights_parse("input", data, size, &w, &err);
    if (rc != 0) {
        fuzz_refused(rc, rc == -ENOTSUP ? -ENOTSUP : -EINVAL, &err, "bytes");
        return 0;
    }
    take_all(w);
    FUZZ_CHECK(weights_format(w, &bytes, &len, &err) == 0, "%s", err.text);
    rc = weights_parse("written", bytes, len, &second, &err);
    FUZZ_CHECK(rc == 0, "%s", err.text);
    FUZZ_CHECK(second->n_tensors == w->n_tensors, "%zu", second->n_tensors);
    same_config(&w->config, &second->config);
    for (size_t i = 0; i < w->n_tensors; i++) {
        const struct weights_tensor *x = &w->tensors[i],
                                    *y = weights_find(second, x->name);
        FUZZ_CHECK(y != NULL && x->type == y->type && x->nbytes == y->nbytes &&
                       (x->nbytes == 0 || memcmp(x->data, y->data, x->nbytes) == 0),
                   "%s",
                   x->name);
    }
    return 0;
}
