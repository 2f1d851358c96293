/* safetensors: 8 bytes of header length (little-endian), a JSON header, then the tensors'
 * bytes without gap or overlap. Writing is deterministic: tensors in the order given,
 * metadata in the order given, the header padded with blanks to 8 bytes. Reading trusts
 * no number: each is checked against the bytes that are there. Source: the format's
 * description at Hugging Face (github.com/huggingface/safetensors). */
#ifndef IO_SAFETENSORS_H
#define IO_SAFETENSORS_H

#include "base/arena.h"
#include "gridmill/error.h"
#include "gridmill/types.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct safetensors_tensor {
    const char *name;
    uint32_t dtype;   /* enum gm_dtype; 0: one that it has no name for (F16, BF16, ...) */
    const char *word; /* the file's name of it: "BF16"; NULL to write dtype's */
    uint32_t ndim;
    uint64_t dims[GM_MAX_DIMS];
    const void *data; /* not aligned when read: the format allows any place */
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
    /* how the header stood, for safetensors_rewrite */
    const size_t *order; /* the tensors as the header names them; NULL: 0, 1, 2, ... */
    bool has_meta;       /* __metadata__ is there, if empty */
    size_t meta_at;      /* how many tensors are named before it */
    size_t header;       /* bytes of it; 0: what it takes, rounded up to 8 */
};

/* Bits of one element of the type that files call `word`, 0 when there is no such type;
 * *ret_dtype is its enum gm_dtype or 0. */
unsigned safetensors_bits(const char *word, uint32_t *ret_dtype);

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

/* What was read, written again. The bytes are equal for a header as Hugging Face's
 * library writes it (no blank but at its end, fields in the order dtype, shape,
 * data_offsets, no needless escape); any other becomes such a one of the same length.
 * *ret is yours. */
int safetensors_rewrite(const struct safetensors *st,
                        unsigned char **ret,
                        size_t *ret_len,
                        struct gm_error *err);
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
