/* See mapping.h. Invariant: what comes out is placed on what constraints and hosts allow,
 * on an otherwise empty machine. */
#include "mapping.h"
#include "base/str.h"
#include "base/strmap.h"
#include "bound.h"
#include "byword.h"
#include "neighbours.h"
#include "sched/allowed.h"
#include "seats.h"

struct place_request mapping_request(const struct jobspec *spec)
{
    return (struct place_request){
        .ranks = spec->ranks_of_nodes ? 0 : spec->ranks,
        .least_ranks = neighbours_least(spec),
        .nodes = spec->nodes,
        .ranks_per_node = spec->ranks_per_node,
        .cores = spec->cores,
        .threads = spec->threads,
        .gpus = spec->gpus,
        .memory = spec->memory,
        .mapping = spec->mapping,
        .grouped = jobspec_grouped(spec) || spec->pattern != NULL,
        .group = spec->pattern == NULL ? neighbours_group(spec) : 0,
        .traits = bound_of(spec),
        .oversubscribe = spec->oversubscribe,
    };
}

/* The hosts that the constraints forbid are held by somebody else, so to say. */
static void hold_others(const struct restree *tree,
                        const struct idset *allowed,
                        struct occupancy *occ)
{
    for (unsigned h = 0; h < tree->n_hosts; h++) {
        const struct topo_shape *s = restree_shape(tree, h);
        if (idset_has(allowed, h))
            continue;
        AUTO(idset) pus = idset_make();
        AUTO(idset) gpus = idset_make();
        for (unsigned i = 0; i < s->n_pus; i++)
            idset_add(pus, s->pus[i]);
        for (unsigned i = 0; i < s->n_gpus; i++)
            idset_add(gpus, i);
        (void)occupancy_claim(occ, h, pus, gpus, NULL);
    }
}

/* One of ours; else it is Open MPI's. */
static bool words_known(const char *words)
{
    static const char *const known[] = {
        "auto", "pack", "spread", "numa", "gpu-near", "inherited"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i], words) == 0)
            return true;
    }
    return false;
}

/* What constraints could have asked for, when they leave no host. */
static int
none_allowed(const struct jobspec *spec, const struct restree *tree, struct gm_error *err)
{
    AUTO_STR names = {0};
    AUTO(strmap) told = strmap_make();
    for (unsigned p = 0; p < tree->n_properties; p++) {
        for (unsigned i = 0; i < tree->properties[p].n; i++) {
            const char *name = tree->properties[p].names[i];
            size_t at = 0;
            if (strmap_add(told, name, &at))
                str_printf(&names, "%s%s", names.len > 0 ? ", " : "", name);
        }
    }
    return gm_fail(err,
                   -EOVERFLOW,
                   "%s: `constraints` allows none of %u host%s: %s%.120s",
                   spec->file,
                   tree->n_hosts,
                   tree->n_hosts == 1 ? "" : "s",
                   names.len > 0 ? "their properties: "
                                 : "no host has a property (a cluster file gives them)",
                   str_text(&names));
}

static int map_farmed(const struct jobspec *spec,
                      const struct restree *tree,
                      const char *words,
                      struct mapping *m,
                      struct gm_error *err)
{
    AUTO(occupancy) occ = occupancy_make(tree);
    AUTO(idset) allowed = allowed_hosts(tree, spec->constraints);
    unsigned n_allowed = idset_count(allowed);
    struct place_request req = mapping_request(spec);
    if (n_allowed == 0)
        return none_allowed(spec, tree, err);
    hold_others(tree, allowed, occ);
    if (n_allowed < tree->n_hosts)
        req.hosts = allowed;
    if (words != NULL)
        req.mapping = words;
    int rc;
    bool theirs = words != NULL ? !words_known(words) : spec->map_by;
    if (theirs)
        rc = byword_map(spec, tree, occ, words, &m->at, err);
    else if (strcmp(req.mapping, "inherited") == 0)
        rc = byword_inherit(tree, occ, &req, &m->at, err);
    else
        rc = place_map(tree, occ, &req, &m->at, err);
    if (rc != 0 && n_allowed < tree->n_hosts)
        (void)gm_prefix(err,
                        "%s: `constraints` allows %u of %u hosts",
                        spec->file,
                        n_allowed,
                        tree->n_hosts);
    bool fixed = theirs || strcmp(req.mapping, "inherited") == 0;
    if (rc == 0)
        rc = neighbours_settle(spec, tree, fixed, m, err);
    if (rc == 0)
        score_placement(tree, occ, &req, m->comm, m->at, &m->score);
    return rc;
}

static int map_seated(const struct jobspec *spec,
                      const struct restree *tree,
                      struct mapping *m,
                      struct gm_error *err)
{
    int rc = seats_make(spec, tree, &m->seats, err);
    if (rc != 0)
        return rc;
    m->at = m->seats->at;
    m->at->shared = m->seats->shared;
    m->seated = m->seats->tasks;
    return 0;
}

int mapping_make(const struct jobspec *spec,
                 const struct restree *tree,
                 const char *words,
                 struct mapping *ret,
                 struct gm_error *err)
{
    *ret = (struct mapping){0};
    int rc = jobspec_seated(spec) ? map_seated(spec, tree, ret, err)
                                  : map_farmed(spec, tree, words, ret, err);
    if (rc != 0)
        mapping_clear(ret);
    return rc;
}

void mapping_clear(struct mapping *m)
{
    if (m->seats == NULL)
        placement_free(m->at);
    comm_graph_free(m->comm);
    seats_free(m->seats);
    *m = (struct mapping){0};
}
