/* Whether kernels could use a GPU here, in words. */
#ifndef CLI_GPU_H
#define CLI_GPU_H

#include "base/json.h"
#include <stdbool.h>

/* True and what it is ("NVIDIA H200, driver for CUDA 13.0, cuBLAS 13.0.2"), or why not.
 * No memory of the GPU is taken. */
#define GPU_WORDS 512
bool gpu_words(char ret[GPU_WORDS]);
/* The same after a product was computed there: for who asks whether it works. */
bool gpu_proved(char ret[GPU_WORDS]);
void gpu_put(struct json *j); /* the key "cuda" */

#endif
