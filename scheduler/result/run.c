/* See run.h. Invariant: a run that run_parse accepts lies inside the heap in all its
 * parts: its table and checks have as many rows as its commit has tasks, and its fields
 * are a row, one after the other. */
#include "run.h"
#include "base/memory.h"
#include "crc.h"
#include <stdlib.h>

unsigned run_width(const struct result_rows *r)
{
    return r->n_fields + (r->times != NULL);
}

void run_check(const struct result_rows *r, uint32_t *ret)
{
    const unsigned char *at = r->rows;
    for (uint64_t i = 0; i < r->count; i++) {
        for (unsigned k = 0; k < r->n_fields; k++) {
            *ret++ = crc_extend(0, at, r->fields[k].nbytes);
            at += r->fields[k].nbytes;
        }
        if (r->times != NULL)
            *ret++ = crc_extend(0, r->times + 2 * i, 2 * sizeof(double));
    }
}

static struct row_record *begin(const struct result_rows *r,
                                uint32_t kind,
                                uint32_t dtype,
                                uint64_t dim,
                                struct row_record *ret)
{
    *ret = (struct row_record){.task = r->first,
                               .stage = r->stage,
                               .kind = kind,
                               .dtype = dtype,
                               .ndim = 2,
                               .dims = {r->count, dim},
                               .nbytes = r->count * dim * gm_dtype_size(dtype)};
    return ret;
}

/* False: its shape and bytes do not agree. */
static bool describe_field(const struct result_rows *r,
                           const struct result_field *f,
                           uint64_t offset,
                           struct row_record *ret)
{
    uint64_t n;
    if (f->ndim > GM_MAX_DIMS || gm_dtype_size(f->dtype) == 0 ||
        !row_bytes(f->dtype, f->ndim, f->dims, &n) || n != f->nbytes)
        return false;
    *ret = (struct row_record){.task = r->first,
                               .stage = r->stage,
                               .kind = RUN_FIELD,
                               .index = f->index,
                               .dtype = f->dtype,
                               .ndim = f->ndim,
                               .offset = offset,
                               .nbytes = n};
    memcpy(ret->dims, f->dims, f->ndim * sizeof(f->dims[0]));
    return true;
}

unsigned run_describe(const struct result_rows *r,
                      uint64_t at,
                      const uint32_t *checks,
                      struct row_record *records)
{
    unsigned n = 1;
    uint64_t offset = 0, bytes;
    if (r->count == 0 || r->n_fields > RUN_FIELDS_MOST ||
        __builtin_mul_overflow(r->count, r->row_bytes, &bytes) || bytes > INT64_MAX)
        return 0;
    begin(r, RUN_TABLE, GM_U8, r->row_bytes, &records[0])->offset = at;
    at += bytes;
    for (unsigned i = 0; i < r->n_fields; i++) {
        if (!describe_field(r, &r->fields[i], offset, &records[n++]))
            return 0;
        offset += r->fields[i].nbytes;
    }
    if (offset != r->row_bytes)
        return 0;
    if (r->times != NULL) {
        begin(r, RUN_TIMES, GM_F64, 2, &records[n])->offset = at;
        at += records[n++].nbytes;
    }
    begin(r, RUN_CHECKS, GM_I32, run_width(r), &records[n])->offset = at;
    records[n].data_crc = crc_extend(0, checks, records[n].nbytes);
    n++;
    for (unsigned i = 0; i < n; i++)
        row_seal_record(&records[i]);
    return n;
}

/* [count][dim] of that type? */
static bool is_table(const struct row_commit *c,
                     const struct row_record *r,
                     uint32_t kind,
                     uint32_t dtype)
{
    return r->kind == kind && r->dtype == dtype && r->ndim == 2 &&
           r->dims[0] == c->count && r->stage == c->stage && r->task == c->task;
}

static bool parse_fields(const struct row_commit *c,
                         const struct row_record *records,
                         struct run *run)
{
    uint64_t end = 0;
    for (unsigned i = 0; i < run->n_fields; i++) {
        const struct row_record *r = &records[i];
        if (r->kind != RUN_FIELD || r->stage != c->stage || r->task != c->task ||
            r->offset != end || r->nbytes > run->row_bytes - end)
            return false;
        end += r->nbytes;
        run->offsets[i] = r->offset;
        run->fields[i] = (struct result_field){
            .index = r->index, .dtype = r->dtype, .ndim = r->ndim, .nbytes = r->nbytes};
        memcpy(run->fields[i].dims, r->dims, sizeof(r->dims));
    }
    return end == run->row_bytes;
}

bool run_parse(const struct row_commit *c,
               const struct row_record *records,
               struct run *ret)
{
    if (c->n < 2 || c->n > RUN_FIELDS_MOST + 3u ||
        !is_table(c, &records[0], RUN_TABLE, GM_U8) ||
        !is_table(c, &records[c->n - 1], RUN_CHECKS, GM_I32))
        return false;
    struct run run = {.commit = *c,
                      .rows = records[0].offset,
                      .row_bytes = records[0].dims[1],
                      .checks = records[c->n - 1].offset};
    run.timed = c->n > 2 && is_table(c, &records[c->n - 2], RUN_TIMES, GM_F64);
    if (run.timed && records[c->n - 2].dims[1] != 2)
        return false;
    run.times = run.timed ? records[c->n - 2].offset : 0;
    run.n_fields = (unsigned)c->n - 2u - run.timed;
    run.width = run.n_fields + run.timed;
    if (records[c->n - 1].dims[1] != run.width)
        return false;
    run.fields = xcalloc(run.n_fields + 1u, sizeof(*run.fields));
    run.offsets = xcalloc(run.n_fields + 1u, sizeof(*run.offsets));
    if (!parse_fields(c, records + 1, &run)) {
        run_free(&run);
        return false;
    }
    *ret = run;
    return true;
}

void run_free(struct run *r)
{
    free(r->fields);
    free(r->offsets);
    *r = (struct run){0};
}

unsigned run_field(const struct run *r, uint32_t index)
{
    for (unsigned i = 0; i < r->n_fields; i++) {
        if (r->fields[i].index == index)
            return i;
    }
    return r->n_fields;
}
