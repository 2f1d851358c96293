/* See parcel.h. Records in the order of their adding; few (a kernel's outputs), so they
 * are looked for one by one. Invariant: each record's data is this parcel's own. */
#include "parcel.h"
#include "base/memory.h"
#include <fcntl.h>
#include <unistd.h>

struct value {
    struct result_record r;
    int file; /* -1: the data is malloc'ed */
};

struct parcel {
    struct value *values;
    unsigned n;
    uint64_t bytes;
};

struct parcel *parcel_make(void)
{
    return xcalloc(1, sizeof(struct parcel));
}

static void drop(struct parcel *p, struct value *v)
{
    p->bytes -= v->r.nbytes;
    if (v->file >= 0)
        (void)close(v->file);
    free((void *)v->r.data);
}

void parcel_free(struct parcel *p)
{
    if (p == NULL)
        return;
    for (unsigned i = 0; i < p->n; i++)
        drop(p, &p->values[i]);
    free(p->values);
    free(p);
}

static struct value *find(struct parcel *p, uint32_t kind, uint32_t index)
{
    for (unsigned i = 0; i < p->n; i++) {
        if (p->values[i].r.kind == kind && p->values[i].r.index == index)
            return &p->values[i];
    }
    return NULL;
}

static void keep(struct parcel *p, const struct result_record *r, void *data, int file)
{
    p->values = xrealloc(p->values, p->n + 1, sizeof(*p->values));
    struct value *v = &p->values[p->n++];
    *v = (struct value){.r = *r, .file = file};
    v->r.data = data;
    p->bytes += r->nbytes;
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
    keep(p, r, copy, -1);
    return 0;
}

int parcel_add_text(
    struct parcel *p, uint32_t kind, const char *text, size_t len, struct gm_error *err)
{
    struct result_record r = {.kind = kind,
                              .dtype = GM_U8,
                              .ndim = 1,
                              .dims = {len},
                              .data = text,
                              .nbytes = len};
    return len > 0 ? parcel_add(p, &r, err) : 0;
}

int parcel_add_file(struct parcel *p,
                    const struct result_record *r,
                    int fd,
                    struct gm_error *err)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own < 0)
        return gm_fail(err,
                       -errno,
                       "a value of %llu bytes in a file: %s",
                       (unsigned long long)r->nbytes,
                       strerror(errno));
    keep(p, r, NULL, own);
    return 0;
}

int parcel_append(struct parcel *p,
                  const struct result_record *rows,
                  struct gm_error *err)
{
    struct value *v = find(p, rows->kind, rows->index);
    if (v == NULL)
        return parcel_add(p, rows, err);
    struct result_record *r = &v->r;
    void *grown = realloc((void *)r->data, r->nbytes + rows->nbytes + 1);
    if (grown == NULL)
        return gm_fail(err,
                       -ENOMEM,
                       "no memory for a series of %llu bytes",
                       (unsigned long long)(r->nbytes + rows->nbytes));
    if (rows->nbytes > 0)
        memcpy((char *)grown + r->nbytes, rows->data, rows->nbytes);
    r->data = grown;
    r->nbytes += rows->nbytes;
    r->dims[0] += rows->dims[0];
    p->bytes += rows->nbytes;
    return 0;
}

int parcel_each(const struct parcel *p,
                int (*call)(void *ctx, const struct result_record *r),
                void *ctx)
{
    int rc = 0;
    for (unsigned i = 0; rc >= 0 && i < p->n; i++) {
        if (p->values[i].file < 0)
            rc = call(ctx, &p->values[i].r);
    }
    return rc;
}

void parcel_drop_outputs(struct parcel *p)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < p->n; i++) {
        struct value *v = &p->values[i];
        if (v->r.kind == RESULT_OUTPUT || v->r.kind == RESULT_SERIES)
            drop(p, v);
        else
            p->values[kept++] = *v;
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
        struct result_record r = p->values[i].r;
        r.stage = c->stage;
        r.task = c->task;
        int file = p->values[i].file;
        int rc = file < 0 ? shard_add(s, &r, err) : shard_add_file(s, &r, file, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
