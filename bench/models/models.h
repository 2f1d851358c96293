/* What is measured beside others: networks of ours, and what the machine can do. */
#ifndef BENCH_MODELS_MODELS_H
#define BENCH_MODELS_MODELS_H

#include "gridmill/error.h"
#include "kernels/device/device.h"
#include "kernels/model/transformer.h"
#include <stdbool.h>
#include <stddef.h>

/* A GPT's training step as lm.train takes it: the batch cut into micro-shards of `micro`
 * sequences, their gradients added up by the fixed tree, clipped by the norm, AdamW. */
struct gpt;
int gpt_make(struct device *d,
             size_t batch,
             size_t tokens,
             size_t micro,
             struct gpt **ret,
             struct gm_error *err);
void gpt_free(struct gpt *g); /* takes NULL */
int gpt_step(struct gpt *g, struct gm_error *err);
struct weights_config gpt_config(size_t tokens);

/* The same device, every operator's time noted; freed by device_close. */
struct timed;
struct timed_operator {
    char name[64];
    double flops, bytes; /* of one call: the least, as bench_operators counts them */
    uint64_t calls;
    double seconds;
};
struct timed *timed_make(struct device *under);
struct device *timed_device(struct timed *t);
/* All since the call before, in the order in which they were first met; it lies in t. */
const struct timed_operator *timed_take(struct timed *t, size_t *ret_n);

/* What the machine can do, one measurement: GFLOP/s of the bare cblas_sgemm, n x n; GB/s
 * of x = a + b over `bytes` (all three); GB/s of reading `bytes`. */
struct machine;
struct machine *machine_make(size_t sgemm_n, size_t bytes, unsigned threads);
void machine_free(struct machine *m);
double machine_sgemm(void *self);
double machine_read(void *self);
double machine_add(struct machine *m, size_t bytes); /* at most those of make */

/* A part of bench_models; an exit status. argv[0] is the first word after its name. */
int bench_gpt(unsigned argc, char **argv);
int bench_profile(unsigned argc, char **argv);
int bench_decode(unsigned argc, char **argv);
int bench_logits(unsigned argc, char **argv);
int bench_weights(unsigned argc, char **argv);
int bench_infer(unsigned argc, char **argv);
int bench_train(unsigned argc, char **argv);
int bench_sgemm(unsigned argc, char **argv);
int bench_read(unsigned argc, char **argv);

size_t number(const char *text);

#endif
