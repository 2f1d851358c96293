/* See flux_load.h: the vertices of `resources` and their counts. Invariant: each vertex
 * of the document has a struct resource with a type and a count, also a faulty one, so
 * that what points at slots can be checked in the same pass. */
#include "base/strmap.h"
#include "flux_load.h"

/* Tasks look through them one by one: more than anybody writes are refused. */
enum { MOST_VERTICES = 10000 };

static const struct flux_key range_keys[] = {{"min", "the least number that will do"},
                                             {"max", NULL},
                                             {"operator", NULL},
                                             {"operand", NULL}};

static bool read_operator(struct flux_load *l,
                          const struct fault_path *up,
                          const struct doc_node *node,
                          struct range *r)
{
    struct fault_path at = {.up = up, .key = "operator"};
    if (node->kind != DOC_STRING || node->n != 1 ||
        strchr("+*^", node->as.text[0]) == NULL) {
        flux_fault(l, &at, node, "must be \"+\", \"*\" or \"^\"");
        return false;
    }
    r->op = node->as.text[0];
    return true;
}

/* Which of max, operator and operand may stand without the others. */
static bool check_company(struct flux_load *l,
                          const struct fault_path *at,
                          const struct doc_node *node)
{
    const struct doc_node *max = doc_get(node, "max"), *op = doc_get(node, "operator"),
                          *operand = doc_get(node, "operand");
    if ((op == NULL) != (operand == NULL)) {
        flux_fault(
            l,
            at,
            node,
            "'operator' and 'operand' come together or not at all; '%s' is missing",
            op == NULL ? "operator" : "operand");
        return false;
    }
    if (!l->is->lone_max && (max == NULL) != (op == NULL)) {
        flux_fault(
            l,
            at,
            node,
            "Fluxion takes 'max', 'operator' and 'operand' all or none; %s missing",
            max == NULL ? "'max' is" : "'operator' and 'operand' are");
        return false;
    }
    return true;
}

static bool read_member(struct flux_load *l,
                        const struct fault_path *up,
                        const struct doc_node *map,
                        const char *key,
                        int64_t *ret)
{
    struct fault_path at = {.up = up, .key = key};
    const struct doc_node *node = doc_get(map, key);
    return node == NULL || flux_int(l, &at, node, 1, ret);
}

static void read_range(struct flux_load *l,
                       const struct fault_path *at,
                       const struct doc_node *node,
                       struct count *ret)
{
    struct range r = {.max = RANGE_MAX, .op = '+', .operand = 1};
    size_t before = l->faults->n_errors;
    const struct doc_node *op = doc_get(node, "operator");
    (void)flux_keys(l, at, node, range_keys, 4, FLUX_FAULT);
    r.open = doc_get(node, "max") == NULL;
    (void)read_member(l, at, node, "min", &r.min);
    (void)read_member(l, at, node, "max", &r.max);
    (void)read_member(l, at, node, "operand", &r.operand);
    if (op != NULL)
        (void)read_operator(l, at, op, &r);
    if (l->faults->n_errors != before || !check_company(l, at, node))
        return;
    struct gm_error err = {0};
    if (range_check(&r, &err) != 0) {
        flux_fault(l, at, node, "%s", err.text);
        return;
    }
    *ret = (struct count){.kind = COUNT_RANGE,
                          .range = r,
                          .mapping = true,
                          .ended = !r.open,
                          .operated = op != NULL};
}

/* An integer. 0 is a way of Flux's to say "none" of what is no node, slot or core. */
static void read_number(struct flux_load *l,
                        const struct fault_path *at,
                        const char *type,
                        const struct doc_node *node,
                        struct count *ret)
{
    static const char *const never_zero[] = {"node", "slot", "core"};
    int64_t least = l->is->zero_counts && type[0] != '\0' ? 0 : 1, n;
    for (size_t i = 0; i < 3; i++)
        least |= strcmp(type, never_zero[i]) == 0;
    if (flux_int(l, at, node, least, &n))
        *ret = count_fixed(n);
}

static void read_count(struct flux_load *l,
                       const struct fault_path *up,
                       const char *type,
                       const struct doc_node *node,
                       struct count *ret)
{
    struct fault_path at = {.up = up, .key = "count"};
    struct gm_error err = {0};
    bool text = node->kind == DOC_STRING;
    if (node->kind == DOC_INT)
        read_number(l, &at, type, node, ret);
    else if (l->v1 && (text || node->kind == DOC_MAP))
        flux_v1_say(
            l,
            FLUX_FAULT,
            &at,
            node,
            "must be a plain integer in version 1, not %s; another version, such as "
            "999, takes sets and ranges",
            doc_kind_name(node->kind));
    else if (node->kind == DOC_MAP)
        read_range(l, &at, node, ret);
    else if (!text)
        flux_fault(l,
                   &at,
                   node,
                   "must be an integer, an idset or range in quotes, or a mapping with "
                   "'min', not %s",
                   doc_kind_name(node->kind));
    else if (!l->is->string_counts)
        flux_fault(l, &at, node, "Fluxion takes no string: an integer or a mapping");
    else if (count_parse(l->arena, node->as.text, ret, &err) != 0)
        flux_fault(l, &at, node, "%s", err.text);
}

static void read_exclusive(struct flux_load *l,
                           const struct fault_path *up,
                           const struct doc_node *node,
                           enum resource_flag *ret)
{
    struct fault_path at = {.up = up, .key = "exclusive"};
    bool fluxion = l->is->scalars_are_text; /* it reads the two words and no types */
    bool yes = false, fine = node->kind == DOC_BOOL && !fluxion;
    if (fine)
        yes = doc_bool(node);
    else if (fluxion && (node->kind == DOC_BOOL || node->kind == DOC_STRING)) {
        yes = strcmp(node->as.text, "true") == 0;
        fine = yes || strcmp(node->as.text, "false") == 0;
    }
    if (!fine) {
        flux_fault(
            l, &at, node, "must be true or false, not %s", doc_kind_name(node->kind));
        return;
    }
    *ret = yes ? RESOURCE_TRUE : RESOURCE_FALSE;
}

static void read_label(struct flux_load *l,
                       const struct fault_path *up,
                       const struct doc_node *node,
                       const char **ret)
{
    struct fault_path at = {.up = up, .key = "label"};
    size_t line;
    if (!flux_text(l, &at, node, ret)) {
        l->unsure = true;
        return;
    }
    if (strmap_get(l->labels, *ret, &line))
        flux_say(l,
                 l->is->repeated_label,
                 &at,
                 node,
                 "the label '%.80s' stands at line %zu already; each may stand once",
                 *ret,
                 line);
    else
        strmap_put(l->labels, *ret, node->line);
}

static void read_list(struct flux_load *l,
                      const struct fault_path *at,
                      const struct doc_node *list,
                      unsigned depth,
                      const struct resource **ret,
                      unsigned *ret_n);

static void read_with(struct flux_load *l,
                      const struct fault_path *up,
                      const struct doc_node *vertex,
                      unsigned depth,
                      struct resource *r)
{
    struct fault_path at = {.up = up, .key = "with"};
    const struct doc_node *with = doc_get(vertex, "with");
    bool slot = strcmp(r->type, "slot") == 0;
    if (with == NULL) {
        if (slot)
            flux_say(l,
                     l->is->empty_slot,
                     up,
                     vertex,
                     "a slot needs 'with': what one task slot is made of");
        return;
    }
    if (!flux_list(l, &at, with, "vertices")) {
        l->unsure = true; /* there might have been slots */
        return;
    }
    if (with->n == 0)
        flux_say(l,
                 slot ? l->is->empty_slot : l->is->empty_with,
                 &at,
                 with,
                 "must hold at least one vertex");
    else if (depth == RESOURCE_MAX_DEPTH)
        flux_fault(l, &at, with, "more than %u levels of vertices", RESOURCE_MAX_DEPTH);
    else
        read_list(l, &at, with, depth + 1, &r->with, &r->n_with);
}

/* What Fluxion asks of the vertices that one vertex holds. */
static void check_held(struct flux_load *l,
                       const struct fault_path *up,
                       const struct doc_node *vertex,
                       const struct resource *r)
{
    AUTO(strmap) types = strmap_make();
    struct fault_path with_at = {.up = up, .key = "with"};
    const struct doc_node *with = doc_get(vertex, "with");
    for (unsigned i = 0; i < r->n_with; i++) {
        const struct resource *held = &r->with[i];
        const struct doc_node *node = &with->as.items[i];
        struct fault_path at = {.up = &with_at, .index = i};
        size_t first;
        if (r->exclusive == RESOURCE_TRUE && held->exclusive == RESOURCE_FALSE)
            flux_say(l,
                     l->is->conflict,
                     &at,
                     node,
                     "not exclusive, in a '%.80s' that is: Fluxion takes no such pair",
                     r->type);
        if (held->unit != NULL && held->exclusive == RESOURCE_FALSE &&
            !count_is_fixed(&held->count))
            flux_say(
                l,
                l->is->pooled,
                &at,
                node,
                "a share of a pool (a unit, not exclusive) must be a fixed amount for "
                "Fluxion");
        if (strcmp(r->type, "slot") != 0 || held->type[0] == '\0')
            continue;
        if (strmap_get(types, held->type, &first))
            flux_say(
                l,
                l->is->siblings,
                &at,
                node,
                "the slot holds '%.80s' already, at line %zu; Fluxion takes one vertex "
                "of a type",
                held->type,
                first);
        else
            strmap_put(types, held->type, node->line);
    }
}

static const struct flux_key vertex_keys[] = {
    {"type", "what is asked for, such as node, slot, core or gpu"},
    {"count", "how many of it"},
    {"unit", NULL},
    {"exclusive", NULL},
    {"with", NULL},
    {"label", NULL},
    {"id", NULL}};

static void read_vertex(struct flux_load *l,
                        const struct fault_path *at,
                        const struct doc_node *node,
                        unsigned depth,
                        struct resource *r)
{
    *r = (struct resource){
        .type = "", .count = count_fixed(1), .line = node->line, .col = node->col};
    const struct doc_node *v;
    struct fault_path type_at = {.up = at, .key = "type"},
                      unit_at = {.up = at, .key = "unit"},
                      id_at = {.up = at, .key = "id"};
    if (!flux_keys(l, at, node, vertex_keys, 7, FLUX_FAULT)) {
        l->unsure = true;
        return;
    }
    if ((v = doc_get(node, "type")) != NULL)
        (void)flux_text(l, &type_at, v, &r->type);
    l->unsure |= r->type[0] == '\0';
    if ((v = doc_get(node, "count")) != NULL)
        read_count(l, at, r->type, v, &r->count);
    if ((v = doc_get(node, "unit")) != NULL)
        (void)flux_text(l, &unit_at, v, &r->unit);
    if ((v = doc_get(node, "id")) != NULL)
        (void)flux_text(l, &id_at, v, &r->id);
    if ((v = doc_get(node, "exclusive")) != NULL)
        read_exclusive(l, at, v, &r->exclusive);
    if ((v = doc_get(node, "label")) != NULL)
        read_label(l, at, v, &r->label);
    else if (strcmp(r->type, "slot") == 0) {
        flux_fault(l, at, node, "a slot needs 'label': the name that tasks call it by");
        l->unsure = true;
    }
    read_with(l, at, node, depth, r);
    if (r->n_with > 0)
        check_held(l, at, node, r);
}

static void read_list(struct flux_load *l,
                      const struct fault_path *at,
                      const struct doc_node *list,
                      unsigned depth,
                      const struct resource **ret,
                      unsigned *ret_n)
{
    if (list->n > MOST_VERTICES - l->n_vertices) {
        flux_fault(
            l, at, list, "more than %d vertices: count alike ones as one", MOST_VERTICES);
        l->unsure = true;
        return;
    }
    l->n_vertices += list->n;
    struct resource *all = arena_alloc(l->arena, list->n, sizeof(*all));
    for (unsigned i = 0; i < list->n; i++) {
        struct fault_path here = {.up = at, .index = i};
        read_vertex(l, &here, &list->as.items[i], depth, &all[i]);
    }
    *ret = all;
    *ret_n = list->n;
}

void flux_resources(struct flux_load *l,
                    const struct fault_path *at,
                    const struct doc_node *list)
{
    struct flux_job *job = l->job;
    struct resource_sum sum;
    if (!flux_list(l, at, list, "vertices")) {
        l->unsure = true;
        return;
    }
    if (list->n == 0) {
        flux_fault(l, at, list, "must hold at least one vertex");
        l->unsure = true;
        return;
    }
    read_list(l, at, list, 1, &job->resources, &job->n_resources);
    if (l->v1)
        flux_v1_resources(l, at, list);
    if (resource_total(job->resources, job->n_resources, &sum) != 0)
        flux_fault(l, at, list, "asks for more than 2^63 of something");
    else if (!l->unsure &&
             resource_slot(job->resources, job->n_resources, NULL) == NULL) {
        l->unsure = true;
        flux_say(l,
                 l->v1 ? FLUX_FINE : l->is->no_slot, /* version 1 has told it */
                 at,
                 list,
                 "no slot: a vertex of type slot says what one task runs on");
    }
}

/* Along the way down to `slot`; 0: it is not here. */
static int64_t
times_in(const struct resource *list, unsigned n, const struct resource *slot)
{
    for (unsigned i = 0; i < n; i++) {
        const struct resource *r = &list[i];
        int64_t below = r == slot ? 1 : times_in(r->with, r->n_with, slot), all;
        if (below < 0 ||
            (below > 0 && __builtin_mul_overflow(below, count_min(&r->count), &all)))
            return -1;
        if (below > 0)
            return all;
    }
    return 0;
}

int64_t flux_times(const struct flux_job *job, const struct resource *slot)
{
    return times_in(job->resources, job->n_resources, slot);
}

int64_t flux_count_type(const struct resource *list, unsigned n, const char *type)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < n; i++) {
        const struct resource *r = &list[i];
        int64_t below = flux_count_type(r->with, r->n_with, type), here;
        if (below < 0 ||
            __builtin_add_overflow(below, strcmp(r->type, type) == 0, &here) ||
            __builtin_mul_overflow(here, count_min(&r->count), &here) ||
            __builtin_add_overflow(sum, here, &sum))
            return -1;
    }
    return sum;
}
