/* See remedy.h. A change moves one number of the request as little as makes it fit: down,
 * or up where more hosts help. Whether a request fits is monotone in each number, so the
 * least change is found by bisection; each that is named was tried on the empty machine.
 *
 * How small a change is: by which part of it the number moves. A pair counts the sum. */
#include "remedy.h"
#include "base/str.h"
#include "deal.h"
#include <inttypes.h>

enum field {
    RANKS,
    NODES,
    PER_NODE,
    CORES,
    THREADS,
    GPUS,
    MEMORY,
    MAPPING,
    SHARE,
    N_FIELDS
};

enum { MIB = 1 << 20, MOST_NAMED = 3 };

struct change {
    enum field field;
    uint64_t value;
    double size;
};

struct remedy {
    const struct restree *tree;
    const struct occupancy *none_held;
    const struct place_request *req;
};

static uint64_t value_of(const struct place_request *r, enum field f)
{
    const uint64_t values[N_FIELDS] = {
        [RANKS] = r->ranks,
        [NODES] = r->nodes,
        [PER_NODE] = r->ranks_per_node,
        [CORES] = r->cores,
        [THREADS] = r->threads,
        [GPUS] = r->gpus,
        [MEMORY] = r->memory / MIB,
    };
    return values[f];
}

static void apply(struct place_request *r, enum field f, uint64_t value)
{
    unsigned *const numbers[N_FIELDS] = {
        [RANKS] = &r->ranks,
        [NODES] = &r->nodes,
        [PER_NODE] = &r->ranks_per_node,
        [CORES] = &r->cores,
        [THREADS] = &r->threads,
        [GPUS] = &r->gpus,
    };
    if (f == MEMORY)
        r->memory = value * MIB;
    else if (f == MAPPING)
        r->mapping = "auto";
    else if (f == SHARE)
        r->oversubscribe = true;
    else
        *numbers[f] = (unsigned)value;
}

static bool fits(const struct remedy *m, const struct place_request *r)
{
    uint64_t product = (uint64_t)r->nodes * r->ranks_per_node;
    if (r->ranks > 0 && (r->nodes > r->ranks || (product > 0 && product != r->ranks)))
        return false;
    if (product > 0 && product < r->least_ranks)
        return false;
    struct room_job j = room_job(m->tree, m->none_held, r);
    return deal_fits(&j, room_ranks(r));
}

static bool fits_with(const struct remedy *m,
                      const struct place_request *base,
                      enum field f,
                      uint64_t value)
{
    struct place_request r = *base;
    apply(&r, f, value);
    return fits(m, &r);
}

/* The least value of a number that still asks for something. */
static uint64_t least_of(const struct place_request *r, enum field f)
{
    if (f == GPUS)
        return strcmp(r->mapping, "gpu-near") == 0 ? 1 : 0;
    if (f == RANKS && r->least_ranks > r->nodes)
        return r->least_ranks;
    return f == RANKS && r->nodes > 0 ? r->nodes : 1;
}

static struct change change_to(uint64_t old, enum field f, uint64_t value)
{
    uint64_t most = old > value ? old : value, least = old > value ? value : old;
    double size = most > 0 ? (double)(most - least) / (double)most : 1;
    return (struct change){f, value, size};
}

/* The largest value below its own with which it fits. */
static bool lower(const struct remedy *m,
                  const struct place_request *base,
                  enum field f,
                  struct change *ret)
{
    uint64_t old = value_of(base, f), low = least_of(base, f), high = old;
    if (old <= low || !fits_with(m, base, f, low))
        return false;
    while (high - low > 1) { /* low fits, high does not */
        uint64_t middle = low + (high - low) / 2;
        if (fits_with(m, base, f, middle))
            low = middle;
        else
            high = middle;
    }
    *ret = change_to(old, f, low);
    return true;
}

/* The least value above its own with which it fits: for hosts, and ranks on each. */
static bool raise(const struct remedy *m, enum field f, struct change *ret)
{
    uint64_t old = value_of(m->req, f), low = old;
    uint64_t high = m->req->ranks > 0 ? m->req->ranks : UINT32_MAX;
    if (f == NODES && high > m->tree->n_hosts)
        high = m->tree->n_hosts;
    if (old == 0 || high <= old || !fits_with(m, m->req, f, high))
        return false;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (fits_with(m, m->req, f, middle))
            high = middle;
        else
            low = middle;
    }
    *ret = change_to(old, f, high);
    return true;
}

static void insert(struct change *all, unsigned *n, struct change c)
{
    unsigned i = (*n)++;
    for (; i > 0 && all[i - 1].size > c.size; i--)
        all[i] = all[i - 1];
    all[i] = c;
}

/* Each alone; the smallest first, sharing cores last. At most 2 a field. */
static unsigned single_changes(const struct remedy *m, struct change *ret)
{
    unsigned n = 0;
    struct change c;
    for (enum field f = RANKS; f <= MEMORY; f++) {
        if (lower(m, m->req, f, &c))
            insert(ret, &n, c);
        if ((f == NODES || f == PER_NODE) && raise(m, f, &c))
            insert(ret, &n, c);
    }
    if (strcmp(m->req->mapping, "auto") != 0 && fits_with(m, m->req, MAPPING, 0))
        insert(ret, &n, (struct change){.field = MAPPING, .size = 1});
    if (!m->req->oversubscribe && fits_with(m, m->req, SHARE, 0))
        insert(ret, &n, (struct change){.field = SHARE, .size = 2});
    return n;
}

/* As much of `first` as there is with the least of `second`, then as much of that. */
static bool lower_both(const struct remedy *m,
                       enum field first,
                       enum field second,
                       struct change *ret)
{
    struct place_request base = *m->req;
    if (value_of(m->req, second) <= least_of(m->req, second))
        return false;
    apply(&base, second, least_of(m->req, second));
    if (!lower(m, &base, first, &ret[0]))
        return false;
    base = *m->req;
    apply(&base, first, ret[0].value);
    return lower(m, &base, second, &ret[1]);
}

/* Another mapping, and one number. */
static bool remap(const struct remedy *m, enum field f, struct change *ret)
{
    struct place_request base = *m->req;
    if (strcmp(base.mapping, "auto") == 0)
        return false;
    apply(&base, MAPPING, 0);
    ret[0] = (struct change){.field = MAPPING, .size = 1};
    return lower(m, &base, f, &ret[1]);
}

static bool smallest_pair(const struct remedy *m, struct change *ret)
{
    double best = 3;
    for (enum field f = RANKS; f <= MEMORY; f++) {
        struct change pair[2];
        if (!remap(m, f, pair) || pair[0].size + pair[1].size >= best)
            continue;
        best = pair[0].size + pair[1].size;
        memcpy(ret, pair, sizeof(pair));
    }
    for (enum field a = RANKS; a <= MEMORY; a++) {
        for (enum field b = RANKS; b <= MEMORY; b++) {
            struct change pair[2];
            if (a == b || !lower_both(m, a, b, pair) ||
                pair[0].size + pair[1].size >= best)
                continue;
            best = pair[0].size + pair[1].size;
            memcpy(ret, pair, sizeof(pair));
        }
    }
    return best < 3;
}

/* How many hosts like the only one would hold all ranks; 0: more do not help. */
static uint64_t such_hosts(const struct remedy *m)
{
    struct place_request base = *m->req;
    struct change c;
    base.least_ranks = 0;
    if (m->tree->n_hosts != 1 || base.nodes > 0 || !lower(m, &base, RANKS, &c))
        return 0;
    return (base.ranks + c.value - 1) / c.value;
}

static void add_change(const struct change *c, struct str *out)
{
    static const char *const options[N_FIELDS] = {
        [RANKS] = "--ranks ",
        [NODES] = "--nodes ",
        [PER_NODE] = "--ranks-per-node ",
        [CORES] = "--cores ",
        [THREADS] = "--threads ",
        [GPUS] = "--gpus ",
        [MEMORY] = "--memory ",
        [MAPPING] = "--mapping auto",
        [SHARE] = "--oversubscribe",
    };
    str_add(out, options[c->field]);
    if (c->field < MAPPING)
        str_printf(out, "%llu", (unsigned long long)c->value);
    if (c->field == MEMORY)
        str_add(out, "MiB");
}

void remedy_add(const struct restree *tree,
                const struct place_request *req,
                struct str *out)
{
    AUTO(occupancy) none_held = occupancy_make(tree);
    struct remedy m = {tree, none_held, req};
    struct change changes[2 * N_FIELDS];
    unsigned n = single_changes(&m, changes);
    for (unsigned i = 0; i < n && i < MOST_NAMED; i++) {
        str_add(out, i > 0 ? ", or " : "");
        add_change(&changes[i], out);
    }
    uint64_t hosts = such_hosts(&m);
    if (hosts > 0)
        str_printf(out, "%s%" PRIu64 " such hosts", n > 0 ? ", or " : "", hosts);
    n += hosts > 0;
    if (n > 0 || !smallest_pair(&m, changes))
        return;
    add_change(&changes[0], out);
    str_add(out, " with ");
    add_change(&changes[1], out);
}
