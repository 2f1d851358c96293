/* Every operator that a device offers for products and perceptrons, against references in
 * double: random numbers, odd shapes, poison in what is to be written and behind it.
 *
 *   gpu_operators DEVICE [SEED]            cpu, cuda, cuda:1
 *   gpu_operators DEVICE SEED --fault OP   one operator, made wrong: must fail
 *   gpu_operators --faults                 which of these there are
 *
 * One JSON line an operator on stdout, what is wrong on stderr. Exit code 0: all is
 * right; 1: not; 2: usage; 77: the device cannot be opened here, and the sentence says
 * why. */
#include "trial.h"

#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    void (*run)(struct trial *t);
} checks[] = {{"memory", check_memory},
              {"gemm", check_gemm},
              {"gemm_bf16", check_gemm_bf16},
              {"gemm_batch", check_gemm_batch},
              {"to_bf16", check_to_bf16},
              {"bias_act_forward", check_bias_act_forward},
              {"bias_act_backward", check_bias_act_backward},
              {"xent_train", check_xent_train},
              {"xent_infer", check_xent_infer},
              {"sgd", check_sgd},
              {"adamw", check_adamw},
              {"perceptron", check_perceptron}};

/* Failures; `only` NULL: all checks. */
static unsigned run_checks(struct trial *t, const char *only)
{
    unsigned failures = 0;
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (only != NULL && strcmp(checks[i].name, only) != 0)
            continue;
        double start = clock_monotonic();
        t->operator_ = checks[i].name;
        t->cases = t->failures = 0;
        checks[i].run(t);
        trial_clean(t);
        printf(
            "{\"check\": \"%s\", \"cases\": %u, \"failures\": %u, \"seconds\": %.2f}\n",
            checks[i].name,
            t->cases,
            t->failures,
            clock_monotonic() - start);
        (void)fflush(stdout);
        failures += t->failures;
    }
    return failures;
}

int main(int argc, char **argv)
{
    struct gm_error err = {0};
    struct trial t = {.seed = 1};
    if (argc == 2 && strcmp(argv[1], "--faults") == 0) {
        fault_names();
        return 0;
    }
    if (argc != 2 && argc != 3 && !(argc == 5 && strcmp(argv[3], "--fault") == 0)) {
        (void)fprintf(stderr, "gpu_operators DEVICE [SEED [--fault OPERATOR]]\n");
        return 2;
    }
    int rc = device_open(argv[1], &t.d, &err);
    if (rc == 0)
        rc = device_check(t.d, DEVICE_FOR_MLP, &err);
    if (rc != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return rc == -ENODEV ? 77 : rc == -EINVAL ? 2 : 1;
    }
    if (argc > 2)
        t.seed = strtoull(argv[2], NULL, 10);
    if (argc == 5 && !fault_put(argv[4], t.d)) {
        (void)fprintf(stderr, "there is no fault '%s'\n", argv[4]);
        return 2;
    }
    printf(
        "{\"device\": \"%s\", \"seed\": %llu}\n", t.d->text, (unsigned long long)t.seed);
    unsigned failures = run_checks(&t, argc == 5 ? argv[4] : NULL);
    device_close(t.d);
    return failures == 0 ? 0 : 1;
}
