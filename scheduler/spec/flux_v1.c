/* See flux_load.h: what RFC 25 asks of a document of version 1 on top of RFC 14. The
 * graphs are slot>core, node>slot>core, slot>(core,gpu) and node>slot>(core,gpu). What is
 * told of a vertex that RFC 14 forbids already is not told again here. */
#include "flux_load.h"

enum place { AT_THE_TOP, IN_A_NODE, IN_A_SLOT };

static const struct {
    const char *types[2];
    const char *rule;
} places[] = {
    [AT_THE_TOP] = {{"node", "slot"}, "in version 1 a node or a slot stands at the top"},
    [IN_A_NODE] = {{"slot", "slot"}, "in version 1 a node holds one slot"},
    [IN_A_SLOT] = {{"core", "gpu"}, "in version 1 a slot holds core and, if wanted, gpu"},
};

/* NULL: RFC 14 has told what is wrong with it. */
static const struct doc_node *type_of(const struct doc_node *vertex)
{
    const struct doc_node *type = doc_get(vertex, "type");
    return type != NULL && type->kind == DOC_STRING && type->n > 0 ? type : NULL;
}

static bool is(const struct doc_node *type, const char *name)
{
    return strcmp(type->as.text, name) == 0;
}

static void tell_key(struct flux_load *l,
                     const struct fault_path *at,
                     const struct doc_node *vertex,
                     const char *key,
                     const char *rule)
{
    const struct doc_node *item = doc_get(vertex, key);
    if (item != NULL) {
        struct doc_node place = flux_key_place(item);
        flux_v1_say(l, FLUX_FAULT, at, &place, "in version 1 %s", rule);
    }
}

static void check_vertex(struct flux_load *l,
                         const struct fault_path *at,
                         const struct doc_node *vertex,
                         enum place place);

static void
check_slot(struct flux_load *l, const struct fault_path *at, const struct doc_node *with)
{
    unsigned cores = 0, gpus = 0, others = 0;
    for (unsigned i = 0; i < with->n; i++) {
        const struct doc_node *child = &with->as.items[i], *type = type_of(child);
        struct fault_path here = {.up = at, .index = i};
        unsigned *of = type == NULL       ? &others
                       : is(type, "core") ? &cores
                       : is(type, "gpu")  ? &gpus
                                          : &others;
        if (++*of == 2 && of != &others)
            flux_v1_say(l,
                        l->is->v1_twice,
                        &here,
                        child,
                        "in version 1 a slot has one vertex of type %s",
                        type->as.text);
        check_vertex(l, &here, child, IN_A_SLOT);
    }
    if (cores == 0 && others == 0 && with->n > 0)
        flux_v1_say(l, FLUX_FAULT, at, with, "in version 1 a slot holds a core");
}

static void
check_node(struct flux_load *l, const struct fault_path *at, const struct doc_node *with)
{
    if (with->n != 1) {
        flux_v1_say(
            l,
            FLUX_FAULT,
            at,
            with,
            "in version 1 a node holds one slot and nothing else, not %u vertices",
            with->n);
        return;
    }
    struct fault_path here = {.up = at, .index = 0};
    check_vertex(l, &here, &with->as.items[0], IN_A_NODE);
}

static void check_vertex(struct flux_load *l,
                         const struct fault_path *at,
                         const struct doc_node *vertex,
                         enum place place)
{
    const struct doc_node *type = type_of(vertex), *with = doc_get(vertex, "with");
    struct fault_path type_at = {.up = at, .key = "type"},
                      with_at = {.up = at, .key = "with"};
    if (type == NULL)
        return;
    if (!is(type, places[place].types[0]) && !is(type, places[place].types[1])) {
        flux_v1_say(l,
                    FLUX_FAULT,
                    &type_at,
                    type,
                    "'%.80s': %s",
                    type->as.text,
                    places[place].rule);
        return;
    }
    tell_key(l, at, vertex, "id", "a vertex has no 'id'");
    if (place == IN_A_SLOT) {
        tell_key(l, at, vertex, "with", "core and gpu hold nothing");
        tell_key(l, at, vertex, "exclusive", "'exclusive' is for node and slot");
        return;
    }
    if (with == NULL && is(type, "node"))
        flux_v1_say(
            l, FLUX_FAULT, at, vertex, "in version 1 a node needs 'with': its one slot");
    if (with == NULL || with->kind != DOC_LIST)
        return;
    if (is(type, "node"))
        check_node(l, &with_at, with);
    else
        check_slot(l, &with_at, with);
}

void flux_v1_resources(struct flux_load *l,
                       const struct fault_path *at,
                       const struct doc_node *list)
{
    if (list->n > 1)
        flux_v1_say(
            l,
            FLUX_FAULT,
            at,
            list,
            "version 1 has one resource, a node or a slot, not %u: Flux would read "
            "the first alone",
            list->n);
    for (unsigned i = 0; i < list->n; i++) {
        struct fault_path here = {.up = at, .index = i};
        check_vertex(l, &here, &list->as.items[i], AT_THE_TOP);
    }
}

void flux_v1_count(struct flux_load *l,
                   const struct fault_path *at,
                   const struct doc_node *node,
                   const struct flux_task *task)
{
    struct resource_sum sum;
    bool known =
        !l->unsure && resource_total(l->job->resources, l->job->n_resources, &sum) == 0;
    if (task->per == FLUX_PER_SLOT && task->count > 1)
        flux_v1_say(l,
                    l->is->v1_per_slot,
                    at,
                    node,
                    "in version 1 a slot runs one task; Flux's shell refuses more");
    if (task->per != FLUX_TOTAL || !known)
        return;
    if (task->count > sum.slots)
        flux_say(l,
                 FLUX_WARN,
                 at,
                 node,
                 "%lld tasks on %lld slots: RFC 25 has no more tasks than slots, Flux "
                 "starts them all",
                 (long long)task->count,
                 (long long)sum.slots);
    if (task->count < sum.nodes)
        flux_v1_say(l,
                    l->is->v1_total,
                    at,
                    node,
                    "%lld tasks on %lld nodes: in version 1 each node has one at least",
                    (long long)task->count,
                    (long long)sum.nodes);
}
