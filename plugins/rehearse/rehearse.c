/* Threads as ranks. The sum is as plain as its contract: all ranks write their leaves
 * side by side, then each adds them up by itself, recursively. One rank alone, which is
 * what bench times, adds as it goes and keeps a partial sum a level. */
#include "rehearse.h"

#include "base/arena.h"
#include "base/memory.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS 64

struct part {
    uint32_t rank, number;
    void *data;
    size_t nbytes;
};

struct rehearse_state {
    uint32_t n_ranks;
    unsigned n, n_outputs;
    struct part *parts;
    struct rehearse_output *outputs;
    pthread_mutex_t lock;
};

struct post {
    const void *data;
    size_t nbytes;
    bool lies; /* not received yet */
};

struct group {
    const struct rehearse_task *task;
    struct gm_params params;
    struct rehearse_output *outputs;
    pthread_barrier_t barrier;
    atomic_uint questions;
    atomic_int failed;
    unsigned char *leaves; /* [total][n], shared by the ranks of a sum */
    void *cast;            /* what bcast sends */
    pthread_mutex_t lock;  /* of the posts */
    pthread_cond_t posted;
    struct post *posts; /* [from][to]: what an exchange has sent, not received yet */
};

struct rank {
    struct group *group;
    struct gm_comm comm;
    pthread_t thread;
    unsigned char *level[LEVELS]; /* partial sums of one rank alone */
    size_t level_bytes;
    int rc;
    struct gm_error err;
};

static void add(uint32_t dtype, size_t n, const void *from, void *to)
{
    for (size_t i = 0; i < n; i++) {
        if (dtype == GM_F32)
            ((float *)to)[i] += ((const float *)from)[i];
        else if (dtype == GM_F64)
            ((double *)to)[i] += ((const double *)from)[i];
        else
            ((int64_t *)to)[i] += ((const int64_t *)from)[i];
    }
}

/* The node of `span` leaves from `from` on, into out. */
static void add_tree(uint32_t dtype,
                     const unsigned char *leaves,
                     uint64_t total,
                     uint64_t from,
                     uint64_t span,
                     size_t n,
                     void *out)
{
    size_t bytes = n * gm_dtype_size(dtype);
    if (span == 1) {
        memcpy(out, leaves + from * bytes, bytes);
        return;
    }
    add_tree(dtype, leaves, total, from, span / 2, n, out);
    if (from + span / 2 >= total)
        return;
    void *right = xcalloc(1, bytes);
    add_tree(dtype, leaves, total, from + span / 2, span / 2, n, right);
    add(dtype, n, right, out);
    free(right);
}

/* One rank: a full node is added to its left sibling at once; what is left over at the
 * end is added from the smallest node up. The same tree. */
static int sum_alone(struct rank *r,
                     uint32_t dtype,
                     uint64_t total,
                     size_t n,
                     int (*leaf)(void *, uint64_t, void *, struct gm_error *),
                     void *ctx,
                     void *out,
                     struct gm_error *err)
{
    size_t bytes = n * gm_dtype_size(dtype);
    if (bytes > r->level_bytes) {
        for (unsigned l = 0; l < LEVELS; l++) {
            free(r->level[l]);
            r->level[l] = NULL;
        }
        r->level_bytes = bytes;
    }
    uint64_t full = 0; /* bit l: level l holds a node */
    for (uint64_t i = 0; i < total; i++) {
        unsigned top = (unsigned)__builtin_ctzll(~full);
        for (unsigned l = 0; l <= top; l++)
            r->level[l] = r->level[l] == NULL ? xcalloc(1, r->level_bytes) : r->level[l];
        int rc = leaf(ctx, i, r->level[top], err);
        if (rc != 0)
            return rc;
        for (unsigned l = 0; l < top; l++) { /* left + right, the right one in hand */
            add(dtype, n, r->level[top], r->level[l]);
            unsigned char *swap = r->level[l];
            r->level[l] = r->level[top];
            r->level[top] = swap;
        }
        full++;
    }
    memset(out, 0, bytes);
    bool started = false;
    for (unsigned l = 0; l < LEVELS; l++) {
        if (!(full >> l & 1))
            continue;
        if (started)
            add(dtype, n, out, r->level[l]);
        memcpy(out, r->level[l], bytes);
        started = true;
    }
    return 0;
}

static int sum_together(struct rank *r,
                        uint32_t dtype,
                        uint64_t total,
                        uint64_t first,
                        uint64_t count,
                        size_t n,
                        int (*leaf)(void *, uint64_t, void *, struct gm_error *),
                        void *ctx,
                        void *out,
                        struct gm_error *err)
{
    struct group *g = r->group;
    size_t bytes = n * gm_dtype_size(dtype);
    if (r->comm.rank == 0)
        g->leaves = xcalloc(total + 1, bytes);
    (void)pthread_barrier_wait(&g->barrier);
    int rc = 0;
    for (uint64_t i = first; i < first + count && rc == 0; i++)
        rc = leaf(ctx, i, g->leaves + i * bytes, err);
    if (rc != 0)
        atomic_store(&g->failed, 1);
    (void)pthread_barrier_wait(&g->barrier);
    bool lost = atomic_load(&g->failed) != 0;
    uint64_t span = 1;
    while (span < total)
        span *= 2;
    if (total > 0 && !lost)
        add_tree(dtype, g->leaves, total, 0, span, n, out);
    (void)pthread_barrier_wait(&g->barrier);
    if (r->comm.rank == 0) {
        free(g->leaves);
        g->leaves = NULL;
    }
    if (rc == 0 && lost)
        return gm_fail(err, -EOWNERDEAD, "another rank failed");
    return rc;
}

static int sum(const struct gm_comm *comm,
               uint32_t dtype,
               uint64_t total,
               uint64_t first,
               uint64_t count,
               size_t n,
               int (*leaf)(void *, uint64_t, void *, struct gm_error *),
               void *ctx,
               void *out,
               struct gm_error *err)
{
    struct rank *r = comm->impl;
    if (comm->n_ranks == 1)
        return sum_alone(r, dtype, total, n, leaf, ctx, out, err);
    return sum_together(r, dtype, total, first, count, n, leaf, ctx, out, err);
}

static int bcast(const struct gm_comm *comm,
                 uint32_t root,
                 void *buf,
                 size_t nbytes,
                 struct gm_error *err)
{
    (void)err;
    struct group *g = ((struct rank *)comm->impl)->group;
    if (comm->n_ranks == 1)
        return 0;
    if (comm->rank == root)
        g->cast = buf;
    (void)pthread_barrier_wait(&g->barrier);
    if (comm->rank != root)
        memcpy(buf, g->cast, nbytes);
    (void)pthread_barrier_wait(&g->barrier);
    return 0;
}

/* One post a pair of ranks, which lies there until it is received. */
static int exchange(const struct gm_comm *comm,
                    uint32_t to,
                    const void *out,
                    size_t n_out,
                    uint32_t from,
                    void *in,
                    size_t n_in,
                    struct gm_error *err)
{
    struct group *g = ((struct rank *)comm->impl)->group;
    struct post *mine =
        to == GM_NOBODY ? NULL : &g->posts[comm->rank * comm->n_ranks + to];
    struct post *theirs =
        from == GM_NOBODY ? NULL : &g->posts[from * comm->n_ranks + comm->rank];
    int rc = 0;
    (void)pthread_mutex_lock(&g->lock);
    if (mine != NULL)
        *mine = (struct post){.data = out, .nbytes = n_out, .lies = true};
    (void)pthread_cond_broadcast(&g->posted);
    while (theirs != NULL && !theirs->lies)
        (void)pthread_cond_wait(&g->posted, &g->lock);
    if (theirs != NULL && theirs->nbytes != n_in)
        rc = gm_fail(err, -EIO, "%zu bytes came, not %zu", theirs->nbytes, n_in);
    else if (theirs != NULL)
        memcpy(in, theirs->data, n_in);
    if (theirs != NULL)
        theirs->lies = false;
    (void)pthread_cond_broadcast(&g->posted);
    while (mine != NULL && mine->lies)
        (void)pthread_cond_wait(&g->posted, &g->lock);
    (void)pthread_mutex_unlock(&g->lock);
    return rc;
}

static int cancelled(const struct gm_comm *comm)
{
    struct group *g = ((struct rank *)comm->impl)->group;
    unsigned asked = atomic_fetch_add(&g->questions, 1);
    return g->task->cancel_after > 0 && asked >= g->task->cancel_after;
}

static int put(const struct gm_sink *sink,
               unsigned output,
               uint32_t ndim,
               const uint64_t *dims,
               const void *data,
               struct gm_error *err)
{
    struct rank *r = sink->impl;
    if (r->comm.rank != 0)
        return 0;
    struct rehearse_output *o = &r->group->outputs[output];
    const struct gm_output_spec *spec = &r->group->task->kernel->outputs[output];
    if (o->data != NULL || ndim != spec->ndim)
        return gm_fail(
            err, -EINVAL, "output %s: put twice, or of %u dimensions", spec->name, ndim);
    size_t n = gm_dtype_size(spec->dtype);
    for (uint32_t d = 0; d < ndim; d++) {
        n = xmul(n, dims[d]);
        o->dims[d] = dims[d];
    }
    o->ndim = ndim;
    o->data = xcalloc(1, n + 1);
    o->nbytes = n;
    memcpy(o->data, data, n);
    return 0;
}

static int append(const struct gm_sink *sink,
                  unsigned output,
                  uint64_t n_rows,
                  const void *rows,
                  struct gm_error *err)
{
    (void)err;
    struct rank *r = sink->impl;
    if (r->comm.rank != 0)
        return 0;
    struct rehearse_output *o = &r->group->outputs[output];
    size_t n = xmul(n_rows, gm_dtype_size(r->group->task->kernel->outputs[output].dtype));
    o->data = xrealloc(o->data, 1, o->nbytes + n);
    memcpy((char *)o->data + o->nbytes, rows, n);
    o->nbytes += n;
    o->rows += n_rows;
    return 0;
}

static int put_part(const struct gm_saver *saver,
                    unsigned part,
                    const void *data,
                    size_t nbytes,
                    struct gm_error *err)
{
    (void)err;
    const struct rank *r = saver->impl;
    struct rehearse_state *s = *r->group->task->save;
    struct part p = {.rank = r->comm.rank, .number = part, .nbytes = nbytes};
    p.data = xcalloc(1, nbytes + 1);
    memcpy(p.data, data, nbytes);
    (void)pthread_mutex_lock(&s->lock);
    s->parts = xrealloc(s->parts, s->n + 1, sizeof(*s->parts));
    s->parts[s->n++] = p;
    (void)pthread_mutex_unlock(&s->lock);
    return 0;
}

static int get_part(const struct gm_loader *loader,
                    uint32_t rank,
                    unsigned part,
                    const void **ret,
                    size_t *ret_nbytes,
                    struct gm_error *err)
{
    const struct rehearse_state *s = loader->impl;
    for (unsigned i = 0; i < s->n; i++) {
        if (s->parts[i].rank == rank && s->parts[i].number == part) {
            *ret = s->parts[i].data;
            *ret_nbytes = s->parts[i].nbytes;
            return 0;
        }
    }
    return gm_fail(err, -ENOENT, "rank %u put no part %u", rank, part);
}

static struct rehearse_output *copy_outputs(const struct rehearse_output *from,
                                            unsigned n)
{
    struct rehearse_output *to = xcalloc(n, sizeof(*to));
    for (unsigned i = 0; i < n; i++) {
        to[i] = from[i];
        if (from[i].data == NULL)
            continue;
        to[i].data = xcalloc(1, from[i].nbytes + 1);
        memcpy(to[i].data, from[i].data, from[i].nbytes);
    }
    return to;
}

static struct rehearse_state *make_state(uint32_t n_ranks)
{
    struct rehearse_state *s = xcalloc(1, sizeof(*s));
    s->n_ranks = n_ranks;
    (void)pthread_mutex_init(&s->lock, NULL);
    return s;
}

void rehearse_state_free(struct rehearse_state *s)
{
    if (s == NULL)
        return;
    for (unsigned i = 0; i < s->n; i++)
        free(s->parts[i].data);
    for (unsigned i = 0; i < s->n_outputs; i++)
        free(s->outputs[i].data);
    free(s->outputs);
    free(s->parts);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

static int save_all(struct rank *r, void *self, struct gm_error *err)
{
    const struct gm_saver saver = {.size = sizeof(saver), .impl = r, .put = put_part};
    int rc = r->group->task->kernel->save(self, &saver, err);
    return rc < 0 ? rc : gm_fail(err, -ECANCELED, "saved");
}

static int load_all(const struct rehearse_task *t, void *self, struct gm_error *err)
{
    const struct gm_loader loader = {.size = sizeof(loader),
                                     .n_ranks = t->load->n_ranks,
                                     .impl = (void *)t->load,
                                     .get = get_part};
    return t->kernel->load(self, &loader, err);
}

/* "[1, 2.5]" or "1" as numbers; how many, or -1. */
static int numbers(const char *text, struct arena *a, double **ret)
{
    double *v = arena_alloc(a, strlen(text) + 1, sizeof(*v));
    int n = 0;
    for (const char *p = text + (*text == '['); *p != '\0' && *p != ']';) {
        char *end;
        v[n++] = strtod(p, &end);
        if (end == p)
            return -1;
        p = end + strspn(end, ", ");
    }
    *ret = v;
    return n;
}

static int value(const struct gm_param_spec *spec,
                 const char *text,
                 struct arena *a,
                 struct gm_value *ret,
                 struct gm_error *err)
{
    struct gm_value v = {.type = spec->type};
    double *list = NULL;
    int n = 1;
    switch (spec->type) {
    case GM_PARAM_BOOL:
        v.as.b = strcmp(text, "true") == 0;
        break;
    case GM_PARAM_INT:
    case GM_PARAM_FLOAT:
    case GM_PARAM_INT_LIST:
    case GM_PARAM_FLOAT_LIST:
        n = numbers(text, a, &list);
        break;
    default:
        v.as.s = text;
        break;
    }
    if (n < 0 || (list != NULL && n == 0))
        return gm_fail(err, -EINVAL, "%s: '%s' is no number", spec->name, text);
    v.n = (uint32_t)n;
    if (list == NULL) {
        *ret = v;
        return 0;
    }
    if (spec->type == GM_PARAM_INT)
        v.as.i = (int64_t)list[0];
    if (spec->type == GM_PARAM_FLOAT)
        v.as.f = list[0];
    if (spec->type == GM_PARAM_FLOAT_LIST)
        v.as.floats = list;
    if (spec->type == GM_PARAM_INT_LIST) {
        int64_t *ints = arena_alloc(a, v.n, sizeof(*ints));
        for (uint32_t i = 0; i < v.n; i++)
            ints[i] = (int64_t)list[i];
        v.as.ints = ints;
    }
    *ret = v;
    return 0;
}

static int make_params(const struct rehearse_task *task,
                       struct arena *a,
                       struct gm_params *ret,
                       struct gm_error *err)
{
    const struct gm_kernel *k = task->kernel;
    struct gm_value *values = arena_alloc(a, k->n_params, sizeof(*values));
    for (unsigned i = 0; i < k->n_params; i++) {
        const char *text = k->params[i].preset;
        for (const struct rehearse_arg *arg = task->args; arg != NULL && arg->name; arg++)
            text = strcmp(arg->name, k->params[i].name) == 0 ? arg->value : text;
        int rc = text == NULL ? 0 : value(&k->params[i], text, a, &values[i], err);
        if (rc != 0)
            return rc;
    }
    *ret = (struct gm_params){.specs = k->params, .values = values, .n = k->n_params};
    return 0;
}

static int run_task(struct rank *r, void *self, struct gm_error *err)
{
    const struct rehearse_task *t = r->group->task;
    const struct gm_task task = {.size = sizeof(task),
                                 .params = &r->group->params,
                                 .comm = &r->comm,
                                 .shard = t->shard,
                                 .inputs = t->inputs,
                                 .n_inputs = t->n_inputs};
    const struct gm_sink sink = {
        .size = sizeof(sink), .impl = r, .put = put, .append = append};
    int rc = t->kernel->begin(self, &task, &sink, err);
    if (rc != 0)
        return rc;
    rc = t->load != NULL ? load_all(t, self, err) : 0;
    for (unsigned n = 0; rc >= 0 && (n == 0 || rc == 1); n++) {
        bool saves = t->save_after > 0 && n == t->save_after;
        rc = saves ? save_all(r, self, err) : t->kernel->step(self, err);
    }
    t->kernel->end(self, rc);
    return rc;
}

static void *run_rank(void *arg)
{
    struct rank *r = arg;
    const struct rehearse_task *t = r->group->task;
    const struct gm_seat seat = {.size = sizeof(seat),
                                 .n_threads = t->n_threads == 0 ? 1 : t->n_threads,
                                 .device = t->device == NULL ? "cpu" : t->device,
                                 .cpus = "0"};
    void *self = NULL;
    r->rc = t->kernel->open(&r->group->params, &seat, &self, &r->err);
    if (r->rc == 0) {
        r->rc = run_task(r, self, &r->err);
        t->kernel->close(self);
    }
    return NULL;
}

/* Rank 0 is this thread. Returns the lowest failed rank's code. */
static int run_group(struct group *g, unsigned n_ranks, struct gm_error *err)
{
    struct rank *ranks = xcalloc(n_ranks, sizeof(*ranks));
    for (unsigned i = 0; i < n_ranks; i++) {
        ranks[i].group = g;
        ranks[i].comm = (struct gm_comm){.size = sizeof(struct gm_comm),
                                         .rank = i,
                                         .n_ranks = n_ranks,
                                         .impl = &ranks[i],
                                         .sum = sum,
                                         .bcast = bcast,
                                         .cancelled = cancelled,
                                         .exchange = exchange};
    }
    for (unsigned i = 1; i < n_ranks; i++) {
        if (pthread_create(&ranks[i].thread, NULL, run_rank, &ranks[i]) != 0)
            abort(); /* the others wait for it */
    }
    (void)run_rank(&ranks[0]);
    int rc = 0;
    for (unsigned i = 0; i < n_ranks; i++) {
        if (i > 0)
            (void)pthread_join(ranks[i].thread, NULL);
        if (rc == 0 && ranks[i].rc != 0) {
            rc = ranks[i].rc;
            if (err != NULL)
                *err = ranks[i].err;
        }
        for (unsigned l = 0; l < LEVELS; l++)
            free(ranks[i].level[l]);
    }
    free(ranks);
    return rc;
}

int rehearse_run(const struct rehearse_task *task,
                 struct rehearse_output **ret,
                 struct gm_error *err)
{
    AUTO(arena) a = arena_make();
    struct group g = {.task = task,
                      .lock = PTHREAD_MUTEX_INITIALIZER,
                      .posted = PTHREAD_COND_INITIALIZER};
    unsigned n_ranks = task->n_ranks == 0 ? 1 : task->n_ranks;
    int rc = make_params(task, a, &g.params, err);
    if (rc != 0)
        return rc;
    unsigned n_outputs = task->kernel->n_outputs;
    g.outputs = task->load != NULL ? copy_outputs(task->load->outputs, n_outputs)
                                   : xcalloc(n_outputs, sizeof(*g.outputs));
    if (task->save_after > 0)
        *task->save = make_state(n_ranks);
    if (pthread_barrier_init(&g.barrier, NULL, n_ranks) != 0)
        abort();
    g.posts = xcalloc((size_t)n_ranks * n_ranks, sizeof(*g.posts));
    rc = run_group(&g, n_ranks, err);
    free(g.posts);
    (void)pthread_barrier_destroy(&g.barrier);
    if (task->save_after > 0) {
        (*task->save)->outputs = copy_outputs(g.outputs, n_outputs);
        (*task->save)->n_outputs = n_outputs;
    }
    if (rc == 0)
        *ret = g.outputs;
    else
        rehearse_free(task->kernel, g.outputs);
    return rc;
}

void rehearse_free(const struct gm_kernel *kernel, struct rehearse_output *outputs)
{
    for (unsigned i = 0; outputs != NULL && i < kernel->n_outputs; i++)
        free(outputs[i].data);
    free(outputs);
}

const struct rehearse_output *rehearse_find(const struct gm_kernel *kernel,
                                            const struct rehearse_output *outputs,
                                            const char *name)
{
    for (unsigned i = 0; i < kernel->n_outputs; i++) {
        if (strcmp(kernel->outputs[i].name, name) == 0)
            return outputs[i].data == NULL ? NULL : &outputs[i];
    }
    return NULL;
}
