/* See claims.h. A journal of claims: undoing reads it backwards. Invariant: the claims of
 * the journal are disjoint, and a slot's parts are the union of its claims and of those
 * of the slots in it. */
#include "claims.h"
#include "base/memory.h"
#include "slot.h"
#include <assert.h>

struct claim {
    unsigned host, node;
    struct idset *pus, *gpus; /* NULL: a claim of memory */
    uint64_t bytes;
    int slot;
};

struct claims {
    const struct restree *tree;
    struct occupancy *occ;
    uint64_t **memory; /* used, a node of a host's shape; NULL until some is */
    unsigned *placed;  /* what slot_take counts; nobody asks */
    struct claim *items;
    unsigned n, room;
    struct fit_slot *slots;
    unsigned n_slots, room_slots;
};

struct claims *claims_make(const struct restree *tree, const struct occupancy *occ)
{
    struct claims *c = xcalloc(1, sizeof(*c));
    unsigned largest = 1;
    for (unsigned i = 0; i < tree->n_shapes; i++)
        largest = tree->shapes[i].n_nodes > largest ? tree->shapes[i].n_nodes : largest;
    c->tree = tree;
    c->occ = occupancy_dup(occ);
    c->memory = xcalloc(tree->n_hosts, sizeof(*c->memory));
    c->placed = xcalloc(largest, sizeof(*c->placed));
    return c;
}

void claims_free_slots(struct fit_slot *slots, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < slots[i].n_parts; k++) {
            idset_free(slots[i].parts[k].pus);
            idset_free(slots[i].parts[k].gpus);
        }
        free(slots[i].parts);
    }
    free(slots);
}

void claims_free(struct claims *c)
{
    if (c == NULL)
        return;
    for (unsigned i = 0; i < c->n; i++) {
        idset_free(c->items[i].pus);
        idset_free(c->items[i].gpus);
    }
    for (unsigned h = 0; h < c->tree->n_hosts; h++)
        free(c->memory[h]);
    claims_free_slots(c->slots, c->n_slots);
    occupancy_free(c->occ);
    free(c->memory);
    free(c->placed);
    free(c->items);
    free(c);
}

struct claims_mark claims_mark(const struct claims *c)
{
    return (struct claims_mark){c->n, c->n_slots};
}

/* From the end: claims come host after host. */
static struct fit_part *part_of(struct fit_slot *s, unsigned host)
{
    for (unsigned i = s->n_parts; i-- > 0;) {
        if (s->parts[i].host == host)
            return &s->parts[i];
    }
    s->parts = xrealloc(s->parts, s->n_parts + 1, sizeof(*s->parts));
    struct fit_part *p = &s->parts[s->n_parts++];
    *p = (struct fit_part){host, idset_make(), idset_make()};
    return p;
}

/* Of all nodes from this one up to the host. */
static void add_memory(struct claims *c, unsigned host, unsigned node, uint64_t by)
{
    const struct topo_shape *s = restree_shape(c->tree, host);
    if (c->memory[host] == NULL)
        c->memory[host] = xcalloc(s->n_nodes, sizeof(*c->memory[host]));
    for (;; node = s->nodes[node].parent) {
        c->memory[host][node] += by; /* to take off: wraps */
        if (node == 0)
            return;
    }
}

static void undo_one(struct claims *c, struct claim *old)
{
    if (old->pus == NULL) {
        add_memory(c, old->host, old->node, -old->bytes);
        return;
    }
    occupancy_release(c->occ, old->host, old->pus, old->gpus);
    for (int s = old->slot; s >= 0; s = c->slots[s].outer) {
        struct fit_part *p = part_of(&c->slots[s], old->host);
        idset_subtract(p->pus, old->pus);
        idset_subtract(p->gpus, old->gpus);
    }
    idset_free(old->pus);
    idset_free(old->gpus);
}

void claims_undo(struct claims *c, struct claims_mark to)
{
    while (c->n > to.n_claims)
        undo_one(c, &c->items[--c->n]);
    while (c->n_slots > to.n_slots) {
        struct fit_slot *s = &c->slots[--c->n_slots];
        for (unsigned i = 0; i < s->n_parts; i++) {
            idset_free(s->parts[i].pus);
            idset_free(s->parts[i].gpus);
        }
        free(s->parts);
    }
}

int claims_slot(struct claims *c, unsigned want, int outer)
{
    if (c->n_slots == c->room_slots) {
        c->room_slots = c->room_slots > 0 ? 2 * c->room_slots : 16;
        c->slots = xrealloc(c->slots, c->room_slots, sizeof(*c->slots));
    }
    c->slots[c->n_slots] = (struct fit_slot){.want = want, .outer = outer};
    return (int)c->n_slots++;
}

static void append(struct claims *c, struct claim claim)
{
    if (c->n == c->room) {
        c->room = c->room > 0 ? 2 * c->room : 16;
        c->items = xrealloc(c->items, c->room, sizeof(*c->items));
    }
    c->items[c->n++] = claim;
}

/* Writes down what is claimed already. */
static void
record(struct claims *c, unsigned host, struct idset *pus, struct idset *gpus, int slot)
{
    for (int s = slot; s >= 0; s = c->slots[s].outer) {
        struct fit_part *p = part_of(&c->slots[s], host);
        idset_unite(p->pus, pus);
        idset_unite(p->gpus, gpus);
    }
    append(c, (struct claim){.host = host, .pus = pus, .gpus = gpus, .slot = slot});
}

static void
hold(struct claims *c, unsigned host, struct idset *pus, struct idset *gpus, int slot)
{
    int rc = occupancy_claim(c->occ, host, pus, gpus, NULL);
    assert(rc == 0);
    (void)rc;
    record(c, host, pus, gpus, slot);
}

unsigned claims_cores(const struct claims *c, unsigned host, unsigned node)
{
    return occupancy_free_cores(c->occ, host, node);
}

unsigned claims_gpus(const struct claims *c, unsigned host, unsigned node)
{
    return occupancy_free_gpus(c->occ, host, node);
}

unsigned claims_pus(const struct claims *c, unsigned host, unsigned node)
{
    return occupancy_free_pus(c->occ, host, node);
}

bool claims_all_free(const struct claims *c, unsigned host, unsigned node)
{
    const struct topo_node *at = &restree_shape(c->tree, host)->nodes[node];
    return claims_gpus(c, host, node) == at->n_gpus &&
           claims_pus(c, host, node) == at->n_pus;
}

uint64_t claims_memory(const struct claims *c, unsigned host, unsigned node)
{
    const struct topo_shape *s = restree_shape(c->tree, host);
    uint64_t least = UINT64_MAX;
    for (;; node = s->nodes[node].parent) {
        uint64_t all = occupancy_free_memory(c->occ, host, node);
        uint64_t used = c->memory[host] != NULL ? c->memory[host][node] : 0;
        uint64_t left = all > used ? all - used : 0;
        if (restree_bytes(s, node) > 0 && left < least) /* inside a NUMA node: 0 */
            least = left;
        if (node == 0)
            return least == UINT64_MAX ? 0 : least;
    }
}

void claims_take_cores(struct claims *c,
                       unsigned host,
                       unsigned node,
                       unsigned cores,
                       unsigned gpus,
                       int slot)
{
    struct slot_request req = {.cores = cores, .gpus = gpus, .within = node};
    struct place_seat seat;
    slot_take(c->occ, c->tree, host, &req, c->placed, &seat);
    free(seat.reason);
    idset_free(seat.mems);
    record(c, host, seat.pus, seat.gpus, slot);
}

/* The smallest domain at or below `node` with n free PUs, the first of equals. */
static unsigned
smallest_with(const struct claims *c, unsigned host, unsigned node, unsigned n)
{
    const struct topo_shape *s = restree_shape(c->tree, host);
    unsigned best = node;
    for (unsigned i = node; i < s->nodes[node].end; i++) {
        if (s->nodes[i].n_pus >= n && s->nodes[i].n_pus < s->nodes[best].n_pus &&
            claims_pus(c, host, i) >= n)
            best = i;
    }
    return best;
}

void claims_take_pus(struct claims *c, unsigned host, unsigned node, unsigned n, int slot)
{
    const struct topo_shape *s = restree_shape(c->tree, host);
    const struct topo_node *at = &s->nodes[smallest_with(c, host, node, n)];
    struct idset *pus = idset_make();
    for (unsigned i = 0; i < at->n_pus && n > 0; i++) {
        unsigned pu = s->pus[at->first_pu + i];
        if (!occupancy_pu_free(c->occ, host, pu))
            continue;
        idset_add(pus, pu);
        n--;
    }
    assert(n == 0);
    hold(c, host, pus, idset_make(), slot);
}

void claims_take_gpus(
    struct claims *c, unsigned host, unsigned node, unsigned n, int slot)
{
    const struct topo_shape *s = restree_shape(c->tree, host);
    struct idset *gpus = idset_make();
    for (unsigned i = node; i < s->nodes[node].end && n > 0; i++) {
        if (s->nodes[i].kind != GM_GPU ||
            !occupancy_gpu_free(c->occ, host, s->nodes[i].os_index))
            continue;
        idset_add(gpus, s->nodes[i].os_index);
        n--;
    }
    assert(n == 0);
    hold(c, host, idset_make(), gpus, slot);
}

void claims_take_memory(struct claims *c, unsigned host, unsigned node, uint64_t bytes)
{
    add_memory(c, host, node, bytes);
    append(c, (struct claim){.host = host, .node = node, .bytes = bytes, .slot = -1});
}

void claims_take_rest(
    struct claims *c, unsigned host, unsigned node, int pus_slot, int gpus_slot)
{
    unsigned pus = claims_pus(c, host, node), gpus = claims_gpus(c, host, node);
    const struct topo_shape *s = restree_shape(c->tree, host);
    const struct topo_node *at = &s->nodes[node];
    struct idset *set = idset_make();
    for (unsigned i = 0; pus > 0 && i < at->n_pus; i++) {
        if (occupancy_pu_free(c->occ, host, s->pus[at->first_pu + i]))
            idset_add(set, s->pus[at->first_pu + i]);
    }
    hold(c, host, set, idset_make(), pus_slot);
    if (gpus > 0)
        claims_take_gpus(c, host, node, gpus, gpus_slot);
}

struct fit_part *claims_held(const struct claims *c, unsigned *ret_n)
{
    struct fit_slot all = {0};
    for (unsigned i = 0; i < c->n; i++) {
        if (c->items[i].pus == NULL)
            continue;
        struct fit_part *p = part_of(&all, c->items[i].host);
        idset_unite(p->pus, c->items[i].pus);
        idset_unite(p->gpus, c->items[i].gpus);
    }
    *ret_n = all.n_parts;
    return all.parts;
}

struct fit_slot *claims_steal(struct claims *c, unsigned *ret_n)
{
    *ret_n = c->n_slots;
    c->n_slots = c->room_slots = 0;
    return steal(&c->slots);
}
