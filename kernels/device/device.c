/* Devices by name, and what of the table a network needs. The list of needs below is the
 * only one: device_check and the tests read it. */
#include "device.h"

#include "base/dso.h"
#include "device_entry.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 4096

enum kind { CPU, CUDA };

/* "cuda:3" -> CUDA, 3. */
static int
read_name(const char *name, enum kind *ret, unsigned *ret_number, struct gm_error *err)
{
    unsigned long number = 0;
    if (strcmp(name, "cpu") == 0) {
        *ret = CPU;
        return 0;
    }
    bool good = strncmp(name, "cuda", 4) == 0;
    if (good && name[4] != '\0') {
        char *end = NULL;
        good = name[4] == ':' && isdigit((unsigned char)name[5]) && strlen(name) < 12;
        number = good ? strtoul(name + 5, &end, 10) : 0;
        good = good && *end == '\0' && number < NUMBER_MAX;
    }
    if (!good)
        return gm_fail(err,
                       -EINVAL,
                       "'%.40s' is no device: there are cpu, cuda and cuda:N (the GPU "
                       "number N of those that this process sees, from 0)",
                       name);
    *ret = CUDA;
    *ret_number = (unsigned)number;
    return 0;
}

int device_open(const char *name, struct device **ret, struct gm_error *err)
{
    enum kind kind = CPU;
    unsigned number = 0;
    int rc = read_name(name, &kind, &number, err);
    if (rc != 0 || kind == CPU)
        return rc != 0 ? rc : device_cpu_open(ret, err);
    AUTO(dso) library = NULL;
    const struct device_entry *entry = NULL;
    rc = device_find_cuda(&library, &entry, err);
    struct device *d = NULL;
    if (rc == 0)
        rc = entry->open(number, &d, err);
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
    enum kind kind = CPU;
    unsigned number = 0;
    int rc = read_name(name, &kind, &number, err);
    if (rc == 0 && kind == CPU)
        (void)snprintf(ret_text, 128, "cpu");
    if (rc != 0 || kind == CPU)
        return rc;
    AUTO(dso) library = NULL;
    const struct device_entry *entry = NULL;
    rc = device_find_cuda(&library, &entry, err);
    return rc == 0 ? entry->probe(number, ret_text, err) : rc;
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
