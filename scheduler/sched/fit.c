/* See fit.h. Down the request: each vertex takes its copies from the scope it stands in,
 * which is all hosts or a domain of one.
 *
 * Copies of one vertex are alike, and domains of one kind are apart, so taking the first
 * that fit is exact for a chain of vertices. Siblings compete: where taking them in the
 * order of the request fails, match.c tries once more, tight.
 *
 * Invariant: a function that returns false may leave claims behind; whoever goes on after
 * that has marked, and undoes. */
#include "fit.h"
#include "base/memory.h"
#include "claims.h"
#include <assert.h>

struct scope {
    int host; /* -1: all of them */
    unsigned node;
};

struct search {
    const struct fit_request *req;
    struct claims *claims;
    uint64_t *need; /* cores that one copy of a want takes at least */
    int64_t *found;
};

static uint64_t times(uint64_t a, uint64_t b)
{
    uint64_t n;
    return __builtin_mul_overflow(a, b, &n) ? UINT64_MAX : n;
}

static void measure(struct search *s)
{
    const struct want *w = s->req->wants;
    for (unsigned i = s->req->n_wants; i-- > 0;) {
        uint64_t all = times(s->need[i], (uint64_t)s->req->counts[i]);
        if (w[i].role == WANT_CORES)
            all = (uint64_t)s->req->counts[i];
        uint64_t *up = &s->need[w[i].parent];
        if (w[i].parent != i)
            *up = *up > UINT64_MAX - all ? UINT64_MAX : *up + all;
    }
}

static bool note(struct search *s, unsigned want, int64_t found)
{
    s->found[want] = found > s->found[want] ? found : s->found[want];
    return false;
}

static bool is_leaf(const struct want *w)
{
    return w->role >= WANT_CORES;
}

static const struct topo_shape *shape_of(const struct search *s, unsigned host)
{
    return restree_shape(s->req->tree, host);
}

/* ---- the domains of a scope ---- */

struct candidates {
    struct candidate {
        unsigned host, node;
        uint64_t key; /* the least comes first */
    } * items;
    unsigned n, room;
};

static void add_candidate(struct candidates *c, unsigned host, unsigned node)
{
    if (c->n == c->room) {
        c->room = c->room > 0 ? 2 * c->room : 8;
        c->items = xrealloc(c->items, c->room, sizeof(*c->items));
    }
    c->items[c->n++] = (struct candidate){.host = host, .node = node};
}

/* Those at or below the node; where there is none, the one around it that is just as
 * large (a package around its only NUMA node, a NUMA node around its only cache). */
static void add_candidates(const struct search *s,
                           const struct want *w,
                           unsigned host,
                           unsigned node,
                           struct candidates *c)
{
    const struct topo_shape *shape = shape_of(s, host);
    const struct topo_node *nodes = shape->nodes;
    struct topo_node like;
    (void)want_level(shape, w->r->type, &like);
    unsigned before = c->n;
    for (unsigned i = node; i < nodes[node].end; i++) {
        if (want_is_like(&nodes[i], &like))
            add_candidate(c, host, i);
    }
    for (unsigned i = node; c->n == before && i != 0;) {
        i = nodes[i].parent;
        if (nodes[i].n_pus == nodes[node].n_pus && want_is_like(&nodes[i], &like))
            add_candidate(c, host, i);
    }
}

static int by_key(const void *va, const void *vb)
{
    const struct candidate *a = va, *b = vb;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    if (a->host != b->host)
        return a->host < b->host ? -1 : 1;
    return a->node < b->node ? -1 : a->node > b->node;
}

static struct candidates
find_candidates(const struct search *s, const struct want *w, const struct scope *at)
{
    struct candidates c = {0};
    if (at->host >= 0)
        add_candidates(s, w, (unsigned)at->host, at->node, &c);
    for (unsigned h = 0; at->host < 0 && h < s->req->tree->n_hosts; h++) {
        if (idset_has(s->req->usable, h))
            add_candidates(s, w, h, 0, &c);
    }
    for (unsigned i = 0; s->req->tight && i < c.n; i++) {
        struct candidate *x = &c.items[i];
        uint64_t gpus = w->has_gpus ? 0 : claims_gpus(s->claims, x->host, x->node);
        x->key = gpus << 32 | claims_cores(s->claims, x->host, x->node);
    }
    if (s->req->tight && c.n > 0)
        qsort(c.items, c.n, sizeof(*c.items), by_key);
    return c;
}

/* ---- placing ---- */

static bool place_list(
    struct search *s, const struct scope *at, unsigned first, unsigned end, int slot);

static bool try_domain(struct search *s, unsigned want, const struct scope *at, int slot)
{
    const struct want *w = &s->req->wants[want];
    unsigned host = (unsigned)at->host;
    if (w->exclusive && !claims_all_free(s->claims, host, at->node))
        return false;
    if (!place_list(s, at, want + 1, w->end, slot))
        return false;
    if (w->exclusive)
        claims_take_rest(s->claims,
                         host,
                         at->node,
                         w->has_pus ? -1 : slot,
                         w->has_gpus || w->has_pus ? -1 : slot);
    return true;
}

/* Of those that have too few cores one is tried all the same: it knows what is missing.
 */
static bool
place_domains(struct search *s, const struct scope *at, unsigned want, int slot)
{
    const struct want *w = &s->req->wants[want];
    int64_t n = s->req->counts[want], found = 0;
    if (n == 0)
        return true;
    struct candidates c = find_candidates(s, w, at);
    bool tried = false;
    for (unsigned i = 0; i < c.n && found < n; i++) {
        struct scope in = {(int)c.items[i].host, c.items[i].node};
        bool small = claims_cores(s->claims, c.items[i].host, in.node) < s->need[want];
        if (small && tried)
            continue;
        struct claims_mark mark = claims_mark(s->claims);
        tried = true;
        if (try_domain(s, want, &in, slot))
            found++;
        else
            claims_undo(s->claims, mark);
    }
    free(c.items);
    return found == n || note(s, want, found);
}

static bool place_all(struct search *s, const struct scope *at, unsigned want, int slot)
{
    const struct want *w = &s->req->wants[want];
    const struct fit_request *req = s->req;
    if (at->host >= 0 || req->counts[want] > 1)
        return note(s, want, at->host < 0);
    for (unsigned h = 0; w->exclusive && h < req->tree->n_hosts; h++) {
        if (idset_has(req->usable, h) && !claims_all_free(s->claims, h, 0))
            return note(s, want, 0);
    }
    if (!place_list(s, at, want + 1, w->end, slot))
        return note(s, want, 0);
    for (unsigned h = 0; w->exclusive && h < req->tree->n_hosts; h++) {
        if (idset_has(req->usable, h))
            claims_take_rest(s->claims,
                             h,
                             0,
                             w->has_pus ? -1 : slot,
                             w->has_gpus || w->has_pus ? -1 : slot);
    }
    return true;
}

/* A slot without nodes in it stands on one host: the first with room from *from on. */
static bool place_on_a_host(struct search *s, unsigned want, unsigned own, unsigned *from)
{
    const struct want *w = &s->req->wants[want];
    bool tried = false;
    for (unsigned h = *from; h < s->req->tree->n_hosts; h++) {
        bool small = claims_cores(s->claims, h, 0) < s->need[want];
        if (!idset_has(s->req->usable, h) || (small && tried))
            continue;
        struct scope in = {(int)h, 0};
        struct claims_mark mark = claims_mark(s->claims);
        tried = true;
        if (place_list(s, &in, want + 1, w->end, (int)own)) {
            *from = h;
            return true;
        }
        claims_undo(s->claims, mark);
    }
    return false;
}

static bool place_slots(struct search *s, const struct scope *at, unsigned want, int slot)
{
    const struct want *w = &s->req->wants[want];
    unsigned from = 0;
    for (int64_t i = 0; i < s->req->counts[want]; i++) {
        struct claims_mark mark = claims_mark(s->claims);
        int own = claims_slot(s->claims, want, slot);
        bool fits = at->host < 0 && !w->has_host
                        ? place_on_a_host(s, want, (unsigned)own, &from)
                        : place_list(s, at, want + 1, w->end, own);
        if (!fits) {
            claims_undo(s->claims, mark);
            return note(s, want, i);
        }
    }
    return true;
}

/* The leaves of one list together. */
struct leaves {
    uint64_t cores, pus, gpus, bytes;
    unsigned core, pu, gpu, memory; /* which want asks for them */
};

/* Bytes of a want of memory; at the top of what adds up without wrapping. */
static uint64_t bytes_of(const struct search *s, unsigned want)
{
    uint64_t most = UINT64_MAX / WANT_MAX;
    uint64_t n = times((uint64_t)s->req->counts[want], s->req->wants[want].bytes);
    return n < most ? n : most;
}

static void add_leaf(const struct search *s, unsigned want, struct leaves *l)
{
    uint64_t n = (uint64_t)s->req->counts[want];
    switch (s->req->wants[want].role) {
    case WANT_MEMORY:
        l->bytes += bytes_of(s, want);
        l->memory = want;
        break;
    case WANT_GPUS:
        l->gpus += n;
        l->gpu = want;
        break;
    case WANT_CORES:
        l->cores += n;
        l->core = want;
        break;
    default:
        l->pus += n;
        l->pu = want;
    }
}

/* Memory is counted down whether it is exclusive or not, with the exclusive ones. */
static struct leaves
sum_leaves(const struct search *s, unsigned first, unsigned end, bool exclusive)
{
    struct leaves l = {0};
    for (unsigned i = first; i < end; i = s->req->wants[i].end) {
        const struct want *w = &s->req->wants[i];
        if (is_leaf(w) && (w->role == WANT_MEMORY || w->exclusive) == exclusive)
            add_leaf(s, i, &l);
    }
    return l;
}

/* Takes them at one domain of a host. */
static bool take_leaves(
    struct search *s, const struct leaves *l, unsigned host, unsigned node, int slot)
{
    struct claims *c = s->claims;
    if (l->bytes > 0) {
        uint64_t is_free = claims_memory(c, host, node);
        if (is_free < l->bytes)
            return note(
                s, l->memory, (int64_t)(is_free / s->req->wants[l->memory].bytes));
        claims_take_memory(c, host, node, l->bytes);
    }
    if (claims_cores(c, host, node) < l->cores)
        return note(s, l->core, claims_cores(c, host, node));
    if (claims_gpus(c, host, node) < l->gpus)
        return note(s, l->gpu, claims_gpus(c, host, node));
    if (l->cores > 0)
        claims_take_cores(c, host, node, (unsigned)l->cores, (unsigned)l->gpus, slot);
    else if (l->gpus > 0)
        claims_take_gpus(c, host, node, (unsigned)l->gpus, slot);
    if (claims_pus(c, host, node) < l->pus)
        return note(s, l->pu, claims_pus(c, host, node));
    if (l->pus > 0)
        claims_take_pus(c, host, node, (unsigned)l->pus, slot);
    return true;
}

/* On one host, where the list is above hosts. */
static bool
place_leaves(struct search *s, const struct scope *at, const struct leaves *l, int slot)
{
    if (l->cores == 0 && l->gpus == 0 && l->pus == 0 && l->bytes == 0)
        return true;
    if (at->host >= 0)
        return take_leaves(s, l, (unsigned)at->host, at->node, slot);
    for (unsigned h = 0; h < s->req->tree->n_hosts; h++) {
        struct claims_mark mark = claims_mark(s->claims);
        if (idset_has(s->req->usable, h) && take_leaves(s, l, h, 0, slot))
            return true;
        claims_undo(s->claims, mark);
    }
    return false;
}

/* How many a host, or a part of it, has in all. */
static unsigned all_of(enum want_role role, const struct topo_node *n)
{
    return role == WANT_GPUS ? n->n_gpus : role == WANT_CORES ? n->n_cores : n->n_pus;
}

static uint64_t
all_in(const struct search *s, const struct scope *at, enum want_role role)
{
    uint64_t n = 0;
    if (at->host >= 0)
        return all_of(role, &shape_of(s, (unsigned)at->host)->nodes[at->node]);
    for (unsigned h = 0; h < s->req->tree->n_hosts; h++)
        n += idset_has(s->req->usable, h) ? all_of(role, &shape_of(s, h)->nodes[0]) : 0;
    return n;
}

/* Outside a slot and shared: it is enough that they are there. */
static bool
are_there(struct search *s, const struct scope *at, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i = s->req->wants[i].end) {
        const struct want *w = &s->req->wants[i];
        if (!is_leaf(w) || w->role == WANT_MEMORY || w->exclusive)
            continue;
        uint64_t n = all_in(s, at, w->role);
        if (n < (uint64_t)s->req->counts[i])
            return note(s, i, (int64_t)n);
    }
    return true;
}

static bool place_one(struct search *s, const struct scope *at, unsigned want, int slot)
{
    switch (s->req->wants[want].role) {
    case WANT_ALL:
        return place_all(s, at, want, slot);
    case WANT_SLOT:
        return place_slots(s, at, want, slot);
    case WANT_DOMAIN:
        return place_domains(s, at, want, slot);
    default:
        return true; /* a leaf: they come together, after the others */
    }
}

/* The wants of a list but for its leaves: in order, or the largest first. */
static unsigned
order_of(const struct search *s, unsigned first, unsigned end, unsigned *order)
{
    unsigned n = 0;
    for (unsigned i = first; i < end; i = s->req->wants[i].end) {
        if (is_leaf(&s->req->wants[i]))
            continue;
        unsigned at = n++;
        for (; s->req->tight && at > 0 && s->need[order[at - 1]] < s->need[i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    return n;
}

static bool place_list(
    struct search *s, const struct scope *at, unsigned first, unsigned end, int slot)
{
    AUTO_FREE(unsigned) order = xcalloc(end - first + 1, sizeof(*order));
    unsigned n = order_of(s, first, end, order);
    for (unsigned i = 0; i < n; i++) {
        if (!place_one(s, at, order[i], slot))
            return false;
    }
    struct leaves leaves = sum_leaves(s, first, end, true);
    if (slot < 0)
        return place_leaves(s, at, &leaves, slot) && are_there(s, at, first, end);
    struct leaves shared = sum_leaves(s, first, end, false);
    return place_leaves(s, at, &leaves, slot) && place_leaves(s, at, &shared, slot);
}

/* The top vertex that could not be placed. */
static int failed_at(const struct fit_request *req, const int64_t *found)
{
    for (unsigned i = 0; i < req->n_wants; i = req->wants[i].end) {
        if (found[i] >= 0)
            return (int)i;
    }
    return -1;
}

struct fit *fit_make(const struct fit_request *req)
{
    struct fit *f = xcalloc(1, sizeof(*f));
    AUTO(claims) claims = claims_make(req->tree, req->occ);
    AUTO_FREE(uint64_t) need = xcalloc(req->n_wants, sizeof(*need));
    f->found = xcalloc(req->n_wants, sizeof(*f->found));
    for (unsigned i = 0; i < req->n_wants; i++)
        f->found[i] = -1;
    struct search s = {req, claims, need, f->found};
    struct scope all = {.host = -1};
    measure(&s);
    f->failed = -1;
    if (place_list(&s, &all, 0, req->n_wants, -1)) {
        f->held = claims_held(claims, &f->n_held);
        f->slots = claims_steal(claims, &f->n_slots);
    } else {
        f->failed = failed_at(req, f->found);
    }
    return f;
}

void fit_free(struct fit *f)
{
    if (f == NULL)
        return;
    claims_free_slots(f->slots, f->n_slots);
    for (unsigned i = 0; i < f->n_held; i++) {
        idset_free(f->held[i].pus);
        idset_free(f->held[i].gpus);
    }
    free(f->held);
    free(f->found);
    free(f);
}
