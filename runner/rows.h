/* Rows: the results of a run of tasks that all went well at the first attempt and gave
 * values of one small shape, one after the other in one buffer: what 10^7 short tasks
 * cost a copy each and no allocation. The compute thread fills one buffer while the
 * writer empties others. Whatever does not fit this (a failure, a series, a text, other
 * shapes, more than ROWS_WIDEST bytes) takes the other way, a parcel. */
#ifndef RUNNER_ROWS_H
#define RUNNER_ROWS_H

#include "parcel.h"
#include "result/record.h"
#include <stdbool.h>
#include <string.h>

#define ROWS_WIDEST 4096u /* bytes of one task's values */

enum {
    ROWS_FIELDS = 16,    /* values of one task */
    ROWS_LEAST = 1 << 15 /* bytes of a buffer */
};

struct rows { /* one buffer; the fields are rows.c's own and its inlines' */
    char *mem;
    size_t bytes;
    uint32_t stage, rank;
    uint64_t first, count, most; /* most: 0 until the first row tells its width */
    char *at;                    /* the open row, and up to where it is filled */
    char *fill;
    unsigned n_open, n_fields;
    bool timed;
    uint64_t row_bytes;
    double *times; /* behind the rows */
    double start;
    struct result_work work; /* of all rows */
    struct result_field fields[ROWS_FIELDS];
};

/* mem: `bytes` of memory (of the host's shared window), borrowed; 8-byte aligned. */
struct rows *rows_make(void *mem, size_t bytes);
void rows_free(struct rows *r); /* takes NULL */
/* Empty, for tasks of this stage that this rank runs from `start` on (unix s). timed:
 * each row has its own times (rows_time); else one start and end for all. */
void rows_open(struct rows *r, uint32_t stage, uint32_t rank, bool timed, double start);

/* Begins the task's row: the one after the last. False: it must begin another buffer
 * (full, another stage, a gap). */
static inline bool rows_begin(struct rows *r, uint32_t stage, uint64_t task)
{
    if (r->count == 0) {
        if (r->stage != stage)
            return false;
        r->first = task;
    } else if (r->stage != stage || r->first + r->count != task || r->count == r->most) {
        return false;
    }
    r->n_open = 0;
    r->fill = r->at;
    return true;
}

/* See rows_put: the first row's values say which there are. */
bool rows_put_new(struct rows *r, const struct result_record *v);

/* A value of the open row, copied. False: not what the rows before it had at this place,
 * or too wide: rows_spill and take the other way. */
static inline bool rows_put(struct rows *r, const struct result_record *v)
{
    const struct result_field *f = &r->fields[r->n_open];
    if (r->count == 0)
        return rows_put_new(r, v);
    if (r->n_open == r->n_fields || f->index != v->index || f->nbytes != v->nbytes ||
        f->ndim != v->ndim || memcmp(f->dims, v->dims, v->ndim * sizeof(*v->dims)) != 0)
        return false;
    if (v->nbytes > 0)
        memcpy(r->fill, v->data, v->nbytes);
    r->fill += v->nbytes;
    r->n_open++;
    return true;
}

/* See rows_end: how many fit is known now. */
void rows_end_first(struct rows *r);

/* The open row stands. False: it has less values than the rows before it: rows_spill. */
static inline bool rows_end(struct rows *r)
{
    if (r->n_open != r->n_fields)
        return false;
    if (r->count == 0)
        rows_end_first(r);
    r->at = r->fill;
    r->count++;
    return true;
}

/* Takes back the open row; its values go into the parcel, if there is one. */
int rows_spill(struct rows *r, struct parcel *parcel, struct gm_error *err);
/* Of the last row, unix s; timed alone. */
void rows_time(struct rows *r, double start, double end);

/* As shard_rows takes them, borrowed; the last was done at `end`. */
void rows_get(const struct rows *r, double end, struct result_rows *ret);

#endif
