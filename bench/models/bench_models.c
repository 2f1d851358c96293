/* Networks of ours, each as one program that takes turns with its peers: bench/run
 * models.
 *
 *   bench_models gpt BATCH TOKENS MICRO THREADS     ms of a training step
 *   bench_models train BATCH MICRO THREADS          ms of an MLP's training step
 *   bench_models infer ROWS THREADS                 ms of an MLP's scores
 *   bench_models decode FILE THREADS                ms a token
 *   bench_models sgemm N THREADS                    GFLOP/s of the bare cblas_sgemm
 *   bench_models read BYTES THREADS                 GB/s
 *
 * and by itself:
 *
 *   bench_models profile BATCH TOKENS MICRO THREADS TURNS       lines, one an operator
 *   bench_models weights FILE DIM HIDDEN LAYERS HEADS VOCAB CONTEXT
 *   bench_models logits FILE TOKENS OUT
 *   bench_models cost gpt BATCH TOKENS              flops and bytes of a step
 *   bench_models cost decode FILE PAST              of a token */
#include "models.h"

#include "kernels/model/weights.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t number(const char *text)
{
    char *end = NULL;
    unsigned long v = strtoul(text, &end, 10);
    if (end == text || *end != '\0') {
        (void)fprintf(stderr, "bench_models: %s is no number\n", text);
        exit(2);
    }
    return v;
}

/* cost gpt BATCH TOKENS | cost decode FILE PAST */
static int bench_cost(unsigned argc, char **argv)
{
    if (argc != 3)
        return 2;
    struct transformer_cost cost;
    struct gm_error err = {0};
    size_t last = number(argv[2]);
    if (strcmp(argv[0], "gpt") == 0) {
        const struct weights_config c = gpt_config(last);
        cost = transformer_cost_train(&c, number(argv[1]), last);
    } else {
        AUTO(weights) w = NULL;
        if (weights_open(argv[1], &w, &err) != 0) {
            (void)fprintf(stderr, "bench_models: %s\n", err.text);
            return 1;
        }
        cost = transformer_cost_next(&w->config, 1, last);
    }
    (void)printf("%.9g %.9g\n", cost.flops, cost.bytes);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(unsigned argc, char **argv);
} parts[] = {{"gpt", bench_gpt},
             {"train", bench_train},
             {"infer", bench_infer},
             {"decode", bench_decode},
             {"sgemm", bench_sgemm},
             {"read", bench_read},
             {"profile", bench_profile},
             {"weights", bench_weights},
             {"logits", bench_logits},
             {"cost", bench_cost}};

int main(int argc, char **argv)
{
    int rc = 2;
    for (size_t i = 0; argc > 1 && i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strcmp(parts[i].name, argv[1]) == 0)
            rc = parts[i].run((unsigned)(argc - 2), argv + 2);
    }
    if (rc == 2)
        (void)fprintf(stderr, "usage: bench_models PART WORD... (see bench_models.c)\n");
    return rc;
}
