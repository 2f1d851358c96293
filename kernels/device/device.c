/* Devices by name, and what of the table a network needs. The list of needs below is the
 * only one: device_check and the tests read it. */
#include "device.h"

#include "base/dso.h"
#include "device_entry.h"
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 4096

/* "3" */
static bool is_number(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits < 8 && text[digits] == '\0' &&
           strtoul(text, NULL, 10) < NUMBER_MAX;
}

/* "0000:3b:00.0": domain, bus, device, function. */
static bool is_address(const char *text)
{
    static const char hex[] = "0123456789abcdefABCDEF";
    size_t domain = strspn(text, hex);
    const char *p = text + domain;
    return domain >= 4 && domain <= 8 && p[0] == ':' && strspn(p + 1, hex) == 2 &&
           p[3] == ':' && strspn(p + 4, hex) == 2 && p[6] == '.' && p[7] >= '0' &&
           p[7] <= '7' && p[8] == '\0';
}

/* NULL in *ret_which: the cpu. Else what CUDA's object is asked for. */
static int read_name(const char *name, const char **ret_which, struct gm_error *err)
{
    const char *which = NULL;
    bool good = strcmp(name, "cpu") == 0;
    if (strcmp(name, "cuda") == 0) {
        which = "0";
        good = true;
    } else if (strncmp(name, "cuda:", 5) == 0) {
        which = name + 5;
        good = is_number(which) || is_address(which);
    }
    if (!good)
        return gm_fail(err,
                       -EINVAL,
                       "'%.40s' is no device: there are cpu, cuda and cuda:N (N: a GPU's "
                       "number among those that this process sees, from 0, or its PCI "
                       "address)",
                       name);
    *ret_which = which;
    return 0;
}

int device_open(const char *name, struct device **ret, struct gm_error *err)
{
    const char *which = NULL;
    int rc = read_name(name, &which, err);
    if (rc != 0 || which == NULL)
        return rc != 0 ? rc : device_cpu_open(ret, err);
    AUTO(dso) library = NULL;
    const struct device_entry *entry = NULL;
    rc = device_find_cuda(&library, &entry, err);
    struct device *d = NULL;
    if (rc == 0)
        rc = entry->open(which, &d, err);
    if (rc != 0)
        return rc;
    d->library = steal(&library);
    *ret = d;
    return 0;
}

void device_close(struct device *d)
{
    if (d == NULL)
        return;
    AUTO(dso) library = d->library; /* its code runs until close returns */
    d->op->close(d);
}

int device_probe(const char *name, char ret_text[128], struct gm_error *err)
{
    const char *which = NULL;
    int rc = read_name(name, &which, err);
    if (rc == 0 && which == NULL)
        (void)snprintf(ret_text, 128, "cpu");
    if (rc != 0 || which == NULL)
        return rc;
    AUTO(dso) library = NULL;
    const struct device_entry *entry = NULL;
    rc = device_find_cuda(&library, &entry, err);
    return rc == 0 ? entry->probe(which, ret_text, err) : rc;
}

#define SLOT(need, slot)                                                                 \
    {                                                                                    \
        need, offsetof(struct device_table, slot), #slot                                 \
    }

/* An operator, and the least network that needs it: each need has those before it. */
static const struct {
    enum device_need need;
    size_t offset;
    const char *name;
} slots[] = {SLOT(DEVICE_FOR_GEMM, alloc),
             SLOT(DEVICE_FOR_GEMM, release),
             SLOT(DEVICE_FOR_GEMM, put),
             SLOT(DEVICE_FOR_GEMM, get),
             SLOT(DEVICE_FOR_GEMM, copy),
             SLOT(DEVICE_FOR_GEMM, zero),
             SLOT(DEVICE_FOR_GEMM, sync),
             SLOT(DEVICE_FOR_GEMM, close),
             SLOT(DEVICE_FOR_GEMM, gemm),
             SLOT(DEVICE_FOR_GEMM, gemm_bf16),
             SLOT(DEVICE_FOR_GEMM, gemm_batch),
             SLOT(DEVICE_FOR_GEMM, to_bf16),
             SLOT(DEVICE_FOR_MLP, bias_act_forward),
             SLOT(DEVICE_FOR_MLP, bias_act_backward),
             SLOT(DEVICE_FOR_MLP, xent_train),
             SLOT(DEVICE_FOR_MLP, xent_infer),
             SLOT(DEVICE_FOR_MLP, sgd),
             SLOT(DEVICE_FOR_MLP, adamw),
             SLOT(DEVICE_FOR_TRANSFORMER, embedding_forward),
             SLOT(DEVICE_FOR_TRANSFORMER, embedding_backward),
             SLOT(DEVICE_FOR_TRANSFORMER, embedding_backward_place),
             SLOT(DEVICE_FOR_TRANSFORMER, layernorm_forward),
             SLOT(DEVICE_FOR_TRANSFORMER, layernorm_backward),
             SLOT(DEVICE_FOR_TRANSFORMER, rmsnorm_forward),
             SLOT(DEVICE_FOR_TRANSFORMER, rmsnorm_backward),
             SLOT(DEVICE_FOR_TRANSFORMER, rotary_forward),
             SLOT(DEVICE_FOR_TRANSFORMER, rotary_backward),
             SLOT(DEVICE_FOR_TRANSFORMER, swiglu_forward),
             SLOT(DEVICE_FOR_TRANSFORMER, swiglu_backward),
             SLOT(DEVICE_FOR_TRANSFORMER, attention_forward),
             SLOT(DEVICE_FOR_TRANSFORMER, attention_backward),
             SLOT(DEVICE_FOR_TRANSFORMER, dropout),
             SLOT(DEVICE_FOR_TRANSFORMER, xent_tokens),
             SLOT(DEVICE_FOR_TRANSFORMER, norm)};

/* A slot that the list above forgets would never be looked for. */
_Static_assert(sizeof(struct device_table) ==
                   16 + sizeof(slots) / sizeof(slots[0]) * sizeof(void (*)(void)),
               "each slot of struct device_table stands in slots[]");

int device_check(const struct device *d, enum device_need need, struct gm_error *err)
{
    static const char *const networks[] = {[DEVICE_FOR_GEMM] = "products",
                                           [DEVICE_FOR_MLP] = "a perceptron",
                                           [DEVICE_FOR_TRANSFORMER] = "a transformer"};
    for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
        void (*slot)(void);
        memcpy(&slot, (const char *)d->op + slots[i].offset, sizeof(slot));
        if (slot == NULL && slots[i].need <= need)
            return gm_fail(err,
                           -ENOTSUP,
                           "the device %s has no %s, which %s needs",
                           d->op->name,
                           slots[i].name,
                           networks[need]);
    }
    return 0;
}
