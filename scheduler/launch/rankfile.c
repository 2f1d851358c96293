/* See rankfile.h. Invariant: the numbers name the very PUs of the plan. Where all ranks
 * stand on this host alone it is called localhost: Open MPI cuts a host's own name at its
 * first dot, unless told otherwise. */
#include "rankfile.h"
#include "base/idset.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/strmap.h"
#include "topo/restree.h"

#include <limits.h>

/* Where a topology's PUs stand in tree order. */
struct order {
    unsigned
        *at; /* [n] by the kernel's number; UINT_MAX: not there. NULL: not read yet */
    unsigned n;
};

/* The plan's topologies, each read when a rank on it is met. */
struct orders {
    const struct plan *plan;
    struct strmap *hosts; /* name -> index in plan->hosts */
    struct order *items;  /* [plan->n_topologies] */
};

static void orders_make(const struct plan *plan, struct orders *ret)
{
    *ret = (struct orders){
        .plan = plan,
        .hosts = strmap_make_for(plan->n_hosts),
        .items = xcalloc(plan->n_topologies, sizeof(*ret->items)),
    };
    for (unsigned h = 0; h < plan->n_hosts; h++)
        strmap_put(ret->hosts, plan->hosts[h].name, h);
}

static void orders_clear(struct orders *o)
{
    for (unsigned i = 0; i < o->plan->n_topologies; i++)
        free(o->items[i].at);
    free(o->items);
    strmap_free(o->hosts);
}

static int read_order(const char *xml, struct order *ret, struct gm_error *err)
{
    AUTO(restree) tree = NULL;
    int rc = restree_load_xml(xml, strlen(xml), "plan", NULL, &tree, err);
    if (rc != 0)
        return rc;
    const struct topo_shape *s = &tree->shapes[0];
    unsigned most = 0;
    for (unsigned i = 0; i < s->n_pus; i++)
        most = s->pus[i] > most ? s->pus[i] : most;
    ret->n = most + 1;
    ret->at = xcalloc(ret->n, sizeof(*ret->at));
    memset(ret->at, 0xff, ret->n * sizeof(*ret->at));
    for (unsigned i = 0; i < s->n_pus; i++)
        ret->at[s->pus[i]] = i;
    return 0;
}

static int
find_order(struct orders *o, const char *host, struct order *ret, struct gm_error *err)
{
    const struct plan *plan = o->plan;
    size_t h;
    unsigned topology =
        strmap_get(o->hosts, host, &h) ? plan->hosts[h].topology : UINT_MAX;
    const char *xml =
        topology < plan->n_topologies ? plan->topologies[topology].xml : NULL;
    if (xml == NULL || *xml == '\0')
        return gm_fail(err, -EINVAL, "the plan has no topology to count CPUs in");
    struct order *order = &o->items[topology];
    int rc = order->at == NULL ? read_order(xml, order, err) : 0;
    if (rc == 0)
        *ret = *order;
    return rc;
}

/* "0-3" of the kernel -> "0,2,4,6" in tree order, as an idset. */
static int logical(struct orders *o, unsigned rank, struct str *out, struct gm_error *err)
{
    const struct plan_rank *r = &o->plan->ranks[rank];
    struct order order = {0};
    AUTO(idset) cpus = NULL;
    AUTO(idset) counted = idset_make();
    int rc = idset_parse(r->cpus, &cpus, err);
    if (rc == 0)
        rc = find_order(o, r->host, &order, err);
    if (rc != 0)
        return rc;
    for (int64_t c = idset_next(cpus, 0); c >= 0; c = idset_next(cpus, (unsigned)c + 1)) {
        unsigned at = (unsigned)c < order.n ? order.at[c] : UINT_MAX;
        if (at == UINT_MAX)
            return gm_fail(err,
                           -EINVAL,
                           "rank %u: CPU %d is not in the topology of %s",
                           rank,
                           (int)c,
                           r->host);
        idset_add(counted, at);
    }
    AUTO_FREE(char) text = idset_format(counted);
    str_add(out, text);
    return 0;
}

static bool all_here(const struct plan *plan)
{
    if (plan->elsewhere)
        return false;
    for (unsigned r = 1; r < plan->n_ranks; r++) {
        if (strcmp(plan->ranks[r].host, plan->ranks[0].host) != 0)
            return false;
    }
    return true;
}

int rankfile_write(const struct plan *plan,
                   enum rankfile_numbers numbers,
                   struct arena *a,
                   const char **ret,
                   struct gm_error *err)
{
    AUTO_STR text = {0};
    struct orders orders;
    bool here = all_here(plan);
    int rc = 0;
    orders_make(plan, &orders);
    for (unsigned r = 0; r < plan->n_ranks && rc == 0; r++) {
        str_printf(
            &text, "rank %u=%s slot=", r, here ? "localhost" : plan->ranks[r].host);
        if (numbers == RANKFILE_LOGICAL)
            rc = logical(&orders, r, &text, err);
        else
            str_add(&text, plan->ranks[r].cpus);
        str_add(&text, "\n");
    }
    orders_clear(&orders);
    if (rc == 0)
        *ret = arena_strdup(a, str_text(&text));
    return rc;
}
