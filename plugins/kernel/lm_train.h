/* The declaration of lm.train: its parameters and outputs by number. Private to
 * plugins/kernel. */
#ifndef PLUGINS_KERNEL_LM_TRAIN_H
#define PLUGINS_KERNEL_LM_TRAIN_H

#include "gridmill/kernel.h"

enum {
    LM_DATA,
    LM_VALID_DATA,
    LM_VALID_SHARE,
    LM_VALID_EVERY,
    LM_TOKENIZER,
    LM_VOCABULARY,
    LM_MERGES,
    LM_INIT_FROM,
    LM_ARCH,
    LM_LAYERS,
    LM_DIM,
    LM_HEADS,
    LM_KV_HEADS,
    LM_HIDDEN,
    LM_TIED,
    LM_CONTEXT,
    LM_STEPS,
    LM_BATCH,
    LM_MICRO_BATCH,
    LM_ACCUMULATION,
    LM_LR,
    LM_LR_LAST,
    LM_SCHEDULE,
    LM_WARMUP,
    LM_BETA1,
    LM_BETA2,
    LM_EPS,
    LM_WEIGHT_DECAY,
    LM_CLIP,
    LM_DROPOUT,
    LM_INIT_SEED,
    LM_DATA_SEED,
    LM_PROMPT,
    LM_SAMPLE_TOKENS,
    LM_TEMPERATURE,
    LM_TOP_K,
    LM_TOP_P,
    LM_N_PARAMS
};

enum {
    LM_O_MODEL,
    LM_O_LOSS,
    LM_O_VALID_STEP,
    LM_O_VALID_LOSS,
    LM_O_FINAL_LOSS,
    LM_O_ACCURACY,
    LM_O_PARAMETERS,
    LM_O_SAMPLE,
    LM_O_STEP_SECONDS,
    LM_O_TOKENS_PER_S,
    LM_N_OUTPUTS
};

extern const struct gm_param_spec lm_train_params[LM_N_PARAMS];
extern const struct gm_output_spec lm_train_outputs[LM_N_OUTPUTS];

/* Sequences of a leaf where `micro-batch` is 0. */
uint64_t lm_train_micro_batch(uint64_t context);

#endif
