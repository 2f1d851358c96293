/* See occupancy.h. A host's state is one block of words: its free PUs, its free cores,
 * its free GPUs (bits in tree order: places.h), the free bytes of each NUMA node. Hosts
 * that nobody has touched share their shape's "all free". 64 hosts are a page: pointers
 * to their states, and what each has free in all. Over the pages stands a tree of
 * extremes, by which a host is found.
 *
 * A copy shares pages and states until it writes; `owned` tells which are its own.
 *
 * Invariants: a core's bit is set while all of its PUs' are; a page's numbers are the
 * counts of its hosts' bits; an inner entry of the index is the extreme of its two. */
#include "occupancy.h"
#include "base/arena.h"
#include "base/memory.h"
#include "places.h"
#include <assert.h>

enum { PAGE = 64 }; /* hosts; as many as `owned` has bits */

struct state {
    uint64_t memory; /* free bytes, all NUMA nodes */
    uint64_t words[];
};

struct page {
    struct state *states[PAGE];
    uint32_t cores[PAGE], gpus[PAGE];
};

/* Of several hosts. */
struct extremes {
    uint32_t cores, gpus; /* the most that one of them has free */
    uint64_t fill;        /* the least fill_of() */
};

struct occupancy {
    const struct restree *tree;
    const struct occupancy *base; /* whose pages are shared; NULL: nobody's */
    struct places *places;        /* one a shape; the base's, where there is one */
    struct page **pages;
    uint64_t *owned;        /* a word a page: states that may be written */
    bool *page_owned;       /* pages that may be */
    struct extremes *index; /* [2 * n_leaves]: 1 is the root, n_leaves + i page i */
    unsigned n_pages, n_leaves;
    uint64_t cores; /* free, all hosts */
    struct arena *arena;
};

/* ---- runs of bits ---- */

static uint64_t run_mask(unsigned from, unsigned n)
{
    return (n < 64 ? (UINT64_C(1) << n) - 1 : ~UINT64_C(0)) << from;
}

static unsigned count_run(const uint64_t *words, unsigned first, unsigned n)
{
    unsigned count = 0;
    while (n > 0) {
        unsigned from = first % 64, here = n < 64 - from ? n : 64 - from;
        count += (unsigned)__builtin_popcountll(words[first / 64] & run_mask(from, here));
        first += here;
        n -= here;
    }
    return count;
}

static bool has(const uint64_t *words, unsigned i)
{
    return (words[i / 64] >> (i % 64) & 1) != 0;
}

static void set(uint64_t *words, unsigned i)
{
    words[i / 64] |= UINT64_C(1) << (i % 64);
}

static void unset(uint64_t *words, unsigned i)
{
    words[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

static void set_run(uint64_t *words, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        set(words, i);
}

/* ---- the index ---- */

static uint64_t fill_of(unsigned cores, unsigned gpus)
{
    return (uint64_t)gpus << 32 | cores;
}

static const struct extremes nothing = {0, 0, UINT64_MAX};

static struct extremes extremes_of(const struct occupancy *o, unsigned page)
{
    const struct page *p = o->pages[page];
    struct extremes x = nothing;
    for (unsigned i = 0; i < PAGE && page * PAGE + i < o->tree->n_hosts; i++) {
        uint64_t fill = fill_of(p->cores[i], p->gpus[i]);
        x.cores = p->cores[i] > x.cores ? p->cores[i] : x.cores;
        x.gpus = p->gpus[i] > x.gpus ? p->gpus[i] : x.gpus;
        x.fill = fill < x.fill ? fill : x.fill;
    }
    return x;
}

static struct extremes either(const struct extremes *a, const struct extremes *b)
{
    return (struct extremes){a->cores > b->cores ? a->cores : b->cores,
                             a->gpus > b->gpus ? a->gpus : b->gpus,
                             a->fill < b->fill ? a->fill : b->fill};
}

/* After a host of the page changed. */
static void index_page(struct occupancy *o, unsigned page)
{
    unsigned i = o->n_leaves + page;
    o->index[i] = extremes_of(o, page);
    for (i /= 2; i > 0; i /= 2) {
        const struct extremes *two = &o->index[(size_t)2 * i];
        struct extremes x = either(&two[0], &two[1]);
        if (memcmp(&x, &o->index[i], sizeof(x)) == 0)
            return;
        o->index[i] = x;
    }
}

static bool
may_have(const struct extremes *x, unsigned cores, unsigned gpus, uint64_t below)
{
    return x->cores >= cores && x->gpus >= gpus && x->fill < below;
}

/* The first page at or after this one that may have such a host. */
static unsigned next_page(const struct occupancy *o,
                          unsigned page,
                          unsigned cores,
                          unsigned gpus,
                          uint64_t below)
{
    if (page >= o->n_pages)
        return o->n_pages;
    for (unsigned i = o->n_leaves + page;;) {
        if (may_have(&o->index[i], cores, gpus, below)) {
            if (i >= o->n_leaves)
                return i - o->n_leaves;
            i *= 2;
            continue;
        }
        while (i % 2 == 1)
            i /= 2;
        if (i == 0)
            return o->n_pages;
        i++;
    }
}

static unsigned find(const struct occupancy *o,
                     unsigned from,
                     unsigned cores,
                     unsigned gpus,
                     uint64_t below)
{
    unsigned n = o->tree->n_hosts;
    while (from < n) {
        unsigned page = next_page(o, from / PAGE, cores, gpus, below);
        if (page >= o->n_pages)
            return n;
        unsigned end = (page + 1) * PAGE < n ? (page + 1) * PAGE : n;
        const struct page *p = o->pages[page];
        if (from < page * PAGE)
            from = page * PAGE;
        for (; from < end; from++) {
            unsigned i = from % PAGE;
            if (p->cores[i] >= cores && p->gpus[i] >= gpus &&
                fill_of(p->cores[i], p->gpus[i]) < below)
                return from;
        }
    }
    return n;
}

unsigned
occupancy_find(const struct occupancy *o, unsigned from, unsigned cores, unsigned gpus)
{
    return find(o, from, cores, gpus, UINT64_MAX);
}

unsigned occupancy_find_tighter(const struct occupancy *o,
                                unsigned from,
                                unsigned cores,
                                unsigned gpus,
                                unsigned than)
{
    const struct page *p = o->pages[than / PAGE];
    return find(
        o, from, cores, gpus, fill_of(p->cores[than % PAGE], p->gpus[than % PAGE]));
}

/* ---- making ---- */

static struct state *
all_free(struct arena *a, const struct topo_shape *s, const struct places *at)
{
    struct state *st = arena_alloc(a, 1, sizeof(*st) + at->n_words * sizeof(uint64_t));
    set_run(st->words, s->n_pus);
    set_run(st->words + at->cores_at, s->n_cores);
    set_run(st->words + at->gpus_at, s->n_gpus);
    for (unsigned i = 0; i < s->n_nodes; i++) {
        if (s->nodes[i].kind != GM_NUMA || s->nodes[i].trait == TOPO_GPU_MEMORY)
            continue;
        st->words[at->memory_at + at->nodes[i].numa] = s->nodes[i].bytes;
        st->memory += s->nodes[i].bytes;
    }
    return st;
}

static struct occupancy *make_empty(const struct restree *tree)
{
    struct occupancy *o = xcalloc(1, sizeof(*o));
    o->tree = tree;
    o->n_pages = tree->n_hosts / PAGE + (tree->n_hosts % PAGE > 0);
    for (o->n_leaves = 1; o->n_leaves < o->n_pages;)
        o->n_leaves *= 2;
    o->pages = xcalloc(o->n_pages, sizeof(struct page *));
    o->owned = xcalloc(o->n_pages, sizeof(*o->owned));
    o->page_owned = xcalloc(o->n_pages, sizeof(*o->page_owned));
    o->index = xcalloc(2 * (size_t)o->n_leaves, sizeof(*o->index));
    o->arena = arena_make();
    return o;
}

struct occupancy *occupancy_make(const struct restree *tree)
{
    struct occupancy *o = make_empty(tree);
    AUTO_FREE(struct state *) whole = xcalloc(tree->n_shapes, sizeof(struct state *));
    o->places = xcalloc(tree->n_shapes, sizeof(*o->places));
    for (unsigned i = 0; i < tree->n_shapes; i++) {
        places_make(&tree->shapes[i], &o->places[i]);
        whole[i] = all_free(o->arena, &tree->shapes[i], &o->places[i]);
    }
    for (unsigned i = 0; i < o->n_pages; i++) {
        o->pages[i] = arena_alloc(o->arena, 1, sizeof(*o->pages[i]));
        o->page_owned[i] = true;
    }
    for (unsigned h = 0; h < tree->n_hosts; h++) {
        struct page *p = o->pages[h / PAGE];
        p->states[h % PAGE] = whole[tree->hosts[h].shape];
        p->cores[h % PAGE] = restree_shape(tree, h)->n_cores;
        p->gpus[h % PAGE] = restree_shape(tree, h)->n_gpus;
        o->cores += p->cores[h % PAGE];
    }
    for (unsigned i = 0; i < o->n_leaves; i++)
        o->index[o->n_leaves + i] = i < o->n_pages ? extremes_of(o, i) : nothing;
    for (unsigned i = o->n_leaves; i-- > 1;)
        o->index[i] = either(&o->index[(size_t)2 * i], &o->index[(size_t)2 * i + 1]);
    return o;
}

struct occupancy *occupancy_dup(const struct occupancy *o)
{
    struct occupancy *copy = make_empty(o->tree);
    copy->base = o;
    copy->places = o->places;
    copy->cores = o->cores;
    if (o->n_pages > 0)
        memcpy(copy->pages, o->pages, o->n_pages * sizeof(struct page *));
    memcpy(copy->index, o->index, 2 * (size_t)o->n_leaves * sizeof(*o->index));
    return copy;
}

void occupancy_free(struct occupancy *o)
{
    if (o == NULL)
        return;
    for (unsigned i = 0; o->base == NULL && i < o->tree->n_shapes; i++)
        places_clear(&o->places[i]);
    if (o->base == NULL)
        free(o->places);
    free(o->pages);
    free(o->owned);
    free(o->page_owned);
    free(o->index);
    arena_free(o->arena);
    free(o);
}

/* ---- questions ---- */

static const struct state *state_of(const struct occupancy *o, unsigned host)
{
    return o->pages[host / PAGE]->states[host % PAGE];
}

static const struct places *places_of(const struct occupancy *o, unsigned host)
{
    return &o->places[o->tree->hosts[host].shape];
}

static const struct topo_node *
node_of(const struct occupancy *o, unsigned host, unsigned node)
{
    return &restree_shape(o->tree, host)->nodes[node];
}

unsigned occupancy_free_cores(const struct occupancy *o, unsigned host, unsigned node)
{
    if (node == 0)
        return o->pages[host / PAGE]->cores[host % PAGE];
    const struct places *at = places_of(o, host);
    return count_run(state_of(o, host)->words + at->cores_at,
                     at->nodes[node].core,
                     node_of(o, host, node)->n_cores);
}

unsigned occupancy_free_gpus(const struct occupancy *o, unsigned host, unsigned node)
{
    if (node == 0)
        return o->pages[host / PAGE]->gpus[host % PAGE];
    const struct places *at = places_of(o, host);
    return count_run(state_of(o, host)->words + at->gpus_at,
                     at->nodes[node].gpu,
                     node_of(o, host, node)->n_gpus);
}

unsigned occupancy_free_pus(const struct occupancy *o, unsigned host, unsigned node)
{
    const struct topo_node *n = node_of(o, host, node);
    return count_run(state_of(o, host)->words, n->first_pu, n->n_pus);
}

uint64_t occupancy_free_memory(const struct occupancy *o, unsigned host, unsigned node)
{
    const struct state *st = state_of(o, host);
    if (node == 0)
        return st->memory;
    const struct places *at = places_of(o, host);
    unsigned end = node_of(o, host, node)->end;
    unsigned last =
        end < restree_shape(o->tree, host)->n_nodes ? at->nodes[end].numa : at->n_numas;
    uint64_t bytes = 0;
    for (unsigned i = at->nodes[node].numa; i < last; i++)
        bytes += st->words[at->memory_at + i];
    return bytes;
}

bool occupancy_alike(const struct occupancy *o, unsigned a, unsigned b)
{
    const struct state *x = state_of(o, a), *y = state_of(o, b);
    return o->tree->hosts[a].shape == o->tree->hosts[b].shape &&
           (x == y ||
            memcmp(x->words, y->words, places_of(o, a)->n_words * sizeof(x->words[0])) ==
                0);
}

uint64_t occupancy_all_cores(const struct occupancy *o)
{
    return o->cores;
}

bool occupancy_pu_free(const struct occupancy *o, unsigned host, unsigned os_index)
{
    const struct places *at = places_of(o, host);
    return os_index < at->n_pu_ids && at->place_of_pu[os_index] > 0 &&
           has(state_of(o, host)->words, at->place_of_pu[os_index] - 1);
}

bool occupancy_gpu_free(const struct occupancy *o, unsigned host, unsigned os_index)
{
    const struct places *at = places_of(o, host);
    return os_index < restree_shape(o->tree, host)->n_gpus &&
           has(state_of(o, host)->words + at->gpus_at, at->place_of_gpu[os_index]);
}

/* ---- claims ---- */

/* A host that is about to change: what changes, and where. */
struct edit {
    struct page *page;
    struct state *state;
    const struct places *at;
    unsigned host, i; /* i: in the page */
    uint32_t cores, gpus;
};

static struct edit begin_edit(struct occupancy *o, unsigned host)
{
    unsigned page = host / PAGE, i = host % PAGE;
    const struct places *at = places_of(o, host);
    if (!o->page_owned[page]) {
        struct page *own = arena_alloc(o->arena, 1, sizeof(*own));
        *own = *o->pages[page];
        o->pages[page] = own;
        o->page_owned[page] = true;
    }
    struct page *p = o->pages[page];
    if ((o->owned[page] >> i & 1) == 0) {
        size_t size = sizeof(struct state) + at->n_words * sizeof(uint64_t);
        struct state *own = arena_alloc(o->arena, 1, size);
        memcpy(own, p->states[i], size);
        p->states[i] = own;
        o->owned[page] |= UINT64_C(1) << i;
    }
    return (struct edit){p, p->states[i], at, host, i, p->cores[i], p->gpus[i]};
}

static void end_edit(struct occupancy *o, const struct edit *e)
{
    uint32_t cores = e->page->cores[e->i], gpus = e->page->gpus[e->i];
    if (cores == e->cores && gpus == e->gpus)
        return;
    o->cores += cores;
    o->cores -= e->cores;
    index_page(o, e->host / PAGE);
}

static int check_pus(const struct occupancy *o,
                     unsigned host,
                     const struct idset *pus,
                     struct gm_error *err)
{
    const struct places *at = places_of(o, host);
    const char *name = o->tree->hosts[host].name;
    for (int64_t i = idset_next(pus, 0); i >= 0; i = idset_next(pus, (unsigned)i + 1)) {
        if ((uint64_t)i >= at->n_pu_ids || at->place_of_pu[i] == 0)
            return gm_fail(err, -EINVAL, "%s: there is no PU %d", name, (int)i);
        if (!has(state_of(o, host)->words, at->place_of_pu[i] - 1))
            return gm_fail(err, -EBUSY, "%s: PU %d is held already", name, (int)i);
    }
    return 0;
}

static int check_gpus(const struct occupancy *o,
                      unsigned host,
                      const struct idset *gpus,
                      struct gm_error *err)
{
    const char *name = o->tree->hosts[host].name;
    for (int64_t i = idset_next(gpus, 0); i >= 0; i = idset_next(gpus, (unsigned)i + 1)) {
        if ((uint64_t)i >= restree_shape(o->tree, host)->n_gpus)
            return gm_fail(err, -EINVAL, "%s: there is no GPU %d", name, (int)i);
        if (!occupancy_gpu_free(o, host, (unsigned)i))
            return gm_fail(err, -EBUSY, "%s: GPU %d is held already", name, (int)i);
    }
    return 0;
}

static void claim_pu(struct edit *e, unsigned place)
{
    uint64_t *cores = e->state->words + e->at->cores_at;
    unsigned core = e->at->core_of_pu[place];
    unset(e->state->words, place);
    if (has(cores, core)) {
        unset(cores, core);
        e->page->cores[e->i]--;
    }
}

static void release_pu(struct edit *e, unsigned place)
{
    unsigned core = e->at->core_of_pu[place];
    const struct places_core *c = &e->at->cores[core];
    assert(!has(e->state->words, place));
    set(e->state->words, place);
    if (count_run(e->state->words, c->first_pu, c->n_pus) == c->n_pus) {
        set(e->state->words + e->at->cores_at, core);
        e->page->cores[e->i]++;
    }
}

static void release_gpu(struct edit *e, unsigned place)
{
    assert(!has(e->state->words + e->at->gpus_at, place));
    set(e->state->words + e->at->gpus_at, place);
    e->page->gpus[e->i]++;
}

int occupancy_claim(struct occupancy *o,
                    unsigned host,
                    const struct idset *pus,
                    const struct idset *gpus,
                    struct gm_error *err)
{
    int rc = check_pus(o, host, pus, err);
    if (rc == 0 && gpus != NULL)
        rc = check_gpus(o, host, gpus, err);
    if (rc != 0)
        return rc;
    struct edit e = begin_edit(o, host);
    for (int64_t i = idset_next(pus, 0); i >= 0; i = idset_next(pus, (unsigned)i + 1))
        claim_pu(&e, e.at->place_of_pu[i] - 1);
    for (int64_t i = gpus != NULL ? idset_next(gpus, 0) : -1; i >= 0;
         i = idset_next(gpus, (unsigned)i + 1)) {
        unset(e.state->words + e.at->gpus_at, e.at->place_of_gpu[i]);
        e.page->gpus[e.i]--;
    }
    end_edit(o, &e);
    return 0;
}

void occupancy_release(struct occupancy *o,
                       unsigned host,
                       const struct idset *pus,
                       const struct idset *gpus)
{
    struct edit e = begin_edit(o, host);
    for (int64_t i = idset_next(pus, 0); i >= 0; i = idset_next(pus, (unsigned)i + 1)) {
        assert((uint64_t)i < e.at->n_pu_ids && e.at->place_of_pu[i] > 0);
        release_pu(&e, e.at->place_of_pu[i] - 1);
    }
    for (int64_t i = gpus != NULL ? idset_next(gpus, 0) : -1; i >= 0;
         i = idset_next(gpus, (unsigned)i + 1)) {
        assert((uint64_t)i < restree_shape(o->tree, host)->n_gpus);
        release_gpu(&e, e.at->place_of_gpu[i]);
    }
    end_edit(o, &e);
}

static uint64_t *memory_at(const struct edit *e, unsigned node)
{
    return &e->state->words[e->at->memory_at + e->at->nodes[node].numa];
}

int occupancy_claim_memory(struct occupancy *o,
                           unsigned host,
                           unsigned node,
                           uint64_t bytes)
{
    assert(node_of(o, host, node)->kind == GM_NUMA);
    const struct places *at = places_of(o, host);
    if (state_of(o, host)->words[at->memory_at + at->nodes[node].numa] < bytes)
        return -ENOSPC;
    struct edit e = begin_edit(o, host);
    *memory_at(&e, node) -= bytes;
    e.state->memory -= bytes;
    return 0;
}
