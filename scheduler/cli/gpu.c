/* See gpu.h. */
#include "gpu.h"

#include "kernels/device/device.h"
#include <stdio.h>
#include <string.h>

/* Without the device's name in front: who tells it has said it. */
static bool give(char ret[GPU_WORDS], bool works, const char *words)
{
    bool named = strncmp(words, "cuda: ", 6) == 0;
    (void)snprintf(ret, GPU_WORDS, "%s", named ? words + 6 : words);
    return works;
}

bool gpu_words(char ret[GPU_WORDS])
{
    struct gm_error err;
    char text[128];
    int rc = device_probe("cuda", text, &err);
    return give(ret, rc == 0, rc == 0 ? text : err.text);
}

/* 2 x 3 there. */
static int multiply(struct device *d, float *ret, struct gm_error *err)
{
    const float factors[2] = {2, 3};
    const struct gemm_shape one = {.form = GEMM_NN, .m = 1, .n = 1, .k = 1};
    void *at = NULL;
    int rc = d->op->alloc(d, 3 * sizeof(float), &at, err);
    if (rc != 0)
        return rc;
    float *x = at;
    d->op->put(d, x, factors, sizeof(factors));
    d->op->gemm(d, &one, x, x + 1, x + 2);
    d->op->get(d, ret, x + 2, sizeof(*ret));
    rc = d->op->sync(d, err);
    d->op->release(d, at);
    return rc;
}

bool gpu_proved(char ret[GPU_WORDS])
{
    struct gm_error err;
    AUTO(device) d = NULL;
    float product = 0;
    if (device_open("cuda", &d, &err) != 0 || multiply(d, &product, &err) != 0)
        return give(ret, false, err.text);
    if (product == 6)
        return give(ret, true, d->text);
    (void)snprintf(ret, GPU_WORDS, "%s: 2 x 3 gave %g", d->text, (double)product);
    return false;
}

void gpu_put(struct json *j)
{
    char words[GPU_WORDS];
    bool works = gpu_words(words);
    json_key(j, "cuda");
    json_begin(j, '{');
    json_put_bool(j, "works", works);
    json_put_string(j, "device", works ? words : NULL);
    json_put_string(j, "why_not", works ? NULL : words);
    json_end(j, '}');
}
