/* See inwords.h. Every word is tried by placing the job with it, so what is told holds.
 * In order: the plain words, then so many ranks a domain, then a list of CPUs. */
#include "inwords.h"
#include "byword.h"
#include "mapping.h"

enum { MOST_RANKS = 1024 };

static const char *const plain[] = {
    "core", "slot", "node", "package", "l3cache", "hwthread"};
static const char *const domains[] = {"node", "package", "numa", "l3cache"};

enum {
    N_PLAIN = sizeof(plain) / sizeof(plain[0]),
    N_DOMAINS = sizeof(domains) / sizeof(domains[0])
};

struct search {
    const struct jobspec *spec;
    const struct restree *tree;
    const struct placement *at;
    struct str *out;
};

static bool equal(const struct placement *a, const struct placement *b)
{
    if (a->n_ranks != b->n_ranks || b->unbound || b->oversubscribed || b->shared)
        return false;
    for (unsigned r = 0; r < a->n_ranks; r++) {
        const struct place_seat *x = &a->seats[r], *y = &b->seats[r];
        if (x->host != y->host || !idset_equal(x->pus, y->pus))
            return false;
    }
    return true;
}

/* Do the words say the same? Then they are told. */
static bool says(const struct search *s, const char *words)
{
    struct mapping m;
    if (mapping_make(s->spec, s->tree, words, &m, NULL) != 0)
        return false;
    bool same = equal(s->at, m.at);
    mapping_clear(&m);
    if (same) {
        str_add(s->out, "--map-by ");
        (void)byword_text(s->spec, words, s->out, NULL);
    }
    return same;
}

/* "numa" alone is a mapping of ours. */
static bool says_by_numa(const struct search *s)
{
    AUTO_STR words = {0};
    str_printf(&words, "numa:PE=%u", s->spec->cores > 0 ? s->spec->cores : 1);
    return says(s, words.text);
}

/* "ppr:2:package", for each number that divides the ranks over hosts evenly. */
static bool says_by_domain(const struct search *s, const char *domain)
{
    for (unsigned k = 1; k <= 16 && k <= s->at->n_ranks; k++) {
        AUTO_STR words = {0};
        str_printf(&words, "ppr:%u:%s", k, domain);
        if (s->at->n_ranks % k == 0 && says(s, words.text))
            return true;
    }
    return false;
}

/* "pe-list=3,1,2:ordered": ranks of one core each on one host. */
static bool says_by_list(const struct search *s)
{
    const struct topo_shape *shape = restree_shape(s->tree, s->at->seats[0].host);
    AUTO_STR words = {0};
    str_add(&words, "pe-list=");
    for (unsigned r = 0; r < s->at->n_ranks; r++) {
        const struct idset *pus = s->at->seats[r].pus;
        unsigned core = 0, found = 0, at = 0;
        for (unsigned i = 0; i < shape->n_nodes; i++) {
            const struct topo_node *n = &shape->nodes[i];
            if (n->kind != GM_CORE)
                continue;
            if (n->n_pus > 0 && idset_has(pus, shape->pus[n->first_pu])) {
                core = at;
                found++;
            }
            at++;
        }
        if (found != 1)
            return false;
        str_printf(&words, "%s%u", r > 0 ? "," : "", core);
    }
    str_add(&words, ":ordered");
    return says(s, words.text);
}

void inwords_find(const struct jobspec *spec,
                  const struct restree *tree,
                  const struct placement *at,
                  struct str *out)
{
    struct search s = {spec, tree, at, out};
    bool found = false;
    if (jobspec_seated(spec) || at->n_ranks == 0 || at->n_ranks > MOST_RANKS ||
        at->oversubscribed || at->unbound || at->shared)
        return;
    for (unsigned i = 0; i < N_PLAIN && !found; i++)
        found = says(&s, plain[i]);
    if (!found)
        found = says_by_numa(&s);
    for (unsigned i = 0; i < N_DOMAINS && !found; i++)
        found = says_by_domain(&s, domains[i]);
    if (!found && tree->n_hosts == 1)
        (void)says_by_list(&s);
}
