/* See rankfile.h. Invariant: the numbers name the very PUs of the plan. Where all ranks
 * stand on this host alone it is called localhost: Open MPI cuts a host's own name at its
 * first dot, unless told otherwise. */
#include "rankfile.h"
#include "base/idset.h"
#include "base/memory.h"
#include "base/str.h"
#include "topo/restree.h"

#include <limits.h>

/* Where a topology's PUs stand in tree order; read once for ranks that follow each other.
 */
struct order {
    unsigned topology; /* index; UINT_MAX: none is read yet */
    unsigned *at;      /* [n] by the kernel's number; UINT_MAX: not there */
    unsigned n;
};

static int read_order(const struct plan *plan,
                      unsigned topology,
                      struct order *o,
                      struct gm_error *err)
{
    AUTO(restree) tree = NULL;
    const char *xml =
        topology < plan->n_topologies ? plan->topologies[topology].xml : NULL;
    if (xml == NULL || *xml == '\0')
        return gm_fail(err, -EINVAL, "the plan has no topology to count CPUs in");
    int rc = restree_load_xml(xml, strlen(xml), "plan", NULL, &tree, err);
    if (rc != 0)
        return rc;
    const struct topo_shape *s = &tree->shapes[0];
    unsigned most = 0;
    for (unsigned i = 0; i < s->n_pus; i++)
        most = s->pus[i] > most ? s->pus[i] : most;
    free(o->at);
    o->topology = topology;
    o->n = most + 1;
    o->at = xcalloc(o->n, sizeof(*o->at));
    memset(o->at, 0xff, o->n * sizeof(*o->at));
    for (unsigned i = 0; i < s->n_pus; i++)
        o->at[s->pus[i]] = i;
    return 0;
}

static unsigned topology_of(const struct plan *plan, const char *host)
{
    for (unsigned h = 0; h < plan->n_hosts; h++) {
        if (strcmp(plan->hosts[h].name, host) == 0)
            return plan->hosts[h].topology;
    }
    return UINT_MAX;
}

/* "0-3" of the kernel -> "0,2,4,6" in tree order, as an idset. */
static int logical(const struct plan *plan,
                   unsigned rank,
                   struct order *o,
                   struct str *out,
                   struct gm_error *err)
{
    const struct plan_rank *r = &plan->ranks[rank];
    unsigned topology = topology_of(plan, r->host);
    AUTO(idset) cpus = NULL;
    AUTO(idset) counted = idset_make();
    int rc = idset_parse(r->cpus, &cpus, err);
    if (rc == 0 && topology != o->topology)
        rc = read_order(plan, topology, o, err);
    if (rc != 0)
        return rc;
    for (int64_t c = idset_next(cpus, 0); c >= 0; c = idset_next(cpus, (unsigned)c + 1)) {
        unsigned at = (unsigned)c < o->n ? o->at[c] : UINT_MAX;
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
    struct order order = {.topology = UINT_MAX};
    bool here = all_here(plan);
    int rc = 0;
    for (unsigned r = 0; r < plan->n_ranks && rc == 0; r++) {
        str_printf(
            &text, "rank %u=%s slot=", r, here ? "localhost" : plan->ranks[r].host);
        if (numbers == RANKFILE_LOGICAL)
            rc = logical(plan, r, &order, &text, err);
        else
            str_add(&text, plan->ranks[r].cpus);
        str_add(&text, "\n");
    }
    free(order.at);
    if (rc == 0)
        *ret = arena_strdup(a, str_text(&text));
    return rc;
}
