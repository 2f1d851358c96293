/* The readers behind weights_parse. Private to model/. */
#ifndef MODEL_WEIGHTS_SOURCE_H
#define MODEL_WEIGHTS_SOURCE_H

#include "weights.h"

/* Whether the bytes begin as a safetensors file does. */
bool weights_is_safetensors(const void *bytes, size_t len);
int weights_read_safetensors(const char *origin,
                             const void *bytes,
                             size_t len,
                             struct weights *w,
                             struct gm_error *err);
int weights_read_llama2c(const char *origin,
                         const void *bytes,
                         size_t len,
                         struct weights *w,
                         struct gm_error *err);

#endif
