/* Rows: the results of a run of tasks that all went well at the first attempt and gave
 * values of one small shape, one after the other in one buffer: what 10^7 short tasks
 * cost a copy each and no allocation. The compute thread fills one buffer while the
 * writer empties others. Whatever does not fit this (a failure, a series, a text, other
 * shapes, more than ROWS_WIDEST bytes) takes the other way, a parcel. */
#ifndef RUNNER_ROWS_H
#define RUNNER_ROWS_H

#include "gridmill/kernel.h"
#include "result/shard.h"
#include <stdbool.h>

#define ROWS_WIDEST 4096u /* bytes of one task's values */

struct rows; /* one buffer */

/* mem: `bytes` of memory (of the host's shared window), borrowed. */
struct rows *rows_make(void *mem, size_t bytes);
void rows_free(struct rows *r); /* takes NULL */
void rows_clear(struct rows *r);
bool rows_empty(const struct rows *r);

/* Begins the next task's row: the one after the last, of the same stage. False: it must
 * begin another buffer (full, another stage, a gap). */
bool rows_begin(struct rows *r, uint32_t stage, uint64_t task);
/* A value of the open row. False: not the shape that the rows before it had, or too wide:
 * rows_drop and take the other way. */
bool rows_put(struct rows *r,
              uint32_t output,
              uint32_t dtype,
              uint32_t ndim,
              const uint64_t *dims,
              const void *data,
              size_t nbytes);
/* The open row stands. start, end: unix s; of the whole run when timed is false. */
bool rows_end(struct rows *r, bool timed, double start, double end);
void rows_drop(struct rows *r); /* the open row was never there */

/* As shard_rows takes them; borrowed. */
void rows_get(const struct rows *r, struct result_rows *ret);

#endif
