/* See want.h. Invariant: children follow their parent, so a want's own are (i, end), and
 * a slot always holds a PU once it is placed. */
#include "want.h"
#include "base/memory.h"
#include "base/str.h"

struct type {
    const char *name;
    enum want_role role;
    uint32_t kind, level;
};

static const struct type types[] = {
    {"slot", WANT_SLOT, 0, 0},
    {"cluster", WANT_ALL, 0, 0},
    {"zone", WANT_ALL, 0, 0},
    {"row", WANT_ALL, 0, 0},
    {"pod", WANT_ALL, 0, 0},
    {"rack", WANT_ALL, 0, 0},
    {"chassis", WANT_ALL, 0, 0},
    {"switch", WANT_ALL, 0, 0},
    {"node", WANT_DOMAIN, GM_HOST, 0},
    {"socket", WANT_DOMAIN, GM_PACKAGE, 0},
    {"package", WANT_DOMAIN, GM_PACKAGE, 0},
    {"numanode", WANT_DOMAIN, GM_NUMA, 0},
    {"numa", WANT_DOMAIN, GM_NUMA, 0},
    {"l3cache", WANT_DOMAIN, GM_CACHE, 3},
    {"l2cache", WANT_DOMAIN, GM_CACHE, 2},
    {"l1cache", WANT_DOMAIN, GM_CACHE, 1},
    {"core", WANT_CORES, GM_CORE, 0}, /* a domain where something is below it */
    {"pu", WANT_PUS, GM_PU, 0},
    {"gpu", WANT_GPUS, GM_GPU, 0},
    {"memory", WANT_MEMORY, 0, 0},
};

static const struct type *find_type(const char *name)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    }
    return NULL;
}

int want_place(const struct resource *r, int rc, struct gm_error *err)
{
    (void)gm_prefix(err, "resources");
    if (r->line > 0)
        (void)gm_prefix(err, "%u:%u", r->line, r->col);
    return rc;
}

static int unknown_type(const struct resource *r, struct gm_error *err)
{
    const char *names[sizeof(types) / sizeof(types[0])];
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        names[i] = types[i].name;
    const char *near = str_nearest(r->type, names, sizeof(names) / sizeof(names[0]));
    int rc = gm_fail(err,
                     -EINVAL,
                     "type '%s' is nothing this machine has: ask for node, socket, "
                     "numanode, l3cache, core, pu, gpu or memory%s%s%s",
                     r->type,
                     near != NULL ? " (did you mean '" : "",
                     near != NULL ? near : "",
                     near != NULL ? "'?)" : "");
    return want_place(r, rc, err);
}

static int read_unit(const struct resource *r, uint64_t *ret, struct gm_error *err)
{
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = {
        {"B", 1},
        {"kB", 1000},
        {"KB", 1000},
        {"MB", 1000000},
        {"GB", 1000000000},
        {"TB", 1000000000000},
        {"KiB", UINT64_C(1) << 10},
        {"MiB", UINT64_C(1) << 20},
        {"GiB", UINT64_C(1) << 30},
        {"TiB", UINT64_C(1) << 40},
    };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(r->unit != NULL ? r->unit : "B", units[i].name) == 0) {
            *ret = units[i].bytes;
            return 0;
        }
    }
    int rc = gm_fail(err,
                     -EINVAL,
                     "memory: unit '%s' is none of B, KB, MB, GB, TB, KiB, MiB, GiB, TiB",
                     r->unit);
    return want_place(r, rc, err);
}

struct list {
    struct want *items;
    unsigned n;
};

/* What a vertex is, but for what its children add. */
static int
read_want(const struct resource *r, bool in_slot, struct want *ret, struct gm_error *err)
{
    const struct type *t = find_type(r->type);
    if (t == NULL)
        return unknown_type(r, err);
    struct want w = {.r = r, .role = t->role, .kind = t->kind, .level = t->level};
    bool below = r->n_with > 0;
    if (below && (w.role == WANT_GPUS || w.role == WANT_MEMORY)) {
        int rc = gm_fail(err, -EINVAL, "nothing can be asked for below %s", r->type);
        return want_place(r, rc, err);
    }
    w.has_pus = w.role == WANT_CORES || w.role == WANT_PUS;
    w.has_gpus = w.role == WANT_GPUS;
    if (below && w.has_pus)
        w.role = WANT_DOMAIN;
    w.exclusive = r->exclusive == RESOURCE_UNSAID ? in_slot || w.role == WANT_SLOT
                                                  : r->exclusive == RESOURCE_TRUE;
    *ret = w;
    return w.role == WANT_MEMORY ? read_unit(r, &ret->bytes, err) : 0;
}

/* A slot where no task could run: nothing at or below it gives it a PU. */
static int check_slot(const struct list *l, unsigned slot, struct gm_error *err)
{
    const struct want *w = l->items;
    bool whole = false;
    for (unsigned i = slot + 1; i < w[slot].end; i++)
        whole |= w[i].exclusive && (w[i].role == WANT_DOMAIN || w[i].role == WANT_ALL);
    if (whole || w[slot].has_pus)
        return 0;
    int rc = gm_fail(err,
                     -EINVAL,
                     "slot '%s' has no core, so no task can run there: add one below it",
                     w[slot].r->label != NULL ? w[slot].r->label : "");
    return want_place(w[slot].r, rc, err);
}

/* As deep as the request, at most RESOURCE_MAX_DEPTH. */
static int add(struct list *l,
               const struct resource *r,
               unsigned parent,
               bool in_slot,
               struct gm_error *err)
{
    if (l->n == WANT_MAX) {
        int rc = gm_fail(
            err, -EINVAL, "more than %u vertices: count alike ones as one", WANT_MAX);
        return want_place(r, rc, err);
    }
    unsigned own = l->n++;
    int rc = read_want(r, in_slot, &l->items[own], err);
    l->items[own].parent = own > 0 ? parent : own;
    in_slot = in_slot || l->items[own].role == WANT_SLOT;
    for (unsigned i = 0; rc == 0 && i < r->n_with; i++) {
        unsigned child = l->n;
        rc = add(l, &r->with[i], own, in_slot, err);
        const struct want *c = &l->items[child];
        struct want *w = &l->items[own];
        if (rc != 0)
            return rc;
        w->has_host |= c->has_host || c->role == WANT_ALL ||
                       (c->role == WANT_DOMAIN && c->kind == GM_HOST);
        w->has_pus |= c->has_pus;
        w->has_gpus |= c->has_gpus;
    }
    l->items[own].end = l->n;
    if (rc == 0 && l->items[own].role == WANT_SLOT)
        rc = check_slot(l, own, err);
    return rc;
}

int want_list(const struct resource *resources,
              unsigned n,
              struct want **ret,
              unsigned *ret_n,
              struct gm_error *err)
{
    AUTO_FREE(struct want) items = xcalloc(WANT_MAX, sizeof(*items));
    struct list l = {.items = items};
    for (unsigned i = 0; i < n; i++) {
        unsigned own = l.n;
        int rc = add(&l, &resources[i], own, false, err);
        if (rc != 0)
            return rc;
        l.items[own].parent = own;
    }
    *ret = steal(&items);
    *ret_n = l.n;
    return 0;
}

bool want_level(const struct topo_shape *s, const char *type, struct topo_node *ret)
{
    const struct type *t = find_type(type);
    struct topo_node like = {.kind = t != NULL ? t->kind : 0,
                             .level = t != NULL ? t->level : 0};
    *ret = like;
    for (unsigned i = 0; i < s->n_nodes; i++) {
        if (s->nodes[i].kind == like.kind && s->nodes[i].level == like.level)
            return true;
    }
    if (like.kind == GM_CACHE && like.level < 3)
        *ret = (struct topo_node){.kind = GM_CORE};
    else if (like.kind == GM_PACKAGE || like.kind == GM_NUMA)
        *ret = (struct topo_node){.kind = GM_HOST};
    return like.kind != 0;
}

bool want_is_like(const struct topo_node *n, const struct topo_node *like)
{
    return n->kind == like->kind && n->level == like->level &&
           (n->n_pus > 0 || n->kind == GM_GPU);
}
