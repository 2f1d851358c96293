/* Whether kernels could use a GPU here, in words. */
#ifndef CLI_CUDA_H
#define CLI_CUDA_H

#include "base/json.h"
#include <stdbool.h>

/* True and what it is ("NVIDIA H200, driver for CUDA 13.0, cuBLAS 13.0.2"), or why not.
 * No memory of the GPU is taken. */
#define CUDA_WORDS 512
bool cuda_words(char ret[CUDA_WORDS]);
/* The same after a product was computed there: for who asks whether it works. */
bool cuda_proved(char ret[CUDA_WORDS]);
void cuda_put(struct json *j); /* the key "cuda" */

#endif
