/* What the checks of a device's operators share: arrays on the device with poison in them
 * and behind them, and comparison with numbers in double. */
#ifndef TESTS_GPU_TRIAL_H
#define TESTS_GPU_TRIAL_H

#include "kernels/device/device.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRIAL_ARRAYS 32

struct trial {
    struct device *d;
    uint64_t seed, stream;    /* of the next random numbers */
    const char *operator_;    /* that is being checked */
    unsigned cases, failures; /* of that operator */
    void *device[TRIAL_ARRAYS];
    size_t nbytes[TRIAL_ARRAYS];
    void *host[TRIAL_ARRAYS * 8];
    unsigned n_device, n_host;
};

/* Memory of the host until trial_clean. */
void *trial_room(struct trial *t, size_t nbytes);
/* n random numbers in [-size, size). */
float *trial_numbers(struct trial *t, size_t n, float size);
double *trial_wide(struct trial *t, const float *v, size_t n);
/* An array of the device: with host's bytes, or poison (NaN as a float) where host is
 * NULL; poison stands behind it. */
void *trial_array(struct trial *t, size_t nbytes, const void *host);
float *trial_floats(struct trial *t, size_t n, const float *host);
/* The array's bytes, once all before has run; an error of the device, and poison behind
 * it that was written over, are failures. */
void *trial_back(struct trial *t, const void *array);
void trial_clean(struct trial *t);

/* One line to stderr, and one failure more. */
GM_PRINTF(2, 3) void trial_fail(struct trial *t, const char *fmt, ...);
/* One case: the normalised mean square error of got is at most `most`. */
void trial_near(struct trial *t,
                const char *what,
                const float *got,
                const double *want,
                size_t n,
                double most);
/* One case: equal bytes. */
void trial_same(
    struct trial *t, const char *what, const void *got, const void *want, size_t nbytes);

/* The checks; each cleans up. */
void check_memory(struct trial *t);
void check_gemm(struct trial *t);
void check_gemm_bf16(struct trial *t);
void check_gemm_batch(struct trial *t);
void check_to_bf16(struct trial *t);
void check_bias_act_forward(struct trial *t);
void check_bias_act_backward(struct trial *t);
void check_xent_train(struct trial *t);
void check_xent_infer(struct trial *t);
void check_sgd(struct trial *t);
void check_adamw(struct trial *t);
void check_perceptron(struct trial *t);

/* A copy of the table in which one operator is subtly wrong; false: no such fault. Shows
 * that the checks above see it. */
bool fault_put(const char *name, struct device *d);
/* "gemm\n...", all there are. */
void fault_names(void);

#endif
