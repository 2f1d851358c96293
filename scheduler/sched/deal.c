/* See deal.h. Each way of dealing first gathers the hosts that it may use, each with its
 * room, and ends as soon as it has enough of them; then it deals. All is near-linear in
 * the hosts looked at: no way looks at all hosts for each rank or host.
 *
 * Invariants: the pool is in the order of hosts; dealt <= room, and the sum of what is
 * dealt is what was asked for. */
#include "deal.h"
#include "base/memory.h"
#include <assert.h>

struct entry {
    unsigned host, room, dealt;
    unsigned turn; /* ranks that it gets at a time */
    uint64_t key;  /* the least are kept */
};

struct pool {
    struct entry *items;
    unsigned n, size;
    uint64_t room; /* of all */
};

static void add(struct pool *p, unsigned host, unsigned room)
{
    if (p->n == p->size) {
        p->size = p->size > 0 ? 2 * p->size : 16;
        p->items = xrealloc(p->items, p->size, sizeof(*p->items));
    }
    p->items[p->n++] = (struct entry){.host = host, .room = room, .turn = 1};
    p->room += room;
}

/* Hosts with room for n or more, until there are `hosts` of them or room for `ranks`. */
static struct pool
gather(const struct room_job *j, unsigned n, uint64_t hosts, uint64_t ranks)
{
    struct pool p = {0};
    for (unsigned h = room_find(j, 0, n);
         h < j->tree->n_hosts && p.n < hosts && p.room < ranks;
         h = room_find(j, h + 1, n)) {
        unsigned room = room_on(j, h);
        if (room >= n)
            add(&p, h, room);
    }
    return p;
}

static bool refuse(struct pool *p)
{
    free(p->items);
    return false;
}

static bool give(struct pool *p, uint64_t ranks, struct deal *ret)
{
    struct deal d = {.shares = xcalloc(p->n, sizeof(*d.shares)), .ranks = ranks};
    uint64_t sum = 0;
    for (unsigned i = 0; i < p->n; i++) {
        assert(p->items[i].dealt <= p->items[i].room);
        sum += p->items[i].dealt;
        if (p->items[i].dealt > 0)
            d.shares[d.n++] = (struct deal_share){p->items[i].host, p->items[i].dealt};
    }
    assert(sum == ranks);
    free(p->items);
    *ret = d;
    return true;
}

/* ---- the hosts with the least keys ---- */

static void swap(struct entry *a, struct entry *b)
{
    struct entry old = *a;
    *a = *b;
    *b = old;
}

static uint64_t middle_of(uint64_t a, uint64_t b, uint64_t c)
{
    if (a > b)
        return b > c ? b : c < a ? c : a;
    return a > c ? a : c < b ? c : b;
}

/* The n-th least key (from 0): parts by a pivot, equal ones together. */
static uint64_t nth_key(const struct pool *p, unsigned n)
{
    AUTO_FREE(struct entry) a = xcalloc(p->n, sizeof(*a));
    memcpy(a, p->items, p->n * sizeof(*a));
    unsigned low = 0, high = p->n;
    for (;;) {
        uint64_t pivot =
            middle_of(a[low].key, a[low + (high - low) / 2].key, a[high - 1].key);
        unsigned less = low, i = low, more = high;
        while (i < more) {
            if (a[i].key < pivot)
                swap(&a[i++], &a[less++]);
            else if (a[i].key > pivot)
                swap(&a[i], &a[--more]);
            else
                i++;
        }
        if (n >= less && n < more)
            return pivot;
        if (n < less)
            high = less;
        else
            low = more;
    }
}

/* Keeps the n with the least keys; of equal ones the first. */
static void keep(struct pool *p, unsigned n)
{
    if (n >= p->n)
        return;
    uint64_t key = nth_key(p, n - 1);
    unsigned less = 0, kept = 0;
    for (unsigned i = 0; i < p->n; i++)
        less += p->items[i].key < key;
    unsigned equal = n - less;
    p->room = 0;
    for (unsigned i = 0; i < p->n; i++) {
        bool is_equal = p->items[i].key == key;
        if (p->items[i].key > key || (is_equal && equal == 0))
            continue;
        equal -= is_equal;
        p->room += p->items[i].room;
        p->items[kept++] = p->items[i];
    }
    p->n = kept;
}

/* What a host has free: GPUs, then cores. */
static uint64_t fill_of(const struct room_job *j, unsigned host)
{
    return (uint64_t)occupancy_free_gpus(j->occ, host, 0) << 32 |
           occupancy_free_cores(j->occ, host, 0);
}

/* `nodes` hosts: of those that have room for an even part the ones with the least to
 * spare, else the roomiest. */
static struct pool choose_nodes(const struct room_job *j, uint64_t ranks)
{
    unsigned nodes = j->req->nodes;
    uint64_t part = ranks / nodes + (ranks % nodes > 0);
    struct pool p = {0};
    if (part > 0 && part <= UINT32_MAX)
        p = gather(j, (unsigned)part, UINT64_MAX, UINT64_MAX);
    if (p.n >= nodes) {
        for (unsigned i = 0; i < p.n; i++) {
            uint64_t fill = fill_of(j, p.items[i].host);
            p.items[i].key = j->share ? UINT64_MAX - fill : fill;
        }
    } else {
        free(p.items);
        p = gather(j, 1, UINT64_MAX, UINT64_MAX);
        for (unsigned i = 0; i < p.n; i++)
            p.items[i].key = UINT32_MAX - p.items[i].room;
    }
    keep(&p, nodes);
    return p;
}

/* ---- dealing ---- */

/* What `level` turns give. */
static uint64_t level_sum(const struct pool *p, uint64_t level)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < p->n; i++) {
        uint64_t full = level * p->items[i].turn;
        sum += full < p->items[i].room ? full : p->items[i].room;
    }
    return sum;
}

/* In turns over the hosts, until all are dealt: as many whole turns as there are, the
 * rest in order. */
static void deal_evenly(struct pool *p, uint64_t ranks)
{
    uint64_t low = 0, high = ranks + 1; /* low turns are few enough, high too many */
    assert(ranks <= p->room);
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (level_sum(p, middle) <= ranks)
            low = middle;
        else
            high = middle;
    }
    uint64_t rest = ranks - level_sum(p, low);
    for (unsigned i = 0; i < p->n; i++) {
        struct entry *e = &p->items[i];
        uint64_t full = low * e->turn;
        e->dealt = full < e->room ? (unsigned)full : e->room;
        unsigned more = e->room - e->dealt < e->turn ? e->room - e->dealt : e->turn;
        more = rest < more ? (unsigned)rest : more;
        e->dealt += more;
        rest -= more;
    }
}

static void fill_all(struct pool *p)
{
    for (unsigned i = 0; i < p->n; i++)
        p->items[i].dealt = p->items[i].room;
}

static void set_turns(const struct room_job *j, struct pool *p, unsigned turn)
{
    const struct topo_shape *last = NULL;
    unsigned numas = 1;
    for (unsigned i = 0; i < p->n; i++) {
        const struct topo_shape *s = restree_shape(j->tree, p->items[i].host);
        if (j->slot.numa && s != last)
            numas = room_numas(last = s);
        p->items[i].turn = j->slot.numa ? numas : turn;
    }
}

/* The last few ranks of a job: to the host with the least to spare that is not in the
 * pool. */
static bool add_tightest(const struct room_job *j, unsigned ranks, struct pool *p)
{
    AUTO_FREE(unsigned) taken = xcalloc(p->n, sizeof(*taken));
    for (unsigned i = 0; i < p->n; i++)
        taken[i] = p->items[i].host;
    unsigned host = room_tightest(j, ranks, taken, p->n);
    if (host == j->tree->n_hosts)
        return false;
    add(p, host, ranks);
    for (unsigned i = p->n - 1; i > 0 && p->items[i].host < p->items[i - 1].host; i--)
        swap(&p->items[i], &p->items[i - 1]);
    return true;
}

/* Where there are enough hosts that nothing on this machine is roomier than: those, and
 * for the rest one with little to spare. */
static bool deal_to_whole(const struct room_job *j, uint64_t ranks, struct deal *ret)
{
    unsigned most = room_most(j);
    struct pool p = {0};
    if (most > 0 && ranks >= most)
        p = gather(j, most, ranks / most, UINT64_MAX);
    if (most == 0 || p.n < ranks / most)
        return refuse(&p);
    if (ranks % most > 0 && !add_tightest(j, (unsigned)(ranks % most), &p))
        return refuse(&p);
    fill_all(&p);
    return give(&p, ranks, ret);
}

/* How many hosts of each room are filled, the roomiest first, and where the rest goes: to
 * one of room `tail`, the least that holds it. */
struct filling {
    unsigned *hosts, *filled; /* [most + 1] */
    unsigned most, tail, rest;
};

static struct filling plan_filling(const struct pool *p, uint64_t ranks)
{
    struct filling f = {0};
    for (unsigned i = 0; i < p->n; i++)
        f.most = p->items[i].room > f.most ? p->items[i].room : f.most;
    f.hosts = xcalloc((size_t)f.most + 1, sizeof(*f.hosts));
    f.filled = xcalloc((size_t)f.most + 1, sizeof(*f.filled));
    for (unsigned i = 0; i < p->n; i++)
        f.hosts[p->items[i].room]++;
    for (unsigned room = f.most; room > 0 && ranks > 0; room--) {
        uint64_t n = ranks / room;
        f.filled[room] = n < f.hosts[room] ? (unsigned)n : f.hosts[room];
        ranks -= (uint64_t)f.filled[room] * room;
        if (f.filled[room] < f.hosts[room])
            break;
    }
    f.rest = (unsigned)ranks;
    for (f.tail = f.rest; f.rest > 0 && f.filled[f.tail] == f.hosts[f.tail];)
        f.tail++;
    return f;
}

/* The roomiest first, so on as few hosts as can be. */
static bool deal_to_roomiest(const struct room_job *j, uint64_t ranks, struct deal *ret)
{
    struct pool p = gather(j, 1, UINT64_MAX, UINT64_MAX);
    if (p.room < ranks)
        return refuse(&p);
    struct filling f = plan_filling(&p, ranks);
    for (unsigned i = 0; i < p.n; i++) {
        struct entry *e = &p.items[i];
        if (f.filled[e->room] > 0) {
            f.filled[e->room]--;
            e->dealt = e->room;
        } else if (e->room == f.tail) {
            e->dealt = f.rest;
            f.rest = f.tail = 0;
        }
    }
    free(f.hosts);
    free(f.filled);
    return give(&p, ranks, ret);
}

static bool deal_to_one(const struct room_job *j, uint64_t ranks, struct deal *ret)
{
    if (ranks > room_most(j))
        return false;
    unsigned host = room_tightest(j, (unsigned)ranks, NULL, 0);
    if (host == j->tree->n_hosts)
        return false;
    struct pool p = {0};
    add(&p, host, (unsigned)ranks);
    fill_all(&p);
    return give(&p, ranks, ret);
}

/* One at a time, so that none of the hosts is left without. */
static bool deal_to_nodes(const struct room_job *j, uint64_t ranks, struct deal *ret)
{
    struct pool p = choose_nodes(j, ranks);
    if (p.n < j->req->nodes || p.room < ranks)
        return refuse(&p);
    if (ranks > 0)
        deal_evenly(&p, ranks);
    else
        fill_all(&p);
    return give(&p, ranks > 0 ? ranks : p.room, ret);
}

/* A host for each turn where there are so many with room for one, else all. */
static struct pool gather_turns(const struct room_job *j, uint64_t ranks, unsigned turn)
{
    uint64_t turns = ranks / turn + (ranks % turn > 0);
    struct pool p = {0};
    if (ranks > 0)
        p = gather(j, turn, turns, UINT64_MAX);
    if (ranks > 0 && p.n == turns)
        return p;
    free(p.items);
    return gather(j, 1, UINT64_MAX, UINT64_MAX);
}

bool deal_make(
    const struct room_job *j, uint64_t ranks, bool apart, unsigned turn, struct deal *ret)
{
    if (j->req->nodes > 0)
        return deal_to_nodes(j, ranks, ret);
    if (ranks > 0 && !apart)
        return deal_to_one(j, ranks, ret) || deal_to_whole(j, ranks, ret) ||
               deal_to_roomiest(j, ranks, ret);
    struct pool p = gather_turns(j, ranks, turn);
    if (p.n == 0 || p.room < ranks)
        return refuse(&p);
    set_turns(j, &p, turn);
    if (ranks > 0)
        deal_evenly(&p, ranks);
    else
        fill_all(&p);
    return give(&p, ranks > 0 ? ranks : p.room, ret);
}

/* ---- sharing ---- */

/* Would host a's next rank have more cores to itself than host b's? */
static bool roomier(const struct entry *a, const struct entry *b)
{
    if ((a->dealt == a->room) != (b->dealt == b->room))
        return b->dealt == b->room;
    uint64_t x = a->key * (b->dealt + 1), y = b->key * (a->dealt + 1);
    return x != y ? x > y : a->host < b->host;
}

/* A heap with the roomiest on top: item i went down in rank. */
static void sift(struct pool *p, unsigned i)
{
    for (;;) {
        unsigned best = i;
        for (unsigned k = 2 * i + 1; k <= 2 * i + 2 && k < p->n; k++) {
            if (roomier(&p->items[k], &p->items[best]))
                best = k;
        }
        if (best == i)
            return;
        swap(&p->items[i], &p->items[best]);
        i = best;
    }
}

static int by_host(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return x->host < y->host ? -1 : x->host > y->host;
}

bool deal_shared(const struct room_job *j, uint64_t ranks, struct deal *ret)
{
    if (ranks == 0)
        ranks = j->req->nodes > 0 ? j->req->nodes : 1;
    struct pool p =
        j->req->nodes > 0 ? choose_nodes(j, ranks) : gather(j, 1, UINT64_MAX, UINT64_MAX);
    if (p.n < j->req->nodes || p.room < ranks)
        return refuse(&p);
    for (unsigned i = 0; i < p.n; i++) {
        p.items[i].key = occupancy_free_cores(j->occ, p.items[i].host, 0);
        p.items[i].dealt = j->req->nodes > 0; /* none of these is left without */
    }
    for (unsigned i = p.n; i-- > 0;)
        sift(&p, i);
    for (uint64_t r = j->req->nodes; r < ranks; r++) {
        p.items[0].dealt++;
        sift(&p, 0);
    }
    if (p.n > 0)
        qsort(p.items, p.n, sizeof(*p.items), by_host);
    return give(&p, ranks, ret);
}

bool deal_fits(const struct room_job *j, uint64_t ranks)
{
    struct room_job shared = *j;
    struct deal d = {0};
    shared.share = true;
    bool fits = deal_make(j, ranks, false, 1, &d) ||
                (room_may_share(j) && deal_shared(&shared, ranks, &d));
    deal_clear(&d);
    return fits;
}

void deal_clear(struct deal *d)
{
    free(d->shares);
    *d = (struct deal){0};
}
