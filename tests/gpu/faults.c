/* One fault an operator, of the kind that a kernel really has: an end that is cut off, a
 * factor that is forgotten. The table's copy calls the right operator with wrong
 * arguments. */
#include "trial.h"

#include <stdio.h>
#include <string.h>

/* The device's own table; the copy stands before it. */
static const struct device_table *right;

static void wrong_gemm(struct device *d,
                       const struct gemm_shape *g,
                       const float *a,
                       const float *b,
                       float *c)
{
    struct gemm_shape less = *g;
    less.add = false; /* C is forgotten */
    right->gemm(d, &less, a, b, c);
}

static void wrong_gemm_bf16(struct device *d,
                            const struct gemm_shape *g,
                            const float *a,
                            const uint16_t *b,
                            float *c)
{
    struct gemm_shape less = *g;
    less.m = g->m > 100 ? g->m - 1 : g->m; /* a row is left */
    right->gemm_bf16(d, &less, a, b, c);
}

static void wrong_gemm_batch(struct device *d,
                             const struct gemm_shape *g,
                             const struct gemm_batch *batch,
                             const float *a,
                             const float *b,
                             float *c)
{
    struct gemm_batch other = *batch;
    other.b_step = 0; /* all take the first B */
    right->gemm_batch(d, g, &other, a, b, c);
}

static void wrong_to_bf16(struct device *d, size_t n, const float *v, uint16_t *ret)
{
    right->to_bf16(d, n - 1, v, ret);
}

static void wrong_bias_act_forward(struct device *d,
                                   enum act act,
                                   size_t m,
                                   size_t n,
                                   float *z,
                                   const float *bias,
                                   float *y)
{
    right->bias_act_forward(
        d, act == ACT_GELU ? ACT_GELU_ERF : act, m, n, z, bias, y); /* the other form */
}

static void wrong_bias_act_backward(struct device *d,
                                    enum act act,
                                    size_t m,
                                    size_t n,
                                    const float *z,
                                    const float *dy,
                                    float *dz,
                                    float *dbias)
{
    right->bias_act_backward(d, act, m > 1000 ? m - 1 : m, n, z, dy, dz, dbias);
}

static void wrong_xent_train(struct device *d,
                             size_t m,
                             size_t classes,
                             const float *logits,
                             const int32_t *labels,
                             float scale,
                             float *dlogits,
                             struct xent_score *ret)
{
    right->xent_train(d, m, classes, logits, labels, scale * 1.00001F, dlogits, ret);
}

static void wrong_xent_infer(struct device *d,
                             size_t m,
                             size_t classes,
                             const float *logits,
                             float *p,
                             int32_t *predicted)
{
    right->xent_infer(d, m > 1 ? m - 1 : m, classes, logits, p, predicted);
}

static void wrong_sgd(
    struct device *d, const struct sgd *o, size_t n, float *w, float *v, const float *g)
{
    struct sgd other = *o;
    other.decay = 0;
    right->sgd(d, &other, n, w, v, g);
}

static void wrong_adamw(struct device *d,
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
    right->adamw(d, o, t + 1, factor, n_groups, groups, w, m, v, g);
}

static void wrong_copy(struct device *d, void *to, const void *from, size_t nbytes)
{
    right->copy(d, to, from, nbytes - 4); /* the last number is left */
}

/* The check that must see it, the slot. */
static const struct {
    const char *name;
    size_t slot;
    void (*wrong)(void);
} faults[] = {
#define FAULT(slot) FAULT_OF(slot, slot)
#define FAULT_OF(check, slot)                                                            \
    {                                                                                    \
#check, offsetof(struct device_table, slot), (void (*)(void))wrong_##slot        \
    }
    FAULT_OF(memory, copy),
    FAULT(gemm),
    FAULT(gemm_bf16),
    FAULT(gemm_batch),
    FAULT(to_bf16),
    FAULT(bias_act_forward),
    FAULT(bias_act_backward),
    FAULT(xent_train),
    FAULT(xent_infer),
    FAULT(sgd),
    FAULT(adamw),
#undef FAULT
#undef FAULT_OF
};

bool fault_put(const char *name, struct device *d)
{
    static struct device_table table;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        if (strcmp(faults[i].name, name) != 0)
            continue;
        right = d->op;
        table = *right;
        memcpy((char *)&table + faults[i].slot, &faults[i].wrong, sizeof(void (*)(void)));
        d->op = &table;
        return true;
    }
    return false;
}

void fault_names(void)
{
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        printf("%s\n", faults[i].name);
}
