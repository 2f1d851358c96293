/* What a job asks for: the `resources` of RFC 14, a tree of vertices. Lives in an arena,
 * immutable. Read from a document by flux.c, from a shape (RFC 46) by shape.c; matched
 * against a machine by sched/match.c. */
#ifndef SPEC_RESOURCE_H
#define SPEC_RESOURCE_H

#include "base/json.h"
#include "spec/count.h"

/* Levels of vertices: what a canonical document of DOC_MAX_DEPTH levels can hold, where
 * each takes a list and a mapping, and the last a count that is a mapping. */
#define RESOURCE_MAX_DEPTH 31u

enum resource_flag { RESOURCE_UNSAID = 0, RESOURCE_FALSE, RESOURCE_TRUE };

struct resource {
    const char *type; /* "node", "slot", "core", "gpu", "socket", ... */
    struct count count;
    const char *unit, *id, *label; /* or NULL; a slot has a label */
    enum resource_flag exclusive; /* unsaid: false outside a slot, true at and below it */
    const struct resource *with;
    unsigned n_with;
    unsigned line, col;
};

/* The slot of a label, or NULL; label NULL: the first slot in preorder. */
const struct resource *
resource_slot(const struct resource *list, unsigned n, const char *label);
/* The canonical form's list. */
void resource_json(struct json *j, const struct resource *list, unsigned n);

/* How much a list asks for with its least counts, as Flux's job-list counts: nodes and
 * cores -1 where the request does not tell (no node vertex; an exclusive node). */
struct resource_sum {
    int64_t nodes, slots, cores, gpus;
    bool moldable; /* some count is not fixed: these are the least */
};
/* -ERANGE: a product beyond 2^63. */
int resource_total(const struct resource *list, unsigned n, struct resource_sum *ret);

#endif
