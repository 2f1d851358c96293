/* The inside of struct reader, for hash.c: values found and read without an allocation
 * each. Private to scheduler/result. */
#ifndef RESULT_READ_H
#define RESULT_READ_H

#include "source.h"

struct shards;

/* -ENOENT (err untouched): no such value. stage and task are in range. */
int read_find(struct reader *r,
              unsigned stage,
              uint64_t task,
              uint32_t kind,
              uint32_t index,
              struct source_value *ret,
              struct gm_error *err);
int read_bytes(struct reader *r,
               const struct source_value *v,
               void *out,
               struct gm_error *err);
struct shards *read_shards(const struct reader *r); /* NULL: a packed file */
const struct head *read_head(const struct reader *r);

#endif
