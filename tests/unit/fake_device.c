/* A device as gridmill_cuda.so has one, without a GPU: the cpu's operators behind
 * addresses that nobody can read. Device memory that the host touches ends the process,
 * as does host memory that is handed to an operator; so this shows that networks and
 * kernels keep the two apart, and, the operators being the cpu's, bits can be compared.
 * It has one GPU, number 0. FAKE_... makes one number of the entry wrong. */
#include "kernels/device/device_entry.h"

#include <stdlib.h>

#ifndef FAKE_ABI
#define FAKE_ABI DEVICE_ABI
#endif
#ifndef FAKE_TABLE
#define FAKE_TABLE sizeof(struct device_table)
#endif
#ifndef FAKE_ENTRY
#define FAKE_ENTRY sizeof(struct device_entry)
#endif

/* Added to an address of the host, it is none of any processor's. */
#define FAR ((uintptr_t)1 << 62)

static void *hide(void *p)
{
    return (void *)((uintptr_t)p + FAR);
}

static void *at(const void *p)
{
    if (p == NULL)
        return NULL;
    if ((uintptr_t)p < FAR) {
        (void)fprintf(stderr, "fake_device: memory of the host\n");
        abort();
    }
    return (void *)((uintptr_t)p - FAR);
}

static void *host(const void *p)
{
    if ((uintptr_t)p >= FAR) {
        (void)fprintf(stderr, "fake_device: memory of the device\n");
        abort();
    }
    return (void *)(uintptr_t)p;
}

static int fake_alloc(struct device *d, size_t nbytes, void **ret, struct gm_error *err)
{
    void *p = NULL;
    int rc = device_cpu_table.alloc(d, nbytes, &p, err);
    if (rc == 0)
        *ret = hide(p);
    return rc;
}

static void fake_release(struct device *d, void *p)
{
    device_cpu_table.release(d, at(p));
}

static void fake_put(struct device *d, void *to, const void *from, size_t nbytes)
{
    device_cpu_table.put(d, at(to), host(from), nbytes);
}

static void fake_get(struct device *d, void *to, const void *from, size_t nbytes)
{
    device_cpu_table.get(d, host(to), at(from), nbytes);
}

static void fake_copy(struct device *d, void *to, const void *from, size_t nbytes)
{
    device_cpu_table.copy(d, at(to), at(from), nbytes);
}

static void fake_zero(struct device *d, void *to, size_t nbytes)
{
    device_cpu_table.zero(d, at(to), nbytes);
}

static void fake_gemm(struct device *d,
                      const struct gemm_shape *g,
                      const float *a,
                      const float *b,
                      float *c)
{
    device_cpu_table.gemm(d, g, at(a), at(b), at(c));
}

static void fake_gemm_bf16(struct device *d,
                           const struct gemm_shape *g,
                           const float *a,
                           const uint16_t *b,
                           float *c)
{
    device_cpu_table.gemm_bf16(d, g, at(a), at(b), at(c));
}

static void fake_gemm_batch(struct device *d,
                            const struct gemm_shape *g,
                            const struct gemm_batch *batch,
                            const float *a,
                            const float *b,
                            float *c)
{
    device_cpu_table.gemm_batch(d, g, batch, at(a), at(b), at(c));
}

static void fake_to_bf16(struct device *d, size_t n, const float *v, uint16_t *ret)
{
    device_cpu_table.to_bf16(d, n, at(v), at(ret));
}

static void fake_bias_act_forward(struct device *d,
                                  enum act act,
                                  size_t m,
                                  size_t n,
                                  float *z,
                                  const float *bias,
                                  float *y)
{
    device_cpu_table.bias_act_forward(d, act, m, n, at(z), at(bias), at(y));
}

static void fake_bias_act_backward(struct device *d,
                                   enum act act,
                                   size_t m,
                                   size_t n,
                                   const float *z,
                                   const float *dy,
                                   float *dz,
                                   float *dbias)
{
    device_cpu_table.bias_act_backward(d, act, m, n, at(z), at(dy), at(dz), at(dbias));
}

static void fake_xent_train(struct device *d,
                            size_t m,
                            size_t classes,
                            const float *logits,
                            const int32_t *labels,
                            float scale,
                            float *dlogits,
                            struct xent_score *ret)
{
    device_cpu_table.xent_train(
        d, m, classes, at(logits), at(labels), scale, at(dlogits), at(ret));
}

static void fake_xent_infer(struct device *d,
                            size_t m,
                            size_t classes,
                            const float *logits,
                            float *p,
                            int32_t *predicted)
{
    device_cpu_table.xent_infer(d, m, classes, at(logits), at(p), at(predicted));
}

static void fake_sgd(
    struct device *d, const struct sgd *o, size_t n, float *w, float *v, const float *g)
{
    device_cpu_table.sgd(d, o, n, at(w), at(v), at(g));
}

static void fake_adamw(struct device *d,
                       const struct adamw *o,
                       uint64_t t,
                       float factor,
                       size_t n_groups,
                       const struct adamw_group *groups,
                       float *w,
                       float *m,
                       float *v,
                       const float *g)
{
    device_cpu_table.adamw(
        d, o, t, factor, n_groups, host(groups), at(w), at(m), at(v), at(g));
}

static int fake_sync(struct device *d, struct gm_error *err)
{
    return device_cpu_table.sync(d, err);
}

static void fake_close(struct device *d)
{
    free(d);
}

static const struct device_table table = {.abi = DEVICE_ABI,
                                          .size = sizeof(struct device_table),
                                          .name = "cuda",
                                          .alloc = fake_alloc,
                                          .release = fake_release,
                                          .put = fake_put,
                                          .get = fake_get,
                                          .copy = fake_copy,
                                          .zero = fake_zero,
                                          .sync = fake_sync,
                                          .close = fake_close,
                                          .gemm = fake_gemm,
                                          .gemm_bf16 = fake_gemm_bf16,
                                          .gemm_batch = fake_gemm_batch,
                                          .to_bf16 = fake_to_bf16,
                                          .bias_act_forward = fake_bias_act_forward,
                                          .bias_act_backward = fake_bias_act_backward,
                                          .xent_train = fake_xent_train,
                                          .xent_infer = fake_xent_infer,
                                          .sgd = fake_sgd,
                                          .adamw = fake_adamw};

static int probe(const char *which, char ret_text[128], struct gm_error *err)
{
    if (strcmp(which, "0") != 0 && strcmp(which, "0000:3b:00.0") != 0)
        return gm_fail(err, -ENODEV, "cuda: there is no GPU %s", which);
    (void)snprintf(ret_text, 128, "a fake GPU");
    return 0;
}

static int open_(const char *which, struct device **ret, struct gm_error *err)
{
    char text[128];
    int rc = probe(which, text, err);
    if (rc != 0)
        return rc;
    struct device *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return gm_fail(err, -ENOMEM, "out of memory");
    *d = (struct device){.op = &table};
    memcpy(d->text, text, sizeof(text));
    *ret = d;
    return 0;
}

const struct device_entry gridmill_device = {.abi = FAKE_ABI,
                                             .size = FAKE_ENTRY,
                                             .device_size = sizeof(struct device),
                                             .table_size = FAKE_TABLE,
                                             .error_size = sizeof(struct gm_error),
                                             .name = "cuda",
                                             .probe = probe,
                                             .open = open_};
