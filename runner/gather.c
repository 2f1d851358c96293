/* See gather.h. The lowest rank of a host speaks for it. Invariant: seats[i] is world
 * rank i, and host numbers follow the first rank on each. */
#include "gather.h"
#include "base/memory.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/seats.h"
#include "sched/place.h"
#include "topo/restree.h"
#include <assert.h>
#include <inttypes.h>

enum { TAG_XML = 7 };

/* What every rank says of itself. A list of CPUs is as long as it is (every second one of
 * 512 takes 1,900 characters): all get the room of the longest. */
struct card {
    char host[256];
    const char *cpus; /* in the sheet that came with the cards */
};

struct cards {
    struct card *of; /* by world rank */
    char *sheet;
};

static void cards_free(struct cards *c)
{
    free(c->of);
    free(c->sheet);
}

struct seat {
    unsigned host;
    struct idset *inherited;
};

struct gather {
    struct seat *seats;
    unsigned n_ranks;
    struct restree *tree; /* hosts in the order of their first ranks */
};

void gather_free(struct gather *g)
{
    if (g == NULL)
        return;
    for (unsigned i = 0; i < g->n_ranks; i++)
        idset_free(g->seats[i].inherited);
    free(g->seats);
    restree_free(g->tree);
    free(g);
}

/* Every rank's n bytes, one after the other, in ret. */
static int gather_bytes(const void *mine, size_t n, void *ret, struct gm_error *err)
{
    if (n > INT32_MAX ||
        MPI_Allgather(mine, (int)n, MPI_BYTE, ret, (int)n, MPI_BYTE, MPI_COMM_WORLD) !=
            MPI_SUCCESS)
        return gm_fail(err, -EIO, "MPI_Allgather of %zu bytes failed", n);
    return 0;
}

static int exchange_cards(const struct rank *r, struct cards *ret, struct gm_error *err)
{
    size_t n = (size_t)r->n_ranks;
    AUTO_FREE(char) cpus = idset_format(r->inherited);
    uint64_t mine = strlen(cpus) + 1, room;
    if (MPI_Allreduce(&mine, &room, 1, MPI_UINT64_T, MPI_MAX, MPI_COMM_WORLD) !=
        MPI_SUCCESS)
        return gm_fail(err, -EIO, "MPI_Allreduce failed");
    AUTO_FREE(char) line = xcalloc(room, 1);
    AUTO_FREE(char) hosts = xcalloc(n, sizeof(r->host));
    ret->of = xcalloc(n, sizeof(*ret->of));
    ret->sheet = xcalloc(n, room);
    memcpy(line, cpus, mine);
    int rc = gather_bytes(r->host, sizeof(r->host), hosts, err);
    if (rc == 0)
        rc = gather_bytes(line, room, ret->sheet, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        memcpy(ret->of[i].host, hosts + i * sizeof(r->host), sizeof(r->host));
        ret->of[i].cpus = ret->sheet + i * room;
    }
    return rc;
}

/* The lowest rank on the host of rank i. */
static int speaker(const struct card *cards, int i)
{
    assert(cards != NULL);
    for (int k = 0; k < i; k++) {
        if (strcmp(cards[k].host, cards[i].host) == 0)
            return k;
    }
    return i;
}

/* The PUs that any rank of this host may use. */
static int allowed_on(const struct card *cards,
                      int n,
                      const char *host,
                      struct idset **ret,
                      struct gm_error *err)
{
    AUTO(idset) all = idset_make();
    for (int i = 0; i < n; i++) {
        AUTO(idset) one = NULL;
        if (strcmp(cards[i].host, host) != 0)
            continue;
        int rc = idset_parse(cards[i].cpus, &one, err);
        if (rc < 0)
            return rc;
        idset_unite(all, one);
    }
    *ret = steal(&all);
    return 0;
}

struct digest {
    char hex[65];
};

/* The XML of the host that rank `from` speaks for, on rank 0; yours to free. */
static char *fetch_xml(int from, const char *mine)
{
    if (from == 0)
        return xstrdup(mine);
    MPI_Status status;
    int n;
    (void)MPI_Probe(from, TAG_XML, MPI_COMM_WORLD, &status);
    (void)MPI_Get_count(&status, MPI_BYTE, &n);
    char *xml = xcalloc((size_t)n + 1, 1);
    (void)MPI_Recv(xml, n, MPI_BYTE, from, TAG_XML, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return xml;
}

static int add_host(struct gather *g,
                    const struct card *cards,
                    int n,
                    const char *host,
                    const char *xml,
                    struct gm_error *err)
{
    AUTO(idset) allowed = NULL;
    struct restree *one = NULL;
    int rc = allowed_on(cards, n, host, &allowed, err);
    if (rc == 0)
        rc = restree_load_xml(xml, strlen(xml), host, allowed, &one, err);
    if (rc < 0)
        return rc;
    if (g->tree == NULL)
        g->tree = one;
    else
        restree_join(g->tree, one);
    return 0;
}

/* Rank 0 gathers a digest a host, then one XML a distinct digest, and builds the tree. */
static int build_tree(int n,
                      const struct card *cards,
                      const char *xml,
                      const struct digest *digests,
                      struct gather *g,
                      struct gm_error *err)
{
    int rc = 0;
    char **xmls = xcalloc((size_t)n, sizeof(*xmls));
    for (int i = 0; i < n; i++) { /* every XML is received, also after a failure */
        if (speaker(cards, i) != i)
            continue;
        int same = 0;
        while (same < i &&
               (xmls[same] == NULL || strcmp(digests[same].hex, digests[i].hex) != 0))
            same++;
        if (same == i)
            xmls[i] = fetch_xml(i, xml);
        if (rc == 0)
            rc = add_host(g, cards, n, cards[i].host, xmls[same], err);
    }
    for (int i = 0; i < n; i++)
        free(xmls[i]);
    free(xmls);
    return rc;
}

static void send_xml_if_first(const struct rank *r,
                              const struct card *cards,
                              const char *xml,
                              const struct digest *digests)
{
    if (r->world == 0 || speaker(cards, r->world) != r->world)
        return;
    for (int k = 0; k < r->world; k++) {
        if (speaker(cards, k) == k && strcmp(digests[k].hex, digests[r->world].hex) == 0)
            return;
    }
    (void)MPI_Send(xml, (int)strlen(xml), MPI_BYTE, 0, TAG_XML, MPI_COMM_WORLD);
}

static int fill_seats(struct gather *g, const struct card *cards, struct gm_error *err)
{
    for (unsigned i = 0; i < g->n_ranks; i++) {
        for (unsigned h = 0; h < g->tree->n_hosts; h++) {
            if (strcmp(g->tree->hosts[h].name, cards[i].host) == 0)
                g->seats[i].host = h;
        }
        int rc = idset_parse(cards[i].cpus, &g->seats[i].inherited, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The machine, of which each host's speaker knows its part; rank 0 puts it together. */
static int share_machine(const struct rank *r,
                         const struct card *cards,
                         const struct restree *here,
                         struct gather **ret,
                         struct gm_error *err)
{
    struct digest mine = {0};
    if (here != NULL)
        memcpy(mine.hex, here->shapes[0].digest, sizeof(mine.hex));
    AUTO_FREE(struct digest) digests = xcalloc((size_t)r->n_ranks, sizeof(*digests));
    int rc = gather_bytes(&mine, sizeof(mine), digests, err);
    if (rc < 0)
        return rc;
    const char *xml = here != NULL ? here->shapes[0].xml : "";
    send_xml_if_first(r, cards, xml, digests);
    if (r->world != 0)
        return 0;
    struct gather *g = xcalloc(1, sizeof(*g));
    g->n_ranks = (unsigned)r->n_ranks;
    g->seats = xcalloc(g->n_ranks, sizeof(*g->seats));
    rc = build_tree(r->n_ranks, cards, xml, digests, g, err);
    if (rc == 0)
        rc = fill_seats(g, cards, err);
    if (rc < 0)
        gather_free(g);
    else
        *ret = g;
    return rc;
}

int gather_make(const struct rank *r, struct gather **ret, struct gm_error *err)
{
    struct cards cards = {0};
    AUTO(restree) here = NULL;
    int rc = rank_agree(r, exchange_cards(r, &cards, err), true, err);
    if (rc == 0 && speaker(cards.of, r->world) == r->world)
        rc = restree_load_machine(&here, err);
    rc = rank_agree(r, rc, true, err);
    if (rc == 0)
        rc = share_machine(r, cards.of, here, ret, err);
    cards_free(&cards);
    return rc;
}

/* Two ranks of one host share PUs. */
static bool any_shared(const struct gather *g)
{
    struct idset **taken = xcalloc(g->tree->n_hosts, sizeof(struct idset *));
    bool shared = false;
    for (unsigned h = 0; h < g->tree->n_hosts; h++)
        taken[h] = idset_make();
    for (unsigned i = 0; i < g->n_ranks; i++) {
        struct idset *on_host = taken[g->seats[i].host];
        shared |= idset_overlap(on_host, g->seats[i].inherited);
        idset_unite(on_host, g->seats[i].inherited);
    }
    for (unsigned h = 0; h < g->tree->n_hosts; h++)
        idset_free(taken[h]);
    free(taken);
    return shared;
}

/* Every rank may use all that any rank of its host may. */
static bool all_unbound(const struct gather *g)
{
    for (unsigned i = 0; i < g->n_ranks; i++) {
        const struct topo_shape *shape = restree_shape(g->tree, g->seats[i].host);
        if (idset_count(g->seats[i].inherited) != shape->n_pus)
            return false;
    }
    return true;
}

static struct placement *keep_inherited(const struct gather *g, const char *reason)
{
    struct placement *p = xcalloc(1, sizeof(*p));
    p->n_ranks = g->n_ranks;
    p->mapping = "inherited";
    p->seats = xcalloc(g->n_ranks, sizeof(*p->seats));
    for (unsigned i = 0; i < g->n_ranks; i++) {
        p->seats[i] = (struct place_seat){.host = g->seats[i].host,
                                          .pus = idset_dup(g->seats[i].inherited),
                                          .gpus = idset_make(),
                                          .reason = xstrdup(reason)};
    }
    return p;
}

/* Places the ranks of one host on its cores; -EOVERFLOW or -ENOSPC: there are too few. */
static int place_on_host(const struct gather *g,
                         const struct jobspec *spec,
                         unsigned host,
                         struct placement *into,
                         struct gm_error *err)
{
    struct topo_host alone = g->tree->hosts[host];
    struct restree tree = {.hosts = &alone,
                           .n_hosts = 1,
                           .shapes = g->tree->shapes,
                           .n_shapes = g->tree->n_shapes};
    AUTO(occupancy) occ = occupancy_make(&tree);
    AUTO(placement) at = NULL;
    struct place_request req = {.cores = spec->cores,
                                .gpus = spec->gpus,
                                .memory = spec->memory,
                                .mapping = spec->mapping,
                                .grouped = jobspec_grouped(spec)};
    for (unsigned i = 0; i < g->n_ranks; i++)
        req.ranks += g->seats[i].host == host;
    int rc = place_map(&tree, occ, &req, &at, err);
    for (unsigned i = 0, k = 0; rc == 0 && i < g->n_ranks; i++) {
        if (g->seats[i].host != host)
            continue;
        struct place_seat *from = &at->seats[k++], *to = &into->seats[i];
        idset_free(to->pus);
        idset_free(to->gpus);
        free(to->reason);
        *to = *from;
        to->host = host;
        *from = (struct place_seat){0};
        into->mapping = at->mapping;
    }
    return rc;
}

/* A canonical job: the launcher decided where its tasks stand, the counts that may vary
 * are those that give as many tasks as there are ranks. */
static int plan_seated(const struct gather *g,
                       const struct jobspec *spec,
                       struct plan **ret,
                       struct gm_error *err)
{
    AUTO_FREE(uint64_t) tasks = NULL;
    int rc = seats_count(spec, g->n_ranks, &tasks, err);
    if (rc < 0)
        return rc;
    AUTO(placement) at = keep_inherited(g, "as the launcher that started it left it");
    return engine_plan_from(
        spec, g->tree, at, tasks, PLAN_BOUND_BEFORE, "foreign", ret, err);
}

int gather_plan(const struct gather *g,
                const struct jobspec *spec,
                unsigned n_ranks,
                struct plan **ret,
                struct gm_error *err)
{
    AUTO(placement) at = NULL;
    enum plan_binder binder = PLAN_BOUND_BEFORE;
    if (jobspec_seated(spec))
        return plan_seated(g, spec, ret, err);
    if (spec->ranks != 0 && spec->ranks != n_ranks)
        return gm_fail(err,
                       -EINVAL,
                       "%s: ranks: the job asks for %u, but %u were started: "
                       "start %u, or --set ranks=%u",
                       spec->file,
                       spec->ranks,
                       n_ranks,
                       spec->ranks,
                       n_ranks);
    bool unbound = all_unbound(g);
    if (!unbound || (!any_shared(g) && n_ranks > 1)) {
        at = keep_inherited(g, "bound by the launcher that started it");
        at->oversubscribed = any_shared(g);
    } else {
        at = keep_inherited(g, "shares all cores: more ranks than cores");
        binder = PLAN_BOUND_BY_RUNNER;
        int rc = 0;
        for (unsigned h = 0; h < g->tree->n_hosts && rc == 0; h++)
            rc = place_on_host(g, spec, h, at, err);
        if (rc == -EOVERFLOW || rc == -ENOSPC) {
            binder = PLAN_UNBOUND;
            placement_free(at);
            at = keep_inherited(g, "shares all cores: more ranks than cores");
            at->oversubscribed = true;
        } else if (rc < 0) {
            return rc;
        }
    }
    return engine_plan_from(spec, g->tree, at, NULL, binder, "foreign", ret, err);
}
