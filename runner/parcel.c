/* See parcel.h. Records in the order of their adding; few (a kernel's outputs), so they
 * are looked for one by one. Invariant: each record's data is this parcel's own copy. */
#include "parcel.h"
#include "base/memory.h"

struct parcel {
    struct result_record *records;
    unsigned n;
    uint64_t bytes;
};

struct parcel *parcel_make(void)
{
    return xcalloc(1, sizeof(struct parcel));
}

void parcel_free(struct parcel *p)
{
    if (p == NULL)
        return;
    for (unsigned i = 0; i < p->n; i++)
        free((void *)p->records[i].data);
    free(p->records);
    free(p);
}

static struct result_record *find(struct parcel *p, uint32_t kind, uint32_t index)
{
    for (unsigned i = 0; i < p->n; i++) {
        if (p->records[i].kind == kind && p->records[i].index == index)
            return &p->records[i];
    }
    return NULL;
}

int parcel_add(struct parcel *p, const struct result_record *r, struct gm_error *err)
{
    if (find(p, r->kind, r->index) != NULL)
        return gm_fail(err, -EEXIST, "output %u was set twice", r->index);
    void *copy = malloc(r->nbytes > 0 ? r->nbytes : 1);
    if (copy == NULL)
        return gm_fail(err,
                       -ENOMEM,
                       "no memory for an output of %llu bytes",
                       (unsigned long long)r->nbytes);
    if (r->nbytes > 0)
        memcpy(copy, r->data, r->nbytes);
    p->records = xrealloc(p->records, p->n + 1, sizeof(*p->records));
    p->records[p->n] = *r;
    p->records[p->n++].data = copy;
    p->bytes += r->nbytes;
    return 0;
}

int parcel_append(struct parcel *p,
                  const struct result_record *rows,
                  struct gm_error *err)
{
    struct result_record *r = find(p, rows->kind, rows->index);
    if (r == NULL)
        return parcel_add(p, rows, err);
    void *grown = realloc((void *)r->data, r->nbytes + rows->nbytes + 1);
    if (grown == NULL)
        return gm_fail(err,
                       -ENOMEM,
                       "no memory for a series of %llu bytes",
                       (unsigned long long)(r->nbytes + rows->nbytes));
    memcpy((char *)grown + r->nbytes, rows->data, rows->nbytes);
    r->data = grown;
    r->nbytes += rows->nbytes;
    r->dims[0] += rows->dims[0];
    p->bytes += rows->nbytes;
    return 0;
}

void parcel_drop_outputs(struct parcel *p)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < p->n; i++) {
        struct result_record *r = &p->records[i];
        if (r->kind == RESULT_OUTPUT || r->kind == RESULT_SERIES) {
            p->bytes -= r->nbytes;
            free((void *)r->data);
        } else {
            p->records[kept++] = *r;
        }
    }
    p->n = kept;
}

uint64_t parcel_bytes(const struct parcel *p)
{
    return p == NULL ? 0 : p->bytes;
}

int parcel_write(const struct parcel *p,
                 struct shard *s,
                 const struct result_commit *c,
                 struct gm_error *err)
{
    for (unsigned i = 0; i < p->n; i++) {
        struct result_record r = p->records[i];
        r.stage = c->stage;
        r.task = c->task;
        int rc = shard_add(s, &r, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
