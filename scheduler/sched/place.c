/* See place.h. Which hosts take how many ranks is decided by deal.c; which ranks those
 * are, here; where on a host they stand, by fill.c, host by host on a copy of the
 * occupancy. Hosts that are alike get like seats, so those are found once.
 *
 * Invariant: the seats' PUs are disjoint and free in `occ`, unless `oversubscribed` or
 * `shared`. */
#include "place.h"
#include "auto.h"
#include "base/memory.h"
#include "base/str.h"
#include "deal.h"
#include "fill.h"
#include "refine.h"
#include "refuse.h"
#include <assert.h>

static const char *s_if(uint64_t n)
{
    return n == 1 ? "" : "s";
}

/* ---- which ranks a host gets ---- */

/* The ranks of each share, one share after the other. apart: in turns over the hosts. */
struct order {
    unsigned *ranks;
    size_t *first; /* [shares + 1] in ranks */
};

static void order_in_turns(const struct room_job *j,
                           const struct deal *d,
                           unsigned turn,
                           struct order *o)
{
    AUTO_FREE(unsigned) open = xcalloc(d->n, sizeof(*open)); /* shares with ranks left */
    AUTO_FREE(unsigned) given = xcalloc(d->n, sizeof(*given));
    unsigned n = d->n, rank = 0;
    for (unsigned i = 0; i < n; i++)
        open[i] = i;
    while (n > 0) {
        unsigned still = 0;
        for (unsigned i = 0; i < n; i++) {
            const struct deal_share *s = &d->shares[open[i]];
            unsigned *has = &given[open[i]];
            unsigned take =
                j->slot.numa ? room_numas(restree_shape(j->tree, s->host)) : turn;
            for (; take > 0 && *has < s->n; take--)
                o->ranks[o->first[open[i]] + (*has)++] = rank++;
            if (*has < s->n)
                open[still++] = open[i];
        }
        n = still;
    }
}

static struct order
order_ranks(const struct room_job *j, const struct deal *d, bool apart, unsigned turn)
{
    struct order o = {xcalloc(d->ranks, sizeof(*o.ranks)),
                      xcalloc((size_t)d->n + 1, sizeof(*o.first))};
    for (unsigned i = 0; i < d->n; i++)
        o.first[i + 1] = o.first[i] + d->shares[i].n;
    for (unsigned r = 0; !apart && r < d->ranks; r++)
        o.ranks[r] = r;
    if (apart)
        order_in_turns(j, d, turn, &o);
    return o;
}

/* ---- seats ---- */

static struct place_seat copy_seat(const struct place_seat *from, unsigned host)
{
    return (struct place_seat){
        .host = host,
        .pus = idset_dup(from->pus),
        .gpus = idset_dup(from->gpus),
        .mems = from->mems != NULL ? idset_dup(from->mems) : NULL,
        .reason = xstrdup(from->reason),
    };
}

/* Would share b get the very seats that share a got? Equal hosts, as many ranks, and the
 * groups cut alike. */
static bool are_alike(const struct room_job *j,
                      const struct deal *d,
                      const struct order *o,
                      unsigned a,
                      unsigned b)
{
    const struct deal_share *x = &d->shares[a], *y = &d->shares[b];
    const unsigned *p = &o->ranks[o->first[a]], *q = &o->ranks[o->first[b]];
    if (x->n != y->n || !occupancy_alike(j->occ, x->host, y->host))
        return false;
    unsigned group = j->req->grouped && j->req->group > 0 ? j->req->group : 1;
    for (unsigned i = 0; i < x->n; i++) {
        if (q[i] - q[0] != p[i] - p[0])
            return false;
    }
    return p[0] % group == q[0] % group;
}

static void seat_all(const struct room_job *j,
                     const struct deal *d,
                     const struct order *o,
                     struct placement *p)
{
    AUTO(occupancy) occ = occupancy_dup(j->occ);
    struct fill_request fill = {
        .slot = j->slot, .grouped = j->req->grouped, .group = j->req->group};
    unsigned pattern = 0; /* the share that was filled last */
    for (unsigned i = 0; i < d->n; i++) {
        const unsigned *ranks = &o->ranks[o->first[i]];
        const unsigned *like = &o->ranks[o->first[pattern]];
        const struct deal_share *s = &d->shares[i];
        if (i == 0 || !are_alike(j, d, o, pattern, i)) {
            fill_host(occ, j->tree, s->host, &fill, ranks, s->n, p->seats);
            pattern = i;
            continue;
        }
        for (unsigned k = 0; k < s->n; k++)
            p->seats[ranks[k]] = copy_seat(&p->seats[like[k]], s->host);
    }
}

/* A host's PUs that nobody holds. */
static struct idset *free_pus(const struct room_job *j, unsigned host)
{
    const struct topo_shape *s = restree_shape(j->tree, host);
    struct idset *set = idset_make();
    for (unsigned i = 0; i < s->n_pus; i++) {
        if (occupancy_pu_free(j->occ, host, s->pus[i]))
            idset_add(set, s->pus[i]);
    }
    return set;
}

static void share(const struct room_job *j, const struct deal *d, struct placement *p)
{
    unsigned rank = 0;
    for (unsigned i = 0; i < d->n; i++) {
        unsigned host = d->shares[i].host, others = d->shares[i].n - 1;
        unsigned cores = occupancy_free_cores(j->occ, host, 0);
        for (unsigned k = 0; k <= others; k++) {
            struct str reason = {0};
            str_printf(&reason,
                       "shares the %u free core%s of %s with %u other rank%s",
                       cores,
                       s_if(cores),
                       j->tree->hosts[host].name,
                       others,
                       s_if(others));
            p->seats[rank++] = (struct place_seat){.host = host,
                                                   .pus = free_pus(j, host),
                                                   .gpus = idset_make(),
                                                   .reason = str_steal(&reason)};
        }
    }
    p->oversubscribed = true;
}

/* ---- the whole ---- */

static int check(const struct place_request *req, struct gm_error *err)
{
    static const char *const words[] = {"auto", "pack", "spread", "numa", "gpu-near"};
    bool known = false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        known = known || strcmp(req->mapping, words[i]) == 0;
    if (!known)
        return gm_fail(err,
                       -EINVAL,
                       "mapping: '%s' is none of auto, pack, spread, numa, gpu-near",
                       req->mapping);
    if (req->ranks > 0 && req->nodes > req->ranks)
        return gm_fail(err,
                       -EINVAL,
                       "nodes: %u rank%s cannot stand on %u hosts",
                       req->ranks,
                       s_if(req->ranks),
                       req->nodes);
    uint64_t product = (uint64_t)req->nodes * req->ranks_per_node;
    if (req->ranks > 0 && product > 0 && product != req->ranks)
        return gm_fail(err,
                       -EINVAL,
                       "ranks: %u is not nodes %u times ranks-per-node %u",
                       req->ranks,
                       req->nodes,
                       req->ranks_per_node);
    return 0;
}

/* Free cores (by threads: PUs) of the hosts that the job may use. */
static uint64_t free_units(const struct room_job *j)
{
    if (j->req->hosts == NULL && j->slot.threads == 0)
        return occupancy_all_cores(j->occ);
    uint64_t n = 0;
    for (unsigned h = 0; h < j->tree->n_hosts; h++) {
        if (j->req->hosts != NULL && !idset_has(j->req->hosts, h))
            continue;
        n += j->slot.threads > 0 ? occupancy_free_pus(j->occ, h, 0)
                                 : occupancy_free_cores(j->occ, h, 0);
    }
    return n;
}

/* Says what auto becomes for so many ranks; true: they are dealt over the hosts in turns.
 */
static bool choose(struct room_job *j, uint64_t ranks, const char **ret_word)
{
    uint64_t each = j->slot.threads > 0 ? j->slot.threads : j->slot.cores;
    *ret_word = auto_choose(j->req, ranks * each >= free_units(j), &j->slot);
    return j->slot.spread && strcmp(j->req->mapping, "gpu-near") != 0;
}

static struct placement *make(const struct deal *d, const char *word)
{
    struct placement *p = xcalloc(1, sizeof(*p));
    p->n_ranks = (unsigned)d->ranks;
    p->seats = xcalloc(p->n_ranks, sizeof(*p->seats));
    p->mapping = word;
    return p;
}

/* NULL: no room. */
static struct placement *try_apart(struct room_job *j, uint64_t ranks)
{
    /* Groups stay together where it is ours to choose. */
    bool groups = j->req->grouped && strcmp(j->req->mapping, "auto") == 0;
    unsigned turn = groups && j->req->group > 0 ? j->req->group : 1;
    struct deal d = {0};
    const char *word = NULL;
    bool apart = ranks > 0 && choose(j, ranks, &word);
    if (!deal_make(j, ranks, apart, turn, &d) || d.ranks > INT32_MAX) {
        deal_clear(&d);
        return NULL;
    }
    if (ranks == 0)
        apart = choose(j, d.ranks, &word);
    struct order order = order_ranks(j, &d, apart, turn);
    struct placement *p = make(&d, word);
    seat_all(j, &d, &order, p);
    free(order.ranks);
    free(order.first);
    deal_clear(&d);
    return p;
}

static struct placement *try_shared(struct room_job *j, uint64_t ranks)
{
    struct deal d = {0};
    if (!room_may_share(j))
        return NULL;
    j->share = true;
    if (!deal_shared(j, ranks, &d) || d.ranks > INT32_MAX) {
        deal_clear(&d);
        return NULL;
    }
    const char *word = NULL;
    (void)choose(j, d.ranks, &word);
    struct placement *p = make(&d, word);
    share(j, &d, p);
    deal_clear(&d);
    return p;
}

int place_map(const struct restree *tree,
              const struct occupancy *occ,
              const struct place_request *req,
              struct placement **ret,
              struct gm_error *err)
{
    int rc = check(req, err);
    if (rc != 0)
        return rc;
    struct room_job j = room_job(tree, occ, req);
    uint64_t ranks = room_ranks(req);
    struct placement *p = try_apart(&j, ranks);
    if (p != NULL && strcmp(req->mapping, "auto") == 0)
        refine_placement(tree, occ, req, p);
    if (p == NULL)
        p = try_shared(&j, ranks);
    if (p == NULL)
        return refuse(tree, occ, req, err);
    *ret = p;
    return 0;
}

void placement_free(struct placement *p)
{
    if (p == NULL)
        return;
    for (unsigned i = 0; i < p->n_ranks; i++) {
        idset_free(p->seats[i].pus);
        idset_free(p->seats[i].gpus);
        idset_free(p->seats[i].mems);
        free(p->seats[i].reason);
    }
    free(p->seats);
    free(p);
}
