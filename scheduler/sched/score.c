/* See score.h. The seats of each host are added up (tally.c), the sums made terms
 * (terms.c); hop-bytes, links between GPUs of ranks that speak to each other, and what is
 * left in pieces come from here. Near-linear in ranks. */
#include "score.h"
#include "base/memory.h"
#include "terms.h"

/* A seat's place in a list by host. */
static unsigned *by_host(const struct restree *tree, const struct placement *p)
{
    unsigned *first = xcalloc(tree->n_hosts + 2, sizeof(*first));
    unsigned *order = xcalloc(p->n_ranks, sizeof(*order));
    for (unsigned r = 0; r < p->n_ranks; r++)
        first[p->seats[r].host + 2]++;
    for (unsigned h = 1; h <= tree->n_hosts; h++)
        first[h + 1] += first[h];
    for (unsigned r = 0; r < p->n_ranks; r++)
        order[first[p->seats[r].host + 1]++] = r;
    free(first);
    return order;
}

static void add_sums(struct tally_sums *to, const struct tally_sums *more)
{
    to->straddle += more->straddle;
    to->gpu += more->gpu;
    to->slow += more->slow;
    to->pus += more->pus;
    to->siblings += more->siblings;
    for (unsigned k = 0; k < TALLY_N_KINDS; k++)
        to->crowd[k] += more->crowd[k];
}

/* All hosts' sums, and their fragments. */
static struct tally_sums add_up(const struct restree *tree,
                                const struct occupancy *occ,
                                const struct place_request *req,
                                const struct placement *p,
                                double *ret_fragments)
{
    struct tally_sums all = {0};
    AUTO_FREE(unsigned) order = by_host(tree, p);
    struct tally_shape **fixed = xcalloc(tree->n_shapes, sizeof(struct tally_shape *));
    *ret_fragments = 0;
    for (unsigned i = 0; i < p->n_ranks;) {
        unsigned host = p->seats[order[i]].host, shape = tree->hosts[host].shape;
        if (fixed[shape] == NULL)
            fixed[shape] = tally_shape_make(&tree->shapes[shape], req);
        struct tally t;
        tally_open(&t, &tree->shapes[shape], fixed[shape]);
        for (; i < p->n_ranks && p->seats[order[i]].host == host; i++)
            tally_add(&t, &p->seats[order[i]]);
        *ret_fragments += tally_fragments(&t, occ, host);
        add_sums(&all, &t.sums);
        tally_close(&t);
    }
    for (unsigned i = 0; i < tree->n_shapes; i++)
        tally_shape_free(fixed[i]);
    free(fixed);
    return all;
}

/* Mean over the bytes: 1 for all between packages, and the GPUs of those that speak. */
static void add_comm(const struct restree *tree,
                     const struct placement *p,
                     const struct comm_graph *g,
                     struct score *ret)
{
    double weight = 0, apart = 0;
    for (unsigned r = 0; r < g->n; r++) {
        for (uint32_t e = g->first[r]; e < g->first[r + 1]; e++) {
            double w = (double)g->edges[e].weight;
            if (g->edges[e].to < r)
                continue; /* each edge stands at both its ends */
            weight += w;
            apart += w * terms_gpus_apart(tree, &p->seats[r], &p->seats[g->edges[e].to]);
        }
    }
    if (weight <= 0)
        return;
    ret->term[SCORE_COMM] = comm_hop_bytes(tree, p, g) / weight / TERMS_PACKAGES;
    ret->term[SCORE_GPU] += TERMS_LINKS * apart / weight;
    ret->total += terms_weights[SCORE_GPU] * TERMS_LINKS * apart / weight +
                  terms_weights[SCORE_COMM] * ret->term[SCORE_COMM];
}

void score_placement(const struct restree *tree,
                     const struct occupancy *occ,
                     const struct place_request *req,
                     const struct comm_graph *comm,
                     const struct placement *p,
                     struct score *ret)
{
    *ret = (struct score){0};
    if (p->n_ranks == 0 || p->oversubscribed || p->unbound)
        return; /* nobody stands anywhere */
    double fragments;
    struct terms t = terms_make(tree, req, p);
    struct tally_sums sums = add_up(tree, occ, req, p, &fragments);
    ret->term[SCORE_FRAGMENT] = fragments / p->n_ranks;
    terms_fill(&t, &sums, ret);
    AUTO(comm_graph) groups = comm == NULL ? terms_groups(req, p->n_ranks) : NULL;
    if (comm == NULL)
        comm = groups;
    if (comm != NULL)
        add_comm(tree, p, comm, ret);
}

static const struct {
    const char *name, *help;
} texts[SCORE_N_TERMS] = {
    [SCORE_STRADDLE] = {"straddle",
                        "ranks over more caches, NUMA nodes, packages than they need"},
    [SCORE_GPU] = {"gpu", "GPUs away from their rank's cores, or from each other"},
    [SCORE_MEMORY] = {"memory", "ranks crowded on few memory controllers and caches"},
    [SCORE_COMM] = {"comm", "bytes times distance between ranks that speak"},
    [SCORE_SMT] = {"smt", "compute-bound ranks on sibling threads of one core"},
    [SCORE_KIND] = {"kind", "cores slower than others, or of several speeds"},
    [SCORE_FRAGMENT] = {"fragment", "domains left neither whole nor full"},
};

const char *score_term_name(enum score_term t)
{
    return texts[t].name;
}

const char *score_term_help(enum score_term t)
{
    return texts[t].help;
}

double score_term_weight(enum score_term t)
{
    return terms_weights[t];
}

void score_explain(const struct score *s, struct str *out)
{
    str_printf(out, "%.3f", s->total);
    const char *sep = " = ";
    for (unsigned i = 0; i < SCORE_N_TERMS; i++) {
        if (s->term[i] < 0.0005)
            continue;
        str_printf(
            out, "%s%s %g x %.3f", sep, texts[i].name, terms_weights[i], s->term[i]);
        sep = " + ";
    }
}
