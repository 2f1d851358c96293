/* See sink.h. Invariant: what was put of a task so far stands in its open row, or all of
 * it in the parcel. */
#include "sink.h"

static int
check_output(const struct sink *s, unsigned output, bool series, struct gm_error *err)
{
    if (output >= s->kernel->n_outputs)
        return gm_fail(err,
                       -EINVAL,
                       "kernel %s: output %u of %u",
                       s->kernel->name,
                       output,
                       s->kernel->n_outputs);
    bool declared = (s->kernel->outputs[output].flags & GM_SERIES) != 0;
    if (declared != series)
        return gm_fail(err,
                       -EINVAL,
                       "kernel %s: output %s is %s series",
                       s->kernel->name,
                       s->kernel->outputs[output].name,
                       declared ? "a" : "no");
    return 0;
}

int sink_spill(struct sink *s, struct gm_error *err)
{
    struct rows *rows = s->rows;
    s->rows = NULL;
    if (s->parcel == NULL)
        s->parcel = parcel_make();
    return rows != NULL ? rows_spill(rows, s->parcel, err) : 0;
}

static int sink_put(const struct gm_sink *face,
                    unsigned output,
                    uint32_t ndim,
                    const uint64_t *dims,
                    const void *data,
                    struct gm_error *err)
{
    struct sink *s = face->impl;
    int rc = check_output(s, output, false, err);
    if (rc < 0 || !s->leads)
        return rc;
    const struct gm_output_spec *o = &s->kernel->outputs[output];
    struct result_record r = {.kind = RESULT_OUTPUT,
                              .index = output,
                              .dtype = o->dtype,
                              .ndim = ndim,
                              .data = data,
                              .nbytes = gm_dtype_size(o->dtype)};
    if (ndim != o->ndim)
        return gm_fail(err,
                       -EINVAL,
                       "kernel %s: output %s has %u dimensions, not %u",
                       s->kernel->name,
                       o->name,
                       o->ndim,
                       ndim);
    for (uint32_t i = 0; i < ndim; i++) {
        r.dims[i] = dims[i];
        if (__builtin_mul_overflow(r.nbytes, dims[i], &r.nbytes))
            return gm_fail(err,
                           -EOVERFLOW,
                           "kernel %s: output %s is too large",
                           s->kernel->name,
                           o->name);
    }
    if (s->rows != NULL && rows_put(s->rows, &r))
        return 0;
    if (s->rows != NULL)
        rc = sink_spill(s, err);
    return rc < 0 ? rc : parcel_add(s->parcel, &r, err);
}

static int sink_append(const struct gm_sink *face,
                       unsigned output,
                       uint64_t n_rows,
                       const void *rows,
                       struct gm_error *err)
{
    struct sink *s = face->impl;
    int rc = check_output(s, output, true, err);
    if (rc < 0 || !s->leads)
        return rc;
    const struct gm_output_spec *o = &s->kernel->outputs[output];
    if (o->ndim != 0)
        return gm_fail(err,
                       -EINVAL,
                       "kernel %s: series %s: rows must be scalars",
                       s->kernel->name,
                       o->name);
    struct result_record r = {.kind = RESULT_SERIES,
                              .index = output,
                              .dtype = o->dtype,
                              .ndim = 1,
                              .dims = {n_rows},
                              .data = rows};
    if (__builtin_mul_overflow(n_rows, gm_dtype_size(o->dtype), &r.nbytes))
        return gm_fail(err,
                       -EOVERFLOW,
                       "kernel %s: series %s is too long",
                       s->kernel->name,
                       o->name);
    if (s->rows != NULL)
        rc = sink_spill(s, err);
    return rc < 0 ? rc : parcel_append(s->parcel, &r, err);
}

void sink_init(struct sink *s, const struct gm_kernel *kernel, bool leads)
{
    *s = (struct sink){.kernel = kernel, .leads = leads};
    s->face = (struct gm_sink){
        .size = sizeof(s->face), .impl = s, .put = sink_put, .append = sink_append};
}
