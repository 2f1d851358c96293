/* See match.h: what there is inside a part of a slot. */
#include "base/memory.h"
#include "match.h"
#include "slot.h"
#include "want.h"

/* The PUs of a node that are also in `all`. */
static struct idset *
own_pus(const struct topo_shape *s, unsigned node, const struct idset *all)
{
    struct idset *own = idset_make();
    for (unsigned i = 0; i < s->nodes[node].n_pus; i++) {
        unsigned pu = s->pus[s->nodes[node].first_pu + i];
        if (idset_has(all, pu))
            idset_add(own, pu);
    }
    return own;
}

/* Of the smallest domain around a GPU in which the part has PUs. */
static struct idset *
nearest_pus(const struct topo_shape *s, unsigned gpu, const struct idset *all)
{
    for (unsigned node = gpu;;) {
        node = s->nodes[node].parent;
        AUTO(idset) own = own_pus(s, node, all);
        if (idset_count(own) > 0 || node == 0)
            return steal(&own);
    }
}

/* What of the node is the part's; false: nothing. */
static bool take_node(const struct topo_shape *s,
                      unsigned node,
                      const struct match_part *part,
                      struct match_part *ret)
{
    bool gpu = s->nodes[node].kind == GM_GPU;
    AUTO(idset) gpus = idset_make();
    for (unsigned i = node; i < s->nodes[node].end; i++) {
        if (s->nodes[i].kind == GM_GPU && idset_has(part->gpus, s->nodes[i].os_index))
            idset_add(gpus, s->nodes[i].os_index);
    }
    if (gpu && idset_count(gpus) == 0)
        return false;
    AUTO(idset) pus = gpu ? nearest_pus(s, node, part->pus) : own_pus(s, node, part->pus);
    if (idset_count(pus) == 0)
        return false;
    *ret = (struct match_part){part->host, steal(&pus), steal(&gpus)};
    return true;
}

void match_within(const struct restree *tree,
                  const struct match_part *part,
                  const char *type,
                  struct match_part **ret,
                  unsigned *ret_n)
{
    const struct topo_shape *s = restree_shape(tree, part->host);
    struct topo_node like;
    *ret = NULL;
    *ret_n = 0;
    if (!want_level(s, type, &like))
        return;
    struct match_part *parts = xcalloc(s->n_nodes, sizeof(*parts));
    unsigned n = 0;
    for (unsigned i = 0; i < s->n_nodes; i++)
        n += want_is_like(&s->nodes[i], &like) && take_node(s, i, part, &parts[n]);
    *ret = parts;
    *ret_n = n;
}

void match_parts_free(struct match_part *parts, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        idset_free(parts[i].pus);
        idset_free(parts[i].gpus);
    }
    free(parts);
}

void match_where(const struct restree *tree,
                 const struct match_part *part,
                 struct str *out)
{
    const struct topo_shape *s = restree_shape(tree, part->host);
    unsigned n = idset_count(part->pus), node = 0;
    for (unsigned i = 0; i < s->n_nodes; i++) {
        AUTO(idset) own = own_pus(s, i, part->pus);
        if (idset_count(own) == n && s->nodes[i].n_pus > 0)
            node = i; /* depth first: the last is the deepest */
    }
    while (s->nodes[node].kind >= GM_CORE)
        node = s->nodes[node].parent;
    slot_where(s, node, out);
}
