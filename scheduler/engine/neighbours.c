/* See neighbours.h. Invariant: where ranks stand is the same set of seats before and
 * after. */
#include "neighbours.h"

unsigned neighbours_group(const struct jobspec *spec)
{
    unsigned most = 1;
    for (unsigned i = 0; i < spec->n_stages; i++) {
        unsigned own = spec->stages[i].group;
        if (own == 0)
            return 0;
        most = own > most ? own : most;
    }
    return most;
}

unsigned neighbours_least(const struct jobspec *spec)
{
    const struct pattern *p = spec->pattern;
    unsigned least = neighbours_group(spec);
    if (p != NULL && p->n_ranks > least)
        least = p->n_ranks;
    if (p != NULL && p->kind == PATTERN_STENCIL_2D && p->rows * p->columns > least)
        least = p->rows * p->columns;
    if (p != NULL && p->kind == PATTERN_ALL_TO_ALL && p->group > least)
        least = p->group;
    for (size_t i = 0; p != NULL && p->pairs != NULL && i < p->n_pairs; i++) {
        unsigned last = p->pairs[i].a > p->pairs[i].b ? p->pairs[i].a : p->pairs[i].b;
        least = last >= least ? last + 1 : least;
    }
    return least;
}

/* A plan's job comes without the matrix itself. */
static int complete(struct arena *a, struct pattern *p, struct gm_error *err)
{
    if (p->kind != PATTERN_MATRIX || p->pairs != NULL)
        return 0;
    return pattern_read(p->file, a, p, err);
}

int neighbours_settle(const struct jobspec *spec,
                      const struct restree *tree,
                      bool fixed,
                      struct mapping *m,
                      struct gm_error *err)
{
    AUTO(arena) a = arena_make();
    struct pattern p = {.kind = PATTERN_TREE, .group = neighbours_group(spec)};
    if (spec->pattern != NULL)
        p = *spec->pattern;
    else if (p.group == 1)
        return 0;
    int rc = complete(a, &p, err);
    if (rc == 0)
        rc = comm_graph_make(&p, m->at->n_ranks, &m->comm, err);
    if (rc != 0 && p.line > 0)
        (void)gm_prefix(err, "%s:%u:%u", spec->file, p.line, p.col);
    else if (rc != 0)
        (void)gm_prefix(err, "%s", spec->file);
    if (rc == 0 && !fixed)
        comm_assign(tree, m->comm, m->at);
    return rc;
}
