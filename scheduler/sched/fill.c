/* See fill.h. Ranks that belong together (a group; for pack all that come to the host)
 * get the smallest domain that holds them all without a slot that straddles more than any
 * must; then rank by rank.
 *
 * Invariant: seats are given out in the order of how deep they are, so when a rank cuts a
 * domain no rank after it, too, could have stood in that domain whole. */
#include "fill.h"
#include "base/memory.h"
#include "slot_search.h"

/* Slots that fit, of those that are at the best depth that the host has now. */
static unsigned capacity(const struct slot_search *s, unsigned node, int8_t depth)
{
    unsigned n = 0;
    for (unsigned i = node; i < s->shape->nodes[node].end; i++) {
        const struct topo_node *at = &s->shape->nodes[i];
        if (at->kind <= GM_CORE && slot_depth_of(at) == depth)
            n += s->room[i] / s->need;
    }
    return n;
}

/* The domain for n ranks that belong together; 0: the whole host. */
static unsigned home_of(struct slot_search *s, unsigned n)
{
    const struct topo_node *nodes = s->shape->nodes;
    unsigned home = 0;
    slot_choose_unit(s, 0);
    if (s->need == 0)
        return 0;
    int8_t depth = slot_measure(s, 0);
    if (depth <= 0)
        return 0;
    for (unsigned i = 1; i < s->shape->n_nodes; i++) {
        bool smaller = s->room[i] < s->room[home] ||
                       (s->room[i] == s->room[home] && i < nodes[home].end);
        if (nodes[i].kind < GM_CORE && smaller && s->room[i] / s->need >= n &&
            occupancy_free_gpus(s->occ, s->host, i) / n >= s->req->gpus &&
            capacity(s, i, depth) >= n)
            home = i;
    }
    return home;
}

struct key {
    int8_t depth;
    unsigned place;
    struct place_seat seat;
};

static int by_depth(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->depth != y->depth)
        return x->depth > y->depth ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* The first PU's place in the tree, and how deep the smallest node around all is. */
static struct key key_of(const struct topo_shape *shape, const struct place_seat *seat)
{
    struct key k = {.place = UINT32_MAX, .seat = *seat};
    unsigned last = 0, node = 0, n = 0, all = idset_count(seat->pus);
    for (unsigned i = 0; i < shape->n_pus && n < all; i++) {
        if (!idset_has(seat->pus, shape->pus[i]))
            continue;
        k.place = n++ == 0 ? i : k.place;
        last = i;
    }
    for (unsigned c = 1; c < shape->nodes[node].end;) {
        const struct topo_node *at = &shape->nodes[c];
        bool around = at->first_pu <= k.place && last < at->first_pu + at->n_pus;
        node = around ? c : node;
        c = around ? c + 1 : at->end;
    }
    k.depth = slot_depth_of(&shape->nodes[node]);
    return k;
}

/* Neighbours in rank are neighbours on the machine. */
static void sort_seats(const struct topo_shape *shape,
                       const unsigned *ranks,
                       unsigned n,
                       struct place_seat *seats)
{
    AUTO_FREE(struct key) keys = xcalloc(n, sizeof(*keys));
    for (unsigned i = 0; i < n; i++)
        keys[i] = key_of(shape, &seats[ranks[i]]);
    qsort(keys, n, sizeof(*keys), by_depth);
    for (unsigned i = 0; i < n; i++)
        seats[ranks[i]] = keys[i].seat;
}

void fill_host(struct occupancy *occ,
               const struct restree *tree,
               unsigned host,
               const struct fill_request *req,
               const unsigned *ranks,
               unsigned n,
               struct place_seat *seats)
{
    const struct topo_shape *shape = restree_shape(tree, host);
    AUTO_FREE(unsigned) placed = xcalloc(shape->n_nodes, sizeof(*placed));
    AUTO_FREE(int8_t) depth = xcalloc(shape->n_nodes, sizeof(*depth));
    AUTO_FREE(uint32_t) room = xcalloc(shape->n_nodes, sizeof(*room));
    struct slot_request slot = req->slot;
    struct slot_search s = {.occ = occ,
                            .shape = shape,
                            .host = host,
                            .req = &req->slot,
                            .placed = placed,
                            .room = room,
                            .depth = depth};
    unsigned group = req->grouped && req->group > 0 ? req->group : UINT32_MAX, end;
    for (unsigned first = 0; first < n; first = end) {
        for (end = first; end < n && ranks[end] / group == ranks[first] / group;)
            end++;
        bool together = !slot.spread && !slot.numa && slot.within == 0;
        slot.within = together ? home_of(&s, end - first) : req->slot.within;
        for (unsigned i = first; i < end; i++)
            slot_take(occ, tree, host, &slot, placed, &seats[ranks[i]]);
        slot.within = req->slot.within;
        if (together || (req->grouped && !slot.numa))
            sort_seats(shape, &ranks[first], end - first, seats);
    }
}
