/* See slot.h: why a slot is where it is, and what it gave up, in one line. */
#include "gridmill/kernel.h"
#include "near.h"
#include "slot_search.h"

static void add_name(const struct topo_node *at, struct str *out)
{
    if (at->kind == GM_CACHE)
        str_printf(out, "L%u", at->level);
    else
        str_add(out, at->kind == GM_PACKAGE ? "package" : "NUMA");
}

void slot_where(const struct topo_shape *shape, unsigned node, struct str *out)
{
    const struct topo_node *nodes = shape->nodes;
    unsigned chain[64] = {0}, n = 0;
    for (; node != 0 && n < 64; node = nodes[node].parent) {
        if (nodes[node].kind < GM_CORE)
            chain[n++] = node;
    }
    if (n == 0)
        str_add(out, "the host");
    while (n-- > 0) {
        add_name(&nodes[chain[n]], out);
        str_printf(out, " %u%s", nodes[chain[n]].os_index, n > 0 ? ", " : "");
    }
}

/* The innermost domain at or above a node: "NUMA 1", or "the host". */
static void add_domain(const struct topo_shape *shape, unsigned node, struct str *out)
{
    while (node != 0 && shape->nodes[node].kind >= GM_CORE)
        node = shape->nodes[node].parent;
    if (node == 0) {
        str_add(out, "the host");
        return;
    }
    add_name(&shape->nodes[node], out);
    str_printf(out, " %u", shape->nodes[node].os_index);
}

static bool has_some(const struct slot_search *s, unsigned node, const struct idset *pus)
{
    const struct topo_node *n = &s->shape->nodes[node];
    for (unsigned i = 0; i < n->n_pus; i++) {
        if (idset_has(pus, s->shape->pus[n->first_pu + i]))
            return true;
    }
    return false;
}

/* Domains right below `node` that the slot has cores of; *ret_first: one of them. */
static unsigned crossed(const struct slot_search *s,
                        unsigned node,
                        const struct idset *pus,
                        unsigned *ret_first)
{
    const struct topo_node *nodes = s->shape->nodes;
    unsigned n = 0;
    for (unsigned c = node + 1; c < nodes[node].end; c = nodes[c].end) {
        if (nodes[c].kind < GM_CORE && nodes[c].n_cores > 0 && has_some(s, c, pus)) {
            *ret_first = c;
            n++;
        }
    }
    return n;
}

/* The GPUs decided where the cores are, and got them beside them. */
static bool
beside_gpus(const struct slot_search *s, unsigned node, const struct place_seat *seat)
{
    if (s->req->gpus == 0 || !s->req->gpu_first)
        return false;
    unsigned home = slot_gpu_home(s->shape, seat->gpus);
    return home != 0 && near_common(s->shape, home, node) == home;
}

static void add_cores(const struct slot_search *s,
                      unsigned node,
                      const struct place_seat *seat,
                      struct str *out)
{
    unsigned child = 0, n = crossed(s, node, seat->pus, &child);
    const char *unit = s->req->threads > 0 ? "PU" : "core";
    slot_where(s->shape, node, out);
    if (n > 1) {
        str_printf(out, ": crosses %u ", n);
        add_name(&s->shape->nodes[child], out);
        uint32_t kind = s->shape->nodes[child].kind;
        str_printf(out,
                   "%s, since none has %u free %ss",
                   kind == GM_CACHE  ? ""
                   : kind == GM_NUMA ? " nodes"
                                     : "s",
                   s->need,
                   unit);
    } else if (s->req->cores == 0 && s->req->threads == 0) {
        str_add(out, ": all that is free there");
    } else if (beside_gpus(s, node, seat)) {
        str_add(out, ": beside its GPU");
        str_add(out, s->req->gpus > 1 ? "s" : "");
    } else if (s->req->spread) {
        str_add(out, ": fewest ranks so far");
    } else if (s->need == 1) {
        str_printf(out, ": next free %s", unit);
    } else {
        str_printf(out, ": fullest with %u free %ss", s->need, unit);
    }
    if (s->req->threads > 0 && s->unit == SLOT_PUS &&
        (s->req->traits & GM_BOUND_COMPUTE) != 0)
        str_add(out, "; on siblings, since too few cores are free");
    if (s->shape->n_kinds > 1 && s->trait >= 0 && s->trait + 1 < (int)s->shape->n_kinds)
        str_add(out, "; slower cores, since too few faster ones are free together");
    if (s->shape->n_kinds > 1 && s->trait < 0 && s->need > 1)
        str_add(out, "; cores of several speeds, since no kind has enough together");
}

/* Cores that are not the GPUs' own: what their own lack. Each of the domains at the
 * cores that could have had the GPUs is asked. */
static void add_gpus(const struct slot_search *s,
                     unsigned node,
                     const struct place_seat *seat,
                     struct str *out)
{
    unsigned home = slot_gpu_home(s->shape, seat->gpus);
    AUTO_FREE(char) text = idset_format(seat->gpus);
    str_printf(out, "; GPU %s of ", text);
    add_domain(s->shape, home, out);
    if (near_common(s->shape, home, node) == home)
        return;
    unsigned free = occupancy_free_gpus(s->occ, s->host, node);
    unsigned cores = s->room[home];
    if (cores < s->need) {
        str_printf(out, ", which has %u free core%s", cores, cores == 1 ? "" : "s");
        return;
    }
    str_add(out, ", since ");
    add_domain(s->shape, node, out);
    if (s->shape->nodes[node].n_gpus == 0)
        str_add(out, " has none");
    else if (free == 0)
        str_add(out, "'s are taken");
    else
        str_printf(out, " has %u free", free);
}

char *
slot_reason(const struct slot_search *s, unsigned node, const struct place_seat *seat)
{
    struct str out = {0};
    unsigned inner = slot_around(s->shape, seat->pus);
    while (inner != 0 && s->shape->nodes[inner].kind >= GM_CORE)
        inner = s->shape->nodes[inner].parent;
    add_cores(s, inner, seat, &out);
    if (s->req->gpus > 0)
        add_gpus(s, node, seat, &out);
    return str_steal(&out);
}

void slot_reason_memory(const struct slot_search *s,
                        const struct idset *own,
                        struct place_seat *seat)
{
    struct str out = {0};
    if (s->req->memory == 0 || idset_equal(own, seat->mems))
        return;
    AUTO_FREE(char) text = idset_format(seat->mems);
    str_printf(&out, "%s; memory from NUMA %s", seat->reason, text);
    if (idset_count(seat->mems) > idset_count(own))
        str_add(&out, ", since its own has too little left");
    free(seat->reason);
    seat->reason = str_steal(&out);
}
