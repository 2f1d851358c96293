/* See result_export.h. NumPy's format 1.0 (numpy.lib.format): one value of every task as
 * one array, or of one task. Invariant: rows without a value are NaN, and 0 of whole
 * numbers, as in the packed file. */
#include "result_export.h"
#include <math.h>
#include <stdlib.h>

static const char *descr(uint32_t dtype)
{
    switch (dtype) {
    case GM_U8:
        return "|u1";
    case GM_I32:
        return "<i4";
    case GM_I64:
        return "<i8";
    case GM_F32:
        return "<f4";
    default:
        return "<f8";
    }
}

/* The array begins at a multiple of 64 bytes. rows: of the first dimension; NULL: the
 * value alone. */
static void
put_header(const struct reader_value *v, const uint64_t *rows, struct str *out)
{
    AUTO_STR text = {0};
    str_printf(
        &text, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr(v->dtype));
    if (rows != NULL)
        str_printf(&text, "%llu,", (unsigned long long)*rows);
    for (uint32_t i = 0; i < v->ndim; i++)
        str_printf(&text,
                   "%s%llu,",
                   rows != NULL || i > 0 ? " " : "",
                   (unsigned long long)v->dims[i]);
    str_add(&text, "), }");
    while ((10 + text.len + 1) % 64 != 0)
        str_add(&text, " ");
    str_add(&text, "\n");
    const char head[10] = {(char)0x93,
                           'N',
                           'U',
                           'M',
                           'P',
                           'Y',
                           1,
                           0,
                           (char)(text.len & 0xff),
                           (char)(text.len >> 8)};
    str_add_n(out, head, sizeof(head));
    str_add_n(out, text.text, text.len);
}

static bool same_shape(const struct reader_value *a, const struct reader_value *b)
{
    return a->dtype == b->dtype && a->ndim == b->ndim &&
           memcmp(a->dims, b->dims, a->ndim * sizeof(a->dims[0])) == 0;
}

static void shape_text(const struct reader_value *v, struct str *out)
{
    str_add(out, "[");
    for (uint32_t i = 0; i < v->ndim; i++)
        str_printf(out, "%s%llu", i > 0 ? ", " : "", (unsigned long long)v->dims[i]);
    str_add(out, "]");
}

static int differ(const struct result_row *row,
                  const struct reader_value *v,
                  const struct reader_value *first,
                  const char *name,
                  struct gm_error *err)
{
    AUTO_STR a = {0};
    AUTO_STR b = {0};
    shape_text(v, &a);
    shape_text(first, &b);
    return gm_fail(err,
                   -EINVAL,
                   "%s[%llu].%s has the shape %s, an earlier one %s: one array holds one "
                   "shape; choose by --task N, or --format json or csv",
                   row->of->name,
                   (unsigned long long)row->index,
                   name,
                   a.text,
                   b.text);
}

/* The shape that all of them have, and how many rows there are. */
static int find_shape(const struct export *e,
                      const struct export_value *value,
                      struct reader_value *ret,
                      uint64_t *ret_rows,
                      struct gm_error *err)
{
    struct result_row row;
    struct reader_value v, first = {0};
    int rc;
    *ret_rows = 0;
    while ((rc = result_walk_next(e->w, &row, err)) > 0) {
        ++*ret_rows;
        rc = reader_shape(
            e->w->r, row.stage, row.index, value->kind, value->index, &v, err);
        if (rc == -ENOENT)
            continue;
        if (rc != 0)
            return rc;
        if (first.dtype != 0 && !same_shape(&v, &first))
            return differ(&row, &v, &first, value->name, err);
        first = v;
    }
    if (rc == 0 && first.dtype == 0)
        return gm_fail(err, -ENOENT, "%s: no task has a value of it", value->name);
    *ret = first;
    return rc;
}

static void put_none(const struct reader_value *shape, struct str *out)
{
    const float f32 = NAN;
    const double f64 = NAN;
    size_t size = gm_dtype_size(shape->dtype);
    const char zero[8] = {0};
    const void *one = shape->dtype == GM_F32   ? (const void *)&f32
                      : shape->dtype == GM_F64 ? (const void *)&f64
                                               : zero;
    for (uint64_t i = 0; i < shape->nbytes; i += size)
        str_add_n(out, one, size);
}

static int put_rows(const struct export *e,
                    const struct export_value *value,
                    const struct reader_value *shape,
                    struct gm_error *err)
{
    struct result_row row;
    int rc = 0;
    result_walk_again(e->w);
    while (rc == 0 && (rc = result_walk_next(e->w, &row, err)) > 0) {
        struct reader_value v = {0};
        rc = reader_value(
            e->w->r, row.stage, row.index, value->kind, value->index, &v, err);
        if (rc == -ENOENT) {
            put_none(shape, &e->out->text);
            rc = 0;
        } else if (rc == 0) {
            str_add_n(&e->out->text, v.data, v.nbytes);
        }
        free(v.data);
        rc = rc == 0 ? outlet_more(e->out, err) : rc;
    }
    return rc;
}

/* The one that is meant: named, or the only output that there is. */
static int choose(const struct export *e, struct export_values *v, struct gm_error *err)
{
    const struct reader_stage *s = reader_stage(e->w->r, e->w->first_stage);
    bool named = args_has(&e->cli->args, "value");
    AUTO_STR names = {0};
    for (unsigned i = 0; i < s->n_outputs; i++)
        str_printf(&names, "%s%s", i > 0 ? ", " : "", s->outputs[i].name);
    if (!named && s->n_outputs == 1)
        export_output(s, 0, v);
    if (!named && s->n_outputs == 0)
        return gm_fail(err,
                       -EINVAL,
                       "npy holds an array, and a command prints texts: --format csv or "
                       "json with --value stdout");
    if (v->n != 1 || (!named && s->n_outputs != 1))
        return gm_fail(err,
                       -EINVAL,
                       "npy holds one array: name one output by --value (%s)",
                       str_text(&names));
    return 0;
}

static int check(const struct export *e, struct export_values *v, struct gm_error *err)
{
    if (e->to_terminal)
        return gm_fail(err, -EINVAL, "npy is not for a terminal: give --output FILE");
    int rc = choose(e, v, err);
    if (rc != 0)
        return rc;
    if (v->items[0].kind == RESULT_STDOUT || v->items[0].kind == RESULT_STDERR)
        return gm_fail(err,
                       -EINVAL,
                       "--value %s: texts are no array: --format csv or json",
                       v->items[0].name);
    return 0;
}

int export_npy(const struct export *e, struct gm_error *err)
{
    struct export_values values;
    struct reader_value shape = {0};
    uint64_t rows = 0;
    int rc = result_walk_only(e->w, "an array", err);
    if (rc != 0)
        return rc;
    export_values(e, e->w->first_stage, &values);
    rc = check(e, &values, err);
    if (rc == 0)
        rc = find_shape(e, &values.items[0], &shape, &rows, err);
    if (rc != 0)
        return rc;
    put_header(&shape, e->w->single ? NULL : &rows, &e->out->text);
    return put_rows(e, &values.items[0], &shape, err);
}
