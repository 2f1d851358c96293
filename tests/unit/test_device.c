#include "kernels/device/device_entry.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

Test(device, the_cpu_has_every_operator)
{
    struct gm_error err = {0};
    AUTO(device) d = NULL;
    cr_assert_eq(device_open("cpu", &d, &err), 0, "%s", err.text);
    cr_expect(d->host);
    cr_expect_str_eq(d->text, "cpu");
    cr_expect_eq(device_check(d, DEVICE_FOR_GEMM, &err), 0, "%s", err.text);
    cr_expect_eq(device_check(d, DEVICE_FOR_MLP, &err), 0, "%s", err.text);
    cr_expect_eq(device_check(d, DEVICE_FOR_TRANSFORMER, &err), 0, "%s", err.text);
}

Test(device, a_table_without_an_operator_is_refused_for_the_networks_that_need_it)
{
    struct gm_error err = {0};
    struct device_table table = device_cpu_table;
    struct device d = {.op = &table};
    table.norm = NULL;
    cr_expect_eq(device_check(&d, DEVICE_FOR_MLP, &err), 0);
    cr_expect_eq(device_check(&d, DEVICE_FOR_TRANSFORMER, &err), -ENOTSUP);
    cr_expect_str_eq(err.text, "the device cpu has no norm, which a transformer needs");
    table.sgd = NULL;
    cr_expect_eq(device_check(&d, DEVICE_FOR_GEMM, &err), 0);
    cr_expect_eq(device_check(&d, DEVICE_FOR_MLP, &err), -ENOTSUP);
    cr_expect_str_eq(err.text, "the device cpu has no sgd, which a perceptron needs");
    table.alloc = NULL;
    cr_expect_eq(device_check(&d, DEVICE_FOR_GEMM, &err), -ENOTSUP);
}

Test(device, names_that_are_none_are_refused)
{
    static const char *const names[] = {"",
                                        "gpu",
                                        "CPU",
                                        "cpu:0",
                                        "cuda:",
                                        "cuda:x",
                                        "cuda:-1",
                                        "cuda: 1",
                                        "cuda:1x",
                                        "cuda:4096",
                                        "cuda:99999999999999999999",
                                        "cuda0",
                                        "cuda:0:1",
                                        "cuda:000:3b:00.0",
                                        "cuda:0000:3b:00.8",
                                        "cuda:0000:3b:00",
                                        "cuda:0000:3b:00.0 "};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct gm_error err = {0};
        struct device *d = NULL;
        char text[128];
        cr_expect_eq(device_open(names[i], &d, &err), -EINVAL, "'%s'", names[i]);
        cr_expect(strstr(err.text, "there are cpu, cuda and cuda:N") != NULL);
        cr_expect_eq(device_probe(names[i], text, NULL), -EINVAL, "'%s'", names[i]);
        cr_expect_null(d);
    }
}

Test(device, memory_of_the_cpu_is_aligned_zeros)
{
    struct gm_error err = {0};
    AUTO(device) d = NULL;
    cr_assert_eq(device_open("cpu", &d, &err), 0);
    static const size_t sizes[] = {0, 1, 63, 64, 4097};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        void *at = NULL;
        cr_assert_eq(d->op->alloc(d, sizes[i], &at, &err), 0);
        cr_assert_not_null(at);
        cr_expect_eq((uintptr_t)at % 64, 0);
        for (size_t k = 0; k < sizes[i]; k++)
            cr_expect_eq(((const char *)at)[k], 0);
        d->op->release(d, at);
    }
    void *at = NULL;
    cr_expect_eq(d->op->alloc(d, SIZE_MAX, &at, &err), -ENOMEM);
    cr_expect_str_eq(err.text, "no memory for 18446744073709551615 bytes");
    cr_expect_null(at);
    d->op->release(d, NULL);
}

Test(device, bytes_go_there_and_back)
{
    AUTO(device) d = NULL;
    cr_assert_eq(device_open("cpu", &d, NULL), 0);
    const char words[] = "sixteen letters.";
    char back[sizeof(words)] = "";
    void *a = NULL, *b = NULL;
    cr_assert_eq(d->op->alloc(d, sizeof(words), &a, NULL), 0);
    cr_assert_eq(d->op->alloc(d, sizeof(words), &b, NULL), 0);
    d->op->put(d, a, words, sizeof(words));
    d->op->copy(d, b, a, sizeof(words));
    d->op->zero(d, a, sizeof(words));
    d->op->get(d, back, b, sizeof(words));
    cr_expect_eq(d->op->sync(d, NULL), 0);
    cr_expect_str_eq(back, words);
    cr_expect_eq(((const char *)a)[3], 0);
    cr_expect_eq(device_view(d, words, sizeof(words), b), words);
    d->op->put(d, a, NULL, 0);
    d->op->release(d, a);
    d->op->release(d, b);
}

/* Whatever the machine: a sentence, or a device that works. */
Test(device, cuda_opens_or_says_why_not)
{
    struct gm_error err = {0}, probed = {0};
    char text[128] = "";
    AUTO(device) d = NULL;
    int rc = device_open("cuda", &d, &err);
    cr_expect_eq(device_probe("cuda", text, &probed), rc);
    if (rc == 0) {
        cr_expect_str_eq(text, d->text);
        cr_expect_eq(device_check(d, DEVICE_FOR_MLP, &err), 0, "%s", err.text);
        return;
    }
    cr_expect_eq(rc, -ENODEV);
    cr_expect_str_eq(err.text, probed.text);
    cr_expect_gt(strlen(err.text), 20, "%s", err.text);
    cr_log_info("%s", err.text);
}

Test(device, an_object_that_is_named_and_not_there_is_told)
{
    struct gm_error err = {0};
    struct device *d = NULL;
    setenv("GRIDMILL_CUDA_SO", "/nowhere/x.so", 1);
    cr_expect_eq(device_open("cuda", &d, &err), -ENODEV);
    cr_expect_str_eq(err.text, "GRIDMILL_CUDA_SO: /nowhere/x.so: no such file");
    setenv("GRIDMILL_CUDA_SO", "/proc/version", 1);
    cr_expect_eq(device_open("cuda", &d, &err), -ENODEV);
    cr_expect(
        strncmp(err.text, "GRIDMILL_CUDA_SO: /proc/version: ", 33) == 0, "%s", err.text);
}

static int
open_object(const char *path, const char *name, struct device **ret, struct gm_error *err)
{
    setenv("GRIDMILL_CUDA_SO", path, 1);
    return device_open(name, ret, err);
}

/* The sentence ends with `end`, after the object's path. */
static void expect_refusal(const char *path, const char *end)
{
    struct gm_error err = {0};
    struct device *d = NULL;
    cr_assert_eq(open_object(path, "cuda", &d, &err), -ENODEV);
    cr_expect(strncmp(err.text, path, strlen(path)) == 0, "%s", err.text);
    cr_expect_str_eq(err.text + strlen(path), end);
    cr_expect_null(d);
}

Test(device, an_object_of_another_build_is_refused_with_both_numbers)
{
    char text[256];
    expect_refusal(
        FAKE_DEVICE_ABI,
        ": its abi is 7 where this program's is 1: both must come from one build");
    (void)snprintf(
        text,
        sizeof(text),
        ": its entry's size is 8 where this program's is %zu: both must come from "
        "one build",
        sizeof(struct device_entry));
    expect_refusal(FAKE_DEVICE_ENTRY, text);
    (void)snprintf(
        text,
        sizeof(text),
        ": its table's size is 64 where this program's is %zu: both must come from "
        "one build",
        sizeof(struct device_table));
    expect_refusal(FAKE_DEVICE_TABLE, text);
    expect_refusal(
        FAKE_NVML,
        ": has no symbol gridmill_device: it is no object of Gridmill's devices");
}

Test(device, an_object_is_opened_by_number_and_by_address)
{
    static const char *const names[] = {"cuda", "cuda:0", "cuda:0000:3b:00.0"};
    struct gm_error err = {0};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        AUTO(device) d = NULL;
        char text[128] = "";
        cr_assert_eq(open_object(FAKE_DEVICE, names[i], &d, &err), 0, "%s", err.text);
        cr_expect_str_eq(d->text, "a fake GPU");
        cr_expect_eq(device_probe(names[i], text, &err), 0);
        cr_expect_str_eq(text, "a fake GPU");
        cr_expect_not(d->host);
        cr_expect_eq(device_check(d, DEVICE_FOR_MLP, &err), 0, "%s", err.text);
        cr_expect_eq(device_check(d, DEVICE_FOR_TRANSFORMER, &err), -ENOTSUP);
        cr_expect_str_eq(
            err.text,
            "the device cuda has no embedding_forward, which a transformer needs");
    }
    struct device *d = NULL;
    cr_expect_eq(open_object(FAKE_DEVICE, "cuda:1", &d, &err), -ENODEV);
    cr_expect_str_eq(err.text, "cuda: there is no GPU 1");
}
