/* safetensors: 8 bytes of header length (little-endian), a JSON header, then the tensors'
 * bytes without gap or overlap. Writing is deterministic: tensors in the order given,
 * metadata in the order given, the header padded with blanks to 8 bytes. Reading trusts
 * no number: each is checked against the bytes that are there. */
#ifndef IO_SAFETENSORS_H
#define IO_SAFETENSORS_H

#include "base/arena.h"
#include "gridmill/error.h"
#include "gridmill/types.h"
#include <stddef.h>
#include <stdint.h>

struct safetensors_tensor {
    const char *name;
    uint32_t
        dtype; /* enum gm_dtype; 0: one that Gridmill has no name for (F16, BF16, ...) */
    uint32_t ndim;
    uint64_t dims[GM_MAX_DIMS];
    const void *data; /* not aligned when read: copy it out */
    size_t nbytes;
};

struct safetensors_meta {
    const char *key, *value;
};

struct safetensors {
    struct arena *arena;
    struct safetensors_tensor *tensors; /* sorted by their place in the file */
    size_t n_tensors;
    struct safetensors_meta *meta;
    size_t n_meta;
};

/* `bytes` must outlive *ret: the tensors point into them. `origin` names them in errors.
 */
int safetensors_parse(const char *origin,
                      const void *bytes,
                      size_t len,
                      struct safetensors **ret,
                      struct gm_error *err);
void safetensors_free(struct safetensors *st); /* takes NULL */
const struct safetensors_tensor *safetensors_find(const struct safetensors *st,
                                                  const char *name);
/* The value of a metadata key, or NULL. */
const char *safetensors_value(const struct safetensors *st, const char *key);

/* Sizes come from the shapes (nbytes is not looked at). *ret is yours. */
int safetensors_format(const struct safetensors_tensor *tensors,
                       size_t n_tensors,
                       const struct safetensors_meta *meta,
                       size_t n_meta,
                       unsigned char **ret,
                       size_t *ret_len,
                       struct gm_error *err);

AUTO_TYPE(safetensors, safetensors_free)

#endif
