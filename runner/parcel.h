/* One attempt's values on their way from the compute thread to the shard. */
#ifndef RUNNER_PARCEL_H
#define RUNNER_PARCEL_H

#include "result/shard.h"

struct parcel;

struct parcel *parcel_make(void);
void parcel_free(struct parcel *p); /* takes NULL */

/* Copies the data. A second record of the same kind and index: -EEXIST. */
int parcel_add(struct parcel *p, const struct result_record *r, struct gm_error *err);
/* Bytes of text under this kind; none: no record. */
int parcel_add_text(
    struct parcel *p, uint32_t kind, const char *text, size_t len, struct gm_error *err);
/* The first nbytes of a file are the data, read when they are written on; the descriptor
 * stays yours. No other record is of this kind and index. */
int parcel_add_file(struct parcel *p,
                    const struct result_record *r,
                    int fd,
                    struct gm_error *err);
/* Rows of a series: dims[0] of them, added to those that are there. */
int parcel_append(struct parcel *p,
                  const struct result_record *rows,
                  struct gm_error *err);
/* Each record whose data is in memory, in the order of adding, until one call is < 0. */
int parcel_each(const struct parcel *p,
                int (*call)(void *ctx, const struct result_record *r),
                void *ctx);
/* A failed attempt keeps its logs and its message, not its outputs. */
void parcel_drop_outputs(struct parcel *p);
uint64_t parcel_bytes(const struct parcel *p); /* of all values; takes NULL: 0 */
/* All records, with the commit's stage and task. */
int parcel_write(const struct parcel *p,
                 struct shard *s,
                 const struct result_commit *c,
                 struct gm_error *err);

#endif
