/* See gather.h. The lowest rank of a host speaks for it. Rank 0 alone holds what all
 * said; what the others must know of it is a byte each. Invariant: seats[i] is world rank
 * i, and host numbers follow the first rank on each. */
#include "gather.h"
#include "base/memory.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/seats.h"
#include "roles.h"
#include "sched/place.h"
#include "topo/fleet.h"
#include "topo/restree.h"
#include <inttypes.h>

enum { TAG_XML = 7 };

/* Rank 0: what every rank said of itself, a text each; all get the room of the longest.
 */
struct sheet {
    char *text;
    const char **of; /* [rank] */
};

static void sheet_free(struct sheet *s)
{
    free(s->text);
    free(s->of);
    *s = (struct sheet){0};
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

/* Collective: every rank's text, on rank 0. A list of CPUs is as long as it is (every
 * second one of 512 takes 1,900 characters). */
static int
collect(const struct rank *r, const char *mine, struct sheet *ret, struct gm_error *err)
{
    size_t n = (size_t)r->n_ranks;
    uint64_t len = strlen(mine) + 1, room;
    if (MPI_Allreduce(&len, &room, 1, MPI_UINT64_T, MPI_MAX, MPI_COMM_WORLD) !=
        MPI_SUCCESS)
        return gm_fail(err, -EIO, "MPI_Allreduce failed");
    if (room > INT32_MAX)
        return gm_fail(err, -EFBIG, "%" PRIu64 " bytes of one rank", room);
    AUTO_FREE(char) line = xcalloc(room, 1);
    memcpy(line, mine, len);
    if (r->world == 0) {
        ret->text = xcalloc(n, room);
        ret->of = xcalloc(n, sizeof(*ret->of));
    }
    if (MPI_Gather(line,
                   (int)room,
                   MPI_BYTE,
                   ret->text,
                   (int)room,
                   MPI_BYTE,
                   0,
                   MPI_COMM_WORLD) != MPI_SUCCESS)
        return gm_fail(err, -EIO, "MPI_Gather of %" PRIu64 " bytes failed", room);
    for (size_t i = 0; r->world == 0 && i < n; i++)
        ret->of[i] = ret->text + i * room;
    return 0;
}

/* Collective: rank 0 has a byte for each rank. */
static int deal(const char *all, bool *ret, struct gm_error *err)
{
    char mine = 0;
    if (MPI_Scatter(all, 1, MPI_BYTE, &mine, 1, MPI_BYTE, 0, MPI_COMM_WORLD) !=
        MPI_SUCCESS)
        return gm_fail(err, -EIO, "MPI_Scatter failed");
    *ret = mine != 0;
    return 0;
}

/* What rank 0 knows of all while it puts the machine together. */
struct books {
    struct sheet hosts, cpus, digests; /* by rank */
    struct roles *roles;
    const char **digest; /* by host */
    unsigned *sender;    /* by host: whose XML is its own, too */
    char *byte;          /* by rank: what is dealt */
};

static void books_free(struct books *b)
{
    sheet_free(&b->hosts);
    sheet_free(&b->cpus);
    sheet_free(&b->digests);
    roles_free(b->roles);
    free(b->digest);
    free(b->sender);
    free(b->byte);
}

/* Collective: whether this rank speaks for its host. */
static int
choose_speakers(const struct rank *r, struct books *b, bool *ret, struct gm_error *err)
{
    if (r->world == 0) {
        b->roles = roles_make(b->hosts.of, (unsigned)r->n_ranks);
        b->byte = xcalloc((size_t)r->n_ranks, 1);
        for (unsigned h = 0; h < b->roles->n_hosts; h++)
            b->byte[b->roles->speaker[h]] = 1;
    }
    return deal(b->byte, ret, err);
}

/* Collective: whether this rank sends its XML to rank 0. */
static int
choose_senders(const struct rank *r, struct books *b, bool *ret, struct gm_error *err)
{
    if (r->world == 0) {
        unsigned n = b->roles->n_hosts;
        b->digest = xcalloc(n, sizeof(*b->digest));
        for (unsigned h = 0; h < n; h++)
            b->digest[h] = b->digests.of[b->roles->speaker[h]];
        (void)roles_senders(b->roles, b->digest, &b->sender);
        memset(b->byte, 0, (size_t)r->n_ranks);
        for (unsigned h = 1; h < n; h++)
            b->byte[b->roles->speaker[h]] = b->sender[h] == h;
    }
    return deal(b->byte, ret, err);
}

/* The XML of the host that rank `from` speaks for, on rank 0; yours to free. */
static char *fetch_xml(unsigned from)
{
    MPI_Status status;
    int n;
    (void)MPI_Probe((int)from, TAG_XML, MPI_COMM_WORLD, &status);
    (void)MPI_Get_count(&status, MPI_BYTE, &n);
    char *xml = xcalloc((size_t)n + 1, 1);
    (void)MPI_Recv(
        xml, n, MPI_BYTE, (int)from, TAG_XML, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return xml;
}

static int fill_seats(struct gather *g, const struct books *b, struct gm_error *err)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < g->n_ranks; i++) {
        g->seats[i].host = b->roles->host_of[i];
        rc = idset_parse(b->cpus.of[i], &g->seats[i].inherited, err);
    }
    return rc;
}

/* The PUs that any rank of a host may use, by host; yours to free. */
static struct idset **allowed_by_host(const struct gather *g, unsigned n_hosts)
{
    struct idset **all = xcalloc(n_hosts, sizeof(struct idset *));
    for (unsigned h = 0; h < n_hosts; h++)
        all[h] = idset_make();
    for (unsigned i = 0; i < g->n_ranks; i++)
        idset_unite(all[g->seats[i].host], g->seats[i].inherited);
    return all;
}

/* Rank 0: by host, the XML that its speaker sends, or NULL; before anything can fail, as
 * who sends waits for it. */
static char **fetch_all(const struct books *b)
{
    char **xmls = xcalloc(b->roles->n_hosts, sizeof(*xmls));
    for (unsigned h = 1; h < b->roles->n_hosts; h++) {
        if (b->sender[h] == h)
            xmls[h] = fetch_xml(b->roles->speaker[h]);
    }
    return xmls;
}

/* The tree from one XML a distinct digest; xmls[0]: rank 0's own. */
static int build_tree(struct gather *g,
                      const struct books *b,
                      const char *const *xmls,
                      struct gm_error *err)
{
    unsigned n = b->roles->n_hosts;
    AUTO(fleet) fleet = fleet_make(n);
    int rc = fill_seats(g, b, err);
    struct idset **allowed = rc == 0 ? allowed_by_host(g, n) : NULL;
    for (unsigned h = 0; allowed != NULL && h < n; h++) {
        AUTO_FREE(char) cpus = idset_format(allowed[h]);
        const char *name = b->hosts.of[b->roles->speaker[h]];
        if (rc == 0)
            rc = fleet_add(fleet, name, b->digest[h], cpus, xmls[b->sender[h]], err);
        idset_free(allowed[h]);
    }
    free(allowed);
    if (rc == 0)
        g->tree = fleet_take(fleet);
    return rc;
}

/* The machine, of which each host's speaker knows its part; rank 0 puts it together. */
static int share_machine(const struct rank *r,
                         struct books *b,
                         const struct restree *here,
                         struct gather **ret,
                         struct gm_error *err)
{
    bool sends = false;
    const char *xml = here != NULL ? here->shapes[0].xml : "";
    int rc = collect(r, here != NULL ? here->shapes[0].digest : "", &b->digests, err);
    if (rc == 0)
        rc = choose_senders(r, b, &sends, err);
    if (rc == 0 && sends)
        (void)MPI_Send(xml, (int)strlen(xml), MPI_BYTE, 0, TAG_XML, MPI_COMM_WORLD);
    if (rc < 0 || r->world != 0)
        return rc;
    struct gather *g = xcalloc(1, sizeof(*g));
    g->n_ranks = (unsigned)r->n_ranks;
    g->seats = xcalloc(g->n_ranks, sizeof(*g->seats));
    char **xmls = fetch_all(b);
    xmls[0] = xstrdup(xml);
    rc = build_tree(g, b, (const char *const *)xmls, err);
    for (unsigned h = 0; h < b->roles->n_hosts; h++)
        free(xmls[h]);
    free(xmls);
    if (rc < 0)
        gather_free(g);
    else
        *ret = g;
    return rc;
}

int gather_make(const struct rank *r, struct gather **ret, struct gm_error *err)
{
    struct books books = {0};
    AUTO(restree) here = NULL;
    AUTO_FREE(char) cpus = idset_format(r->inherited);
    bool speaks = false;
    int rc = collect(r, r->host, &books.hosts, err);
    if (rc == 0)
        rc = collect(r, cpus, &books.cpus, err);
    if (rc == 0)
        rc = choose_speakers(r, &books, &speaks, err);
    rc = rank_agree(r, rc, true, err);
    if (rc == 0 && speaks)
        rc = restree_load_machine(&here, err);
    rc = rank_agree(r, rc, true, err);
    if (rc == 0)
        rc = share_machine(r, &books, here, ret, err);
    books_free(&books);
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
                                .threads = spec->threads,
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
                       "%s: ranks: the job asks for %u, but %u %s started: "
                       "start %u, or --set ranks=%u",
                       spec->file,
                       spec->ranks,
                       n_ranks,
                       n_ranks == 1 ? "was" : "were",
                       spec->ranks,
                       n_ranks);
    bool unbound = all_unbound(g);
    if (!unbound || (!any_shared(g) && n_ranks > 1)) {
        at = keep_inherited(g, "bound by the launcher that started it");
        at->oversubscribed = any_shared(g);
    } else if (spec->map_by || strcmp(spec->mapping, "inherited") == 0) {
        at = keep_inherited(g, "bound by nobody, and the job's mapping is a launcher's");
        at->oversubscribed = any_shared(g);
        binder = PLAN_UNBOUND;
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
