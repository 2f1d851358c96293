/* Tables into inputs and labels. A label is a whole number from 0 on; rows are counted
 * from 0, as in the outputs. */
#include "dataset.h"

#include "kernels/io/table.h"
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *dataset_name(const struct dataset_source *from)
{
    return from->input != NULL ? from->input->origin : from->path;
}

static int table_from(const char *path,
                      const struct gm_input *input,
                      uint64_t first,
                      uint64_t count,
                      struct table *ret,
                      struct gm_error *err)
{
    if (input == NULL)
        return table_read(path, first, count, ret, err);
    struct table all = {0};
    int rc = table_convert(
        input->origin, input->dtype, input->ndim, input->dims, input->data, &all, err);
    if (rc != 0)
        return rc;
    uint64_t rows = count == TABLE_ALL ? all.rows - first : count;
    if (first > all.rows || rows > all.rows - first) {
        rc = gm_fail(err,
                     -EINVAL,
                     "%s: has %" PRIu64 " rows, row %" PRIu64 " is asked for",
                     input->origin,
                     all.rows,
                     first + count - 1);
        table_free(&all);
        return rc;
    }
    memmove(all.values, all.values + first * all.cols, rows * all.cols * sizeof(float));
    all.rows = rows;
    *ret = all;
    return 0;
}

static int
to_label(const char *name, uint64_t row, float v, int32_t *ret, struct gm_error *err)
{
    if (!(v >= 0) || v > 16777216.0F || v != truncf(v))
        return gm_fail(err,
                       -EINVAL,
                       "%s: row %" PRIu64 ": label %g is not a whole number from "
                       "0 on",
                       name,
                       row,
                       (double)v);
    *ret = (int32_t)v;
    return 0;
}

/* Labels from a table of their own. */
static int
read_labels(const struct dataset_source *from, struct dataset *d, struct gm_error *err)
{
    const char *name = from->labels != NULL ? from->labels->origin : from->labels_path;
    struct table t = {0};
    int rc =
        table_from(from->labels_path, from->labels, from->first, from->count, &t, err);
    if (rc != 0)
        return rc;
    if (t.cols != 1 || t.rows != d->rows)
        rc = gm_fail(err,
                     -EINVAL,
                     "%s: has %" PRIu64 " x %" PRIu64 " labels where %s has %" PRIu64
                     " rows",
                     name,
                     t.rows,
                     t.cols,
                     dataset_name(from),
                     d->rows);
    for (uint64_t i = 0; i < t.rows && rc == 0; i++)
        rc = to_label(name, from->first + i, t.values[i], &d->labels[i], err);
    table_free(&t);
    return rc;
}

/* Takes the last column out of the rows, in place. */
static int
cut_labels(const struct dataset_source *from, struct dataset *d, struct gm_error *err)
{
    uint64_t cols = d->inputs--;
    for (uint64_t i = 0; i < d->rows; i++) {
        float *row = d->x + i * cols;
        int rc = to_label(
            dataset_name(from), from->first + i, row[cols - 1], &d->labels[i], err);
        if (rc != 0)
            return rc;
        memmove(d->x + i * d->inputs, row, d->inputs * sizeof(float));
    }
    return 0;
}

int dataset_load(const struct dataset_source *from,
                 struct dataset *ret,
                 struct gm_error *err)
{
    struct table t = {0};
    int rc = table_from(from->path, from->input, from->first, from->count, &t, err);
    if (rc != 0)
        return rc;
    struct dataset d = {.x = t.values, .rows = t.rows, .inputs = t.cols};
    bool apart = from->labels_path != NULL || from->labels != NULL;
    if (apart || from->last_is_label) {
        d.labels = calloc(d.rows + 1, sizeof(*d.labels));
        if (d.labels == NULL)
            rc =
                gm_fail(err, -ENOMEM, "%s: no memory for the labels", dataset_name(from));
        else if (apart)
            rc = read_labels(from, &d, err);
        else if (d.inputs < 2)
            rc = gm_fail(err,
                         -EINVAL,
                         "%s: has %" PRIu64 " columns: inputs and a label want two",
                         dataset_name(from),
                         d.inputs);
        else
            rc = cut_labels(from, &d, err);
    }
    const float scale = (float)from->scale;
    for (uint64_t i = 0; i < d.rows * d.inputs && rc == 0; i++)
        d.x[i] *= scale;
    if (rc == 0)
        *ret = d;
    else
        dataset_free(&d);
    return rc;
}

void dataset_free(struct dataset *d)
{
    free(d->x);
    free(d->labels);
    *d = (struct dataset){0};
}

int dataset_check(const struct dataset *d,
                  const char *name,
                  uint64_t first,
                  uint64_t inputs,
                  uint64_t classes,
                  struct gm_error *err)
{
    if (d->inputs != inputs)
        return gm_fail(err,
                       -EINVAL,
                       "%s: has %" PRIu64
                       " columns of inputs, but the first layer has %" PRIu64,
                       name,
                       d->inputs,
                       inputs);
    for (uint64_t i = 0; i < d->rows && d->labels != NULL; i++) {
        if ((uint64_t)d->labels[i] >= classes)
            return gm_fail(err,
                           -EINVAL,
                           "%s: row %" PRIu64
                           ": label %d, but the last layer has %" PRIu64
                           " classes (0-%" PRIu64 ")",
                           name,
                           first + i,
                           d->labels[i],
                           classes,
                           classes - 1);
    }
    return 0;
}

static bool equal(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same(const struct dataset_source *a, const struct dataset_source *b)
{
    return equal(a->path, b->path) && equal(a->labels_path, b->labels_path) &&
           a->last_is_label == b->last_is_label && a->first == b->first &&
           a->count == b->count && !(a->scale < b->scale) && !(a->scale > b->scale);
}

static char *copy(const char *text)
{
    return text == NULL ? NULL : strdup(text);
}

void dataset_cache_free(struct dataset_cache *c)
{
    dataset_free(&c->data);
    free((void *)c->from.path);
    free((void *)c->from.labels_path);
    *c = (struct dataset_cache){0};
}

int dataset_cached(struct dataset_cache *c,
                   const struct dataset_source *from,
                   const struct dataset **ret,
                   struct gm_error *err)
{
    bool keep = from->input == NULL && from->labels == NULL;
    if (!keep || !c->filled || !same(&c->from, from)) {
        dataset_cache_free(c);
        int rc = dataset_load(from, &c->data, err);
        if (rc != 0)
            return rc;
        c->from = *from;
        c->from.path = copy(from->path);
        c->from.labels_path = copy(from->labels_path);
        c->filled = keep;
    }
    *ret = &c->data;
    return 0;
}
