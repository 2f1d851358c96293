/* See load.h: which stage waits for which. Invariant: a stage has at most one need of
 * each other stage; two are joined into the stricter one. */
#include "load.h"

bool needs_find(struct load *l,
                const struct fault_path *at,
                const struct doc_node *node,
                const char *name,
                unsigned *ret)
{
    size_t i;
    if (strmap_get(l->stage_index, name, &i)) {
        *ret = (unsigned)i;
        return true;
    }
    const char *names[64];
    size_t n = 0;
    for (unsigned s = 0; s < l->n_stages && n < sizeof(names) / sizeof(names[0]); s++) {
        if (l->stages[s].name != NULL)
            names[n++] = l->stages[s].name;
    }
    char hint[128];
    load_fault(l, at, node, "no stage '%.80s'%s", name, load_hint(name, names, n, hint));
    return false;
}

void needs_add(struct load *l, struct load_stage *h, struct jobspec_need need)
{
    struct load_slot *slot = &l->need_slots[need.stage];
    if (slot->owner == h) {
        struct jobspec_need *have = &h->needs[slot->at];
        have->strict = have->strict || need.strict;
        have->same_index = have->same_index && need.same_index;
        have->said = have->said || need.said;
        return;
    }
    if ((h->n_needs & (h->n_needs - 1)) == 0) {
        size_t room = h->n_needs == 0 ? 1 : 2 * (size_t)h->n_needs;
        struct jobspec_need *all = arena_alloc(l->arena, room, sizeof(*all));
        if (h->n_needs > 0)
            memcpy(all, h->needs, h->n_needs * sizeof(*all));
        h->needs = all;
    }
    *slot = (struct load_slot){.owner = h, .at = h->n_needs};
    h->needs[h->n_needs++] = need;
}

void needs_read(struct load *l,
                struct load_stage *h,
                const struct fault_path *at,
                const struct doc_node *node)
{
    if (node->kind != DOC_LIST) {
        load_fault(
            l, at, node, "must be a list of stages, not %s", doc_kind_name(node->kind));
        return;
    }
    for (unsigned i = 0; i < node->n; i++) {
        struct fault_path here = {.up = at, .index = i};
        const char *name;
        unsigned stage = 0;
        if (!load_text(l, &here, &node->as.items[i], &name) ||
            !needs_find(l, &here, &node->as.items[i], name, &stage))
            continue;
        if (&l->stages[stage] == h->s)
            load_fault(l, &here, &node->as.items[i], "stage '%s' needs itself", name);
        else
            needs_add(
                l,
                h,
                (struct jobspec_need){.stage = stage, .strict = true, .said = true});
    }
}

/* Depth first without recursion: the way from the first stage down to the present one. */
struct walk {
    unsigned *way, *next; /* stages on the way, and each one's next need to follow */
    unsigned depth;
    unsigned char *state; /* a stage: 0 not seen, 1 on the way, 2 done */
};

/* "a -> b -> a" for the part of the way that is the cycle. */
static void tell_cycle(struct load *l, const struct walk *w, unsigned back)
{
    AUTO_STR text = {0};
    unsigned i = 0;
    while (w->way[i] != back)
        i++;
    for (; i < w->depth; i++)
        str_printf(&text, "%s -> ", l->stages[w->way[i]].name);
    str_add(&text, l->stages[back].name);
    load_fault(l,
               l->heads[back].at,
               l->heads[back].map,
               "the stages wait for each other for ever: %.600s",
               text.text);
}

static void walk_from(struct load *l, struct walk *w, unsigned first)
{
    w->way[0] = first;
    w->next[0] = 0;
    w->state[first] = 1;
    w->depth = 1;
    while (w->depth > 0) {
        unsigned at = w->way[w->depth - 1];
        if (w->next[w->depth - 1] == l->heads[at].n_needs) {
            w->state[at] = 2;
            w->depth--;
            continue;
        }
        unsigned to = l->heads[at].needs[w->next[w->depth - 1]++].stage;
        if (w->state[to] == 1)
            tell_cycle(l, w, to);
        if (w->state[to] != 0)
            continue;
        w->state[to] = 1;
        w->way[w->depth] = to;
        w->next[w->depth++] = 0;
    }
}

void needs_check_cycles(struct load *l)
{
    struct walk w = {.way = arena_alloc(l->arena, l->n_stages, sizeof(*w.way)),
                     .next = arena_alloc(l->arena, l->n_stages, sizeof(*w.next)),
                     .state = arena_alloc(l->arena, l->n_stages, 1)};
    for (unsigned i = 0; i < l->n_stages; i++) {
        if (w.state[i] == 0)
            walk_from(l, &w, i);
    }
}
