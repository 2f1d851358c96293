/* See refuse.h. The sentence names the first number that is too large, a rank's own
 * before the sum of all; remedy.c says what to ask for. */
#include "refuse.h"
#include "base/str.h"
#include "deal.h"
#include "remedy.h"
#include <assert.h>

/* What the hosts of a job have: all of them, and the largest. */
struct sum {
    uint64_t cores, pus, gpus, memory, free; /* free: cores now */
    uint64_t room;                           /* ranks, now */
    uint64_t slots;                          /* of all hosts; 0: some host has no limit */
    unsigned hosts;
    unsigned in_cores, in_pus, in_gpus, in_memory; /* the host that has most */
    unsigned in_numa, numa_cores;                  /* of NUMA nodes the largest */
};

/* What a rank asks for and how much a host has of it. */
struct need {
    const char *word;
    uint64_t each, most, all;
    unsigned host; /* that has most */
    bool bytes;
};

static const char *s_if(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static uint64_t times(uint64_t a, uint64_t b)
{
    uint64_t n;
    return __builtin_mul_overflow(a, b, &n) ? UINT64_MAX : n;
}

static void add_host(struct sum *sum, const struct room_job *empty, unsigned h)
{
    const struct restree *tree = empty->tree;
    const struct topo_shape *s = restree_shape(tree, h);
    bool first = sum->hosts++ == 0;
    uint64_t bytes = occupancy_free_memory(empty->occ, h, 0);
    sum->cores += s->n_cores;
    sum->pus += s->n_pus;
    sum->gpus += s->n_gpus;
    sum->memory += bytes;
    if (first || s->n_cores > restree_shape(tree, sum->in_cores)->n_cores)
        sum->in_cores = h;
    if (first || s->n_pus > restree_shape(tree, sum->in_pus)->n_pus)
        sum->in_pus = h;
    if (first || s->n_gpus > restree_shape(tree, sum->in_gpus)->n_gpus)
        sum->in_gpus = h;
    if (first || bytes > occupancy_free_memory(empty->occ, sum->in_memory, 0))
        sum->in_memory = h;
    for (unsigned i = 0; empty->slot.numa && i < s->n_nodes; i++) {
        if (s->nodes[i].kind != GM_NUMA || s->nodes[i].n_cores <= sum->numa_cores)
            continue;
        sum->numa_cores = s->nodes[i].n_cores;
        sum->in_numa = h;
    }
}

static struct sum sum_hosts(const struct room_job *empty, const struct occupancy *occ)
{
    const struct idset *only = empty->req->hosts;
    struct room_job now = *empty;
    struct sum sum = {0};
    bool unlimited = false;
    now.occ = occ;
    for (unsigned h = 0; h < empty->tree->n_hosts; h++) {
        if (only != NULL && !idset_has(only, h))
            continue;
        add_host(&sum, empty, h);
        unlimited = unlimited || empty->tree->hosts[h].slots == 0;
        sum.slots += empty->tree->hosts[h].slots;
        sum.free += occupancy_free_cores(occ, h, 0);
    }
    sum.slots = unlimited ? 0 : sum.slots;
    struct deal d = {0};
    if (deal_make(&now, 0, false, 1, &d))
        sum.room = d.ranks;
    deal_clear(&d);
    return sum;
}

static void add_amount(struct str *out, const struct need *n, uint64_t amount)
{
    char bytes[32];
    if (n->bytes)
        str_printf(out, "%s", str_bytes(amount, bytes));
    else
        str_printf(out, "%llu %s%s", (unsigned long long)amount, n->word, s_if(amount));
}

/* "a rank of 3 cores fits on no host: the largest (n0) lets us use 2" */
static void add_too_large(const struct room_job *j, const struct need *n, struct str *out)
{
    char bytes[32];
    str_add(out, "a rank of ");
    add_amount(out, n, n->each);
    if (n->most == 0) {
        str_printf(out, " fits on no host: there is no %s that we may use", n->word);
        return;
    }
    str_printf(out,
               " fits on no host: the largest (%s) lets us use ",
               j->tree->hosts[n->host].name);
    if (n->bytes)
        str_add(out, str_bytes(n->most, bytes));
    else
        str_printf(out, "%llu", (unsigned long long)n->most);
}

/* "4 ranks of 1 core need 4 cores, this machine lets us use 2" */
static void
add_too_much(const struct need *n, uint64_t ranks, unsigned hosts, struct str *out)
{
    char bytes[32];
    str_printf(out, "%llu rank%s of ", (unsigned long long)ranks, s_if(ranks));
    add_amount(out, n, n->each);
    str_printf(out, " need%s ", ranks == 1 ? "s" : "");
    add_amount(out, n, times(ranks, n->each));
    if (hosts == 1)
        str_add(out, ", this machine lets us use ");
    else
        str_printf(out, ", these %u hosts let us use ", hosts);
    if (n->bytes)
        str_add(out, str_bytes(n->all, bytes));
    else
        str_printf(out, "%llu", (unsigned long long)n->all);
}

static void add_rank(const struct room_job *j, struct str *out)
{
    const struct slot_request *s = &j->slot;
    if (s->threads > 0)
        str_printf(out, "%u thread%s", s->threads, s_if(s->threads));
    else if (s->cores > 0)
        str_printf(out, "%u core%s", s->cores, s_if(s->cores));
    else
        str_add(out, "a NUMA node");
    if (s->gpus > 0)
        str_printf(out, " and %u GPU%s", s->gpus, s_if(s->gpus));
}

enum { N_NEEDS = 4 };

static void list_needs(const struct room_job *j, const struct sum *all, struct need *ret)
{
    const struct slot_request *s = &j->slot;
    const struct restree *t = j->tree;
    bool threads = s->threads > 0;
    struct need needs[N_NEEDS] = {
        {.word = "core", .each = threads ? 0 : s->cores, .all = all->cores},
        {.word = "PU", .each = s->threads, .all = all->pus},
        {.word = "GPU", .each = s->gpus, .all = all->gpus},
        {.word = "memory", .each = j->req->memory, .all = all->memory, .bytes = true},
    };
    unsigned at[N_NEEDS] = {all->in_cores, all->in_pus, all->in_gpus, all->in_memory};
    for (unsigned i = 0; i < N_NEEDS; i++)
        needs[i].host = at[i];
    if (all->hosts > 0) {
        needs[0].most = restree_shape(t, all->in_cores)->n_cores;
        needs[1].most = restree_shape(t, all->in_pus)->n_pus;
        needs[2].most = restree_shape(t, all->in_gpus)->n_gpus;
        needs[3].most = occupancy_free_memory(j->occ, all->in_memory, 0);
    }
    memcpy(ret, needs, sizeof(needs));
}

/* Which number is too large for the empty machine. */
static void add_reason(const struct room_job *j,
                       const struct sum *all,
                       uint64_t ranks,
                       struct str *out)
{
    struct need needs[N_NEEDS];
    list_needs(j, all, needs);
    for (unsigned i = 0; i < N_NEEDS; i++) {
        if (needs[i].each > needs[i].most) {
            add_too_large(j, &needs[i], out);
            return;
        }
    }
    if (j->slot.numa && j->slot.threads == 0 && all->numa_cores > 0 &&
        j->slot.cores > all->numa_cores) {
        str_printf(out,
                   "a rank of %u cores fits in no NUMA node: the largest (of %s) lets us "
                   "use %u",
                   j->slot.cores,
                   j->tree->hosts[all->in_numa].name,
                   all->numa_cores);
        return;
    }
    if (j->req->nodes > all->hosts) {
        str_printf(out,
                   "nodes: %u hosts are wanted, and there %s %u",
                   j->req->nodes,
                   all->hosts == 1 ? "is" : "are",
                   all->hosts);
        return;
    }
    for (unsigned i = 0; i < N_NEEDS; i++) {
        if (needs[i].each > 0 && times(ranks, needs[i].each) > needs[i].all) {
            add_too_much(&needs[i], ranks, all->hosts, out);
            return;
        }
    }
    if (all->slots > 0 && ranks > all->slots) {
        str_printf(out,
                   "%llu rank%s, but the hosts take %llu by their slots",
                   (unsigned long long)ranks,
                   s_if(ranks),
                   (unsigned long long)all->slots);
        return;
    }
    str_printf(out, "%llu rank%s of ", (unsigned long long)ranks, s_if(ranks));
    add_rank(j, out);
    str_add(out, " cannot be cut to fit the hosts");
}

static int never(const struct room_job *empty,
                 const struct sum *all,
                 uint64_t ranks,
                 struct gm_error *err)
{
    AUTO_STR why = {0};
    AUTO_STR cure = {0};
    char bytes[32];
    if (all->hosts == 0)
        return gm_fail(err, -EOVERFLOW, "there is no host that the job may use");
    if (empty->req->memory > 0 && all->memory == 0)
        return gm_fail(
            err,
            -EOVERFLOW,
            "a rank of %s fits on no host: none tells its memory: leave memory out",
            str_bytes(empty->req->memory, bytes));
    add_reason(empty, all, ranks, &why);
    remedy_add(empty->tree, empty->req, &cure);
    if (cure.len == 0)
        return gm_fail(
            err, -EOVERFLOW, "%s, and no change of one or two numbers helps", why.text);
    return gm_fail(err, -EOVERFLOW, "%s: ask for %s", why.text, cure.text);
}

static int not_now(const struct room_job *empty,
                   const struct sum *all,
                   uint64_t ranks,
                   struct gm_error *err)
{
    AUTO_STR rank = {0};
    add_rank(empty, &rank);
    return gm_fail(
        err,
        -ENOSPC,
        "%llu rank%s of %s %s not fit now: %llu of %llu cores are free, room for %llu",
        (unsigned long long)ranks,
        s_if(ranks),
        rank.text,
        ranks == 1 ? "does" : "do",
        (unsigned long long)all->free,
        (unsigned long long)all->cores,
        (unsigned long long)all->room);
}

int refuse(const struct restree *tree,
           const struct occupancy *occ,
           const struct place_request *req,
           struct gm_error *err)
{
    AUTO(occupancy) none_held = occupancy_make(tree);
    struct room_job empty = room_job(tree, none_held, req);
    struct sum all = sum_hosts(&empty, occ);
    uint64_t ranks = room_ranks(req);
    bool fits = deal_fits(&empty, ranks);
    if (ranks > INT32_MAX)
        return gm_fail(err, -EOVERFLOW, "ranks: MPI counts to 2147483647");
    ranks = ranks > 0 ? ranks : 1;
    return fits ? not_now(&empty, &all, ranks, err) : never(&empty, &all, ranks, err);
}
