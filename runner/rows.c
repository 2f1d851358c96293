/* See rows.h. Invariant: rows [0, count) stand at mem, row_bytes each; the open row
 * follows them, and behind all rows that fit stand their times. */
#include "rows.h"
#include "base/memory.h"
#include <assert.h>
#include <stdlib.h>

struct rows *rows_make(void *mem, size_t bytes)
{
    assert(bytes >= ROWS_LEAST && bytes % sizeof(double) == 0);
    struct rows *r = xcalloc(1, sizeof(*r));
    r->mem = mem;
    r->bytes = bytes;
    r->stage = UINT32_MAX;
    return r;
}

void rows_free(struct rows *r)
{
    free(r);
}

void rows_open(struct rows *r, uint32_t stage, uint32_t rank, bool timed, double start)
{
    r->start = start;
    r->stage = stage;
    r->rank = rank;
    r->timed = timed;
    r->first = r->count = r->most = r->row_bytes = 0;
    r->n_fields = r->n_open = 0;
    r->work = (struct result_work){0};
    r->at = r->fill = r->mem;
    r->times = NULL;
}

bool rows_put_new(struct rows *r, const struct result_record *v)
{
    size_t width = (size_t)(r->fill - r->at);
    if (r->n_open == ROWS_FIELDS || v->nbytes > ROWS_WIDEST - width)
        return false;
    for (unsigned i = 0; i < r->n_open; i++) {
        if (r->fields[i].index == v->index)
            return false; /* set twice: the parcel says so */
    }
    struct result_field *f = &r->fields[r->n_open++];
    *f = (struct result_field){
        .index = v->index, .dtype = v->dtype, .ndim = v->ndim, .nbytes = v->nbytes};
    memcpy(f->dims, v->dims, v->ndim * sizeof(*v->dims));
    if (v->nbytes > 0)
        memcpy(r->fill, v->data, v->nbytes);
    r->fill += v->nbytes;
    r->n_fields = r->n_open;
    return true;
}

void rows_end_first(struct rows *r)
{
    size_t times = r->timed ? 2 * sizeof(double) : 0;
    r->row_bytes = (uint64_t)(r->fill - r->at);
    /* What a value costs beside itself (its checksum) bounds rows without values, too. */
    r->most = (r->bytes - sizeof(double)) / (r->row_bytes + times + sizeof(uint32_t));
    uint64_t rows = (r->most * r->row_bytes + sizeof(double) - 1) / sizeof(double);
    r->times = r->timed ? (double *)(void *)r->mem + rows : NULL;
}

int rows_spill(struct rows *r, struct parcel *parcel, struct gm_error *err)
{
    const char *at = r->at;
    int rc = 0;
    for (unsigned i = 0; i < r->n_open; i++) {
        const struct result_field *f = &r->fields[i];
        struct result_record v = {.kind = RESULT_OUTPUT,
                                  .index = f->index,
                                  .dtype = f->dtype,
                                  .ndim = f->ndim,
                                  .data = at,
                                  .nbytes = f->nbytes};
        memcpy(v.dims, f->dims, sizeof(v.dims));
        at += f->nbytes;
        if (rc == 0 && parcel != NULL)
            rc = parcel_add(parcel, &v, err);
    }
    r->fill = r->at;
    r->n_open = 0;
    if (r->count == 0)
        r->n_fields = 0;
    return rc;
}

void rows_time(struct rows *r, double start, double end)
{
    assert(r->timed && r->count > 0);
    r->times[2 * (r->count - 1)] = start;
    r->times[2 * (r->count - 1) + 1] = end;
}

void rows_get(const struct rows *r, double end, struct result_rows *ret)
{
    *ret = (struct result_rows){.stage = r->stage,
                                .rank = r->rank,
                                .first = r->first,
                                .count = r->count,
                                .fields = r->fields,
                                .n_fields = r->n_fields,
                                .rows = r->mem,
                                .row_bytes = r->row_bytes,
                                .start = r->start,
                                .end = end,
                                .times = r->times,
                                .work = r->work};
}
