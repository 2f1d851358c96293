/* See place.h. Which hosts take how many ranks is decided here, by arithmetic on what
 * each has room for; where on a host a rank stands, by slot.c, rank by rank on a copy of
 * the occupancy.
 *
 * Invariant: the seats' PUs are disjoint and free in `occ`, unless `oversubscribed`. */
#include "place.h"
#include "base/memory.h"
#include "base/str.h"
#include "fill.h"
#include <assert.h>

/* The request with its defaults filled in, and how much of it each host can take. */
struct job {
    const struct restree *tree;
    const struct occupancy *occ;
    const struct place_request *req;
    unsigned cores; /* a rank; 0: however many (they are shared) */
    bool spread;
    unsigned *quota; /* ranks a host */
};

/* What hosts have, all in all: of those that are free, or of the whole machine. */
struct sum {
    uint64_t cores, gpus, memory; /* bytes */
    uint64_t ranks;               /* of this request that have room there */
    unsigned hosts, widest;       /* widest: the cores of the largest host */
};

static uint64_t memory_of(const struct topo_shape *s)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < s->n_nodes; i++)
        bytes += s->nodes[i].kind == GM_NUMA ? s->nodes[i].bytes : 0;
    return bytes;
}

static unsigned least(uint64_t a, uint64_t b)
{
    uint64_t n = a < b ? a : b;
    return n < UINT32_MAX ? (unsigned)n : UINT32_MAX;
}

/* Ranks that have room on a host, empty (occ NULL) or as it is now. */
static unsigned room_on(const struct job *j, const struct occupancy *occ, unsigned host)
{
    const struct place_request *req = j->req;
    const struct topo_shape *s = restree_shape(j->tree, host);
    unsigned cores = occ != NULL ? occupancy_free_cores(occ, host, 0) : s->n_cores;
    unsigned gpus = occ != NULL ? occupancy_free_gpus(occ, host, 0) : s->n_gpus;
    if (cores == 0)
        return 0;
    unsigned n = j->cores > 0 ? cores / j->cores : UINT32_MAX;
    if (req->gpus > 0)
        n = least(n, gpus / req->gpus);
    if (req->memory > 0)
        n = least(n, memory_of(s) / req->memory);
    if (req->ranks_per_node > 0)
        n = least(n, req->ranks_per_node);
    if (req->nodes > 0 && n < req->ranks_per_node)
        n = 0; /* exactly so many are wanted */
    return n;
}

/* Keeps the roomiest `nodes` hosts (the first of equals), the others' room becomes 0. */
static void keep_hosts(unsigned *room, unsigned n_hosts, unsigned nodes)
{
    AUTO_FREE(bool) kept = xcalloc(n_hosts, sizeof(*kept));
    for (unsigned k = 0; k < nodes; k++) {
        unsigned best = n_hosts;
        for (unsigned h = 0; h < n_hosts; h++) {
            if (!kept[h] && room[h] > 0 && (best == n_hosts || room[h] > room[best]))
                best = h;
        }
        if (best == n_hosts)
            break;
        kept[best] = true;
    }
    for (unsigned h = 0; h < n_hosts; h++)
        room[h] = kept[h] ? room[h] : 0;
}

/* Room of every host, and the sum over those that are usable. */
static struct sum
measure(const struct job *j, const struct occupancy *occ, unsigned *room)
{
    struct sum sum = {0};
    unsigned n = j->tree->n_hosts, used = 0;
    for (unsigned h = 0; h < n; h++)
        room[h] = room_on(j, occ, h);
    if (j->req->nodes > 0)
        keep_hosts(room, n, j->req->nodes);
    for (unsigned h = 0; h < n; h++) {
        const struct topo_shape *s = restree_shape(j->tree, h);
        sum.cores += occ != NULL ? occupancy_free_cores(occ, h, 0) : s->n_cores;
        sum.gpus += occ != NULL ? occupancy_free_gpus(occ, h, 0) : s->n_gpus;
        sum.memory += memory_of(s);
        sum.ranks += room[h];
        used += room[h] > 0;
        sum.widest = s->n_cores > sum.widest ? s->n_cores : sum.widest;
    }
    if (used < j->req->nodes)
        sum.ranks = 0;
    sum.hosts = n;
    return sum;
}

/* One rank at a time to each host that has room, until all are dealt. */
static void deal_evenly(const struct job *j, const unsigned *room, uint64_t ranks)
{
    while (ranks > 0) {
        for (unsigned h = 0; h < j->tree->n_hosts && ranks > 0; h++) {
            if (j->quota[h] == room[h])
                continue;
            j->quota[h]++;
            ranks--;
        }
    }
}

static void deal_in_order(const struct job *j, const unsigned *room, uint64_t ranks)
{
    for (unsigned h = 0; h < j->tree->n_hosts; h++) {
        j->quota[h] = least(room[h], ranks);
        ranks -= j->quota[h];
    }
}

/* Each rank to the host with the most free cores for it, beside those that are there. */
static void deal_by_cores(const struct job *j, const unsigned *room, uint64_t ranks)
{
    unsigned n = j->tree->n_hosts;
    for (; ranks > 0; ranks--) {
        unsigned best = n;
        for (unsigned h = 0; h < n; h++) {
            uint64_t mine = occupancy_free_cores(j->occ, h, 0);
            if (mine == 0 || j->quota[h] == room[h])
                continue;
            uint64_t best_cores = best < n ? occupancy_free_cores(j->occ, best, 0) : 0;
            if (best == n || mine * (j->quota[best] + 1) > best_cores * (j->quota[h] + 1))
                best = h;
        }
        assert(best < n); /* they have room, cores aside: can_share() */
        j->quota[best]++;
    }
}

static const char *s_if(uint64_t n)
{
    return n == 1 ? "" : "s";
}

/* "this machine lets us use 2" or "these 3 hosts let us use 24" */
static void add_subject(struct str *out, unsigned hosts)
{
    if (hosts == 1)
        str_add(out, "this machine lets us use");
    else
        str_printf(out, "these %u hosts let us use", hosts);
}

/* "4 ranks of 1 core need 4 cores, this machine lets us use 2" */
static void add_need(struct str *out,
                     uint64_t ranks,
                     uint64_t each,
                     const char *word,
                     const struct sum *all,
                     uint64_t have)
{
    uint64_t need = ranks * each;
    str_printf(out,
               "%llu rank%s of %llu %s%s need%s %llu %s%s, ",
               (unsigned long long)ranks,
               s_if(ranks),
               (unsigned long long)each,
               word,
               s_if(each),
               ranks == 1 ? "s" : "",
               (unsigned long long)need,
               word,
               s_if(need));
    add_subject(out, all->hosts);
    str_printf(out, " %llu", (unsigned long long)have);
}

/* The sentence for a request that even the empty machine cannot hold. */
static int
never(const struct job *j, const struct sum *all, uint64_t ranks, struct gm_error *err)
{
    const struct place_request *req = j->req;
    char have[32], want[32];
    AUTO_STR why = {0};
    if (j->cores > all->widest)
        return gm_fail(err,
                       -EOVERFLOW,
                       "a rank of %u cores fits on no host: the largest lets us use %u",
                       j->cores,
                       all->widest);
    if (req->nodes > all->hosts)
        return gm_fail(err,
                       -EOVERFLOW,
                       "nodes: %u hosts are wanted, and there %s %u",
                       req->nodes,
                       all->hosts == 1 ? "is" : "are",
                       all->hosts);
    if (ranks * j->cores > all->cores)
        add_need(&why, ranks, j->cores, "core", all, all->cores);
    else if (ranks * req->gpus > all->gpus)
        add_need(&why, ranks, req->gpus, "GPU", all, all->gpus);
    else if (req->memory > 0 && ranks > all->memory / req->memory)
        str_printf(&why,
                   "%llu rank%s of %s each need more memory than is there (%s)",
                   (unsigned long long)ranks,
                   s_if(ranks),
                   str_bytes(req->memory, want),
                   str_bytes(all->memory, have));
    else
        str_printf(&why,
                   "%llu rank%s of %u core%s cannot be cut to fit the hosts",
                   (unsigned long long)ranks,
                   s_if(ranks),
                   j->cores,
                   s_if(j->cores));
    AUTO_STR cure = {0};
    if (all->ranks > 0)
        str_printf(&cure, "--ranks %llu", (unsigned long long)all->ranks);
    else
        str_add(&cure, "ask for less per rank");
    bool may_share = ranks * j->cores > all->cores && !req->oversubscribe;
    return gm_fail(err,
                   -EOVERFLOW,
                   "%s: %s%s",
                   why.text,
                   cure.text,
                   may_share ? ", or oversubscribe: true (--oversubscribe)" : "");
}

static int not_now(const struct job *j,
                   const struct sum *now,
                   const struct sum *all,
                   uint64_t ranks,
                   struct gm_error *err)
{
    return gm_fail(
        err,
        -ENOSPC,
        "%llu rank%s of %u core%s %s not fit now: %llu of %llu cores are free, "
        "room for %llu",
        (unsigned long long)ranks,
        s_if(ranks),
        j->cores,
        s_if(j->cores),
        ranks == 1 ? "does" : "do",
        (unsigned long long)now->cores,
        (unsigned long long)all->cores,
        (unsigned long long)now->ranks);
}

/* A host's PUs that nobody holds. */
static struct idset *free_pus(const struct job *j, unsigned host)
{
    const struct topo_shape *s = restree_shape(j->tree, host);
    struct idset *set = idset_make();
    for (unsigned i = 0; i < s->n_pus; i++) {
        if (occupancy_pu_free(j->occ, host, s->pus[i]))
            idset_add(set, s->pus[i]);
    }
    return set;
}

/* Does the request fit but for its cores? Then those may be shared; memory, GPUs and a
 * number of ranks or hosts that was asked for may not. Fills room. */
static bool can_share(const struct job *j, uint64_t ranks, unsigned *room)
{
    struct job coreless = *j;
    coreless.cores = 0;
    return j->req->oversubscribe && j->req->gpus == 0 &&
           measure(&coreless, j->occ, room).ranks >= ranks;
}

static void share(const struct job *j, const unsigned *room, struct placement *p)
{
    deal_by_cores(j, room, p->n_ranks);
    unsigned rank = 0;
    for (unsigned h = 0; h < j->tree->n_hosts; h++) {
        unsigned cores = occupancy_free_cores(j->occ, h, 0), others = j->quota[h] - 1;
        for (unsigned k = 0; k < j->quota[h]; k++) {
            struct str reason = {0};
            str_printf(&reason,
                       "shares the %u free core%s of %s with %u other rank%s",
                       cores,
                       s_if(cores),
                       j->tree->hosts[h].name,
                       others,
                       s_if(others));
            p->seats[rank++] = (struct place_seat){.host = h,
                                                   .pus = free_pus(j, h),
                                                   .gpus = idset_make(),
                                                   .reason = str_steal(&reason)};
        }
    }
    p->oversubscribed = true;
}

/* The host of the next rank: pack stays while there is quota, spread goes on to the next.
 */
static unsigned next_host(const struct job *j, unsigned host, const unsigned *left)
{
    for (unsigned step = j->spread ? 1 : 0;; step++) {
        unsigned h = (host + step) % j->tree->n_hosts;
        if (left[h] > 0)
            return h;
    }
}

static void seat_all(const struct job *j, struct placement *p)
{
    AUTO(occupancy) occ = occupancy_dup(j->occ);
    unsigned n_hosts = j->tree->n_hosts, host = j->spread ? n_hosts - 1 : 0;
    AUTO_FREE(unsigned) left = xcalloc(n_hosts, sizeof(*left));
    AUTO_FREE(unsigned) first = xcalloc(n_hosts + 1, sizeof(*first));
    AUTO_FREE(unsigned) ranks = xcalloc(p->n_ranks, sizeof(*ranks));
    for (unsigned h = 0; h < n_hosts; h++) {
        left[h] = j->quota[h];
        first[h + 1] = first[h] + j->quota[h];
    }
    for (unsigned r = 0; r < p->n_ranks; r++) {
        host = next_host(j, host, left);
        ranks[first[host] + j->quota[host] - left[host]--] = r;
    }
    struct fill_request fill = {
        .slot = {.cores = j->cores, .gpus = j->req->gpus, .spread = j->spread},
        .grouped = j->req->grouped,
        .group = j->req->group,
    };
    for (unsigned h = 0; h < n_hosts; h++) {
        if (j->quota[h] > 0)
            fill_host(occ, j->tree, h, &fill, &ranks[first[h]], j->quota[h], p->seats);
    }
}

static int check(const struct place_request *req, struct gm_error *err)
{
    static const char *const words[] = {"auto", "pack", "spread"};
    bool known = false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        known = known || strcmp(req->mapping, words[i]) == 0;
    if (!known)
        return gm_fail(
            err, -EINVAL, "mapping: '%s' is none of auto, pack, spread", req->mapping);
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

/* Ranks wanted, before it is known whether they fit; 0: as many as fit. */
static uint64_t ranks_wanted(const struct place_request *req)
{
    return req->ranks > 0 ? req->ranks : (uint64_t)req->nodes * req->ranks_per_node;
}

static bool chooses_spread(const struct job *j, const struct sum *now, uint64_t ranks)
{
    if (strcmp(j->req->mapping, "auto") != 0)
        return strcmp(j->req->mapping, "spread") == 0;
    return !j->req->grouped && ranks * j->cores < now->cores;
}

static struct placement *make(uint64_t ranks)
{
    struct placement *p = xcalloc(1, sizeof(*p));
    p->n_ranks = (unsigned)ranks;
    p->seats = xcalloc(p->n_ranks, sizeof(*p->seats));
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
    AUTO_FREE(unsigned) quota = xcalloc(tree->n_hosts, sizeof(*quota));
    AUTO_FREE(unsigned) room = xcalloc(tree->n_hosts, sizeof(*room));
    struct job j = {tree, occ, req, req->cores > 0 ? req->cores : 1, false, quota};
    struct sum all = measure(&j, NULL, room), now = measure(&j, occ, room);
    uint64_t ranks = ranks_wanted(req);
    if (ranks == 0)
        ranks = now.ranks > 0 ? now.ranks : 1;
    bool fits = ranks <= now.ranks;
    if (!fits && !can_share(&j, ranks, room))
        return ranks > all.ranks ? never(&j, &all, ranks, err)
                                 : not_now(&j, &now, &all, ranks, err);
    if (ranks > INT32_MAX)
        return gm_fail(err, -EOVERFLOW, "ranks: MPI counts to 2147483647");
    j.spread = chooses_spread(&j, &now, ranks);
    AUTO(placement) p = make(ranks);
    p->mapping = j.spread ? "spread" : "pack";
    if (!fits)
        share(&j, room, p);
    else if (req->nodes > 0 || j.spread)
        deal_evenly(&j, room, ranks);
    else
        deal_in_order(&j, room, ranks);
    if (fits)
        seat_all(&j, p);
    *ret = steal(&p);
    return 0;
}

void placement_free(struct placement *p)
{
    if (p == NULL)
        return;
    for (unsigned i = 0; i < p->n_ranks; i++) {
        idset_free(p->seats[i].pus);
        idset_free(p->seats[i].gpus);
        free(p->seats[i].reason);
    }
    free(p->seats);
    free(p);
}
