/* See match.h. Counts first: each attempt (fit.c) places the whole request with given
 * ones; moldable counts grow from their least, one after the other, by bisection.
 *
 * Invariant: an attempt ends after as many steps as the machine has cores and domains,
 * whatever the request's numbers are, since every slot takes a PU. */
#include "match.h"
#include "allowed.h"
#include "base/memory.h"
#include "base/str.h"
#include "fit.h"
#include <inttypes.h>

struct counting {
    struct fit_request req;
    int64_t *counts;
    bool siblings; /* some vertices compete: worth a second, tight try */
};

/* NULL: does not fit; *ret_failed (when asked for) is the attempt that knows why, yours
 * to free. */
static struct fit *attempt(struct counting *c, struct fit **ret_failed)
{
    c->req.tight = false;
    AUTO(fit) f = fit_make(&c->req);
    if (f->failed < 0)
        return steal(&f);
    if (c->siblings) {
        c->req.tight = true;
        AUTO(fit) again = fit_make(&c->req);
        if (again->failed < 0)
            return steal(&again);
    }
    if (ret_failed != NULL)
        *ret_failed = steal(&f);
    return NULL;
}

static bool any_siblings(const struct want *w, unsigned n)
{
    for (unsigned i = 1; i < n; i++) {
        bool first_below = w[i].parent == i - 1;
        if (!first_below && (w[i].role == WANT_DOMAIN || w[i].role == WANT_SLOT))
            return true;
    }
    return false;
}

/* No machine holds more copies than this. */
static int64_t most_copies(const struct restree *tree, const struct want *w)
{
    uint64_t n = 0, bytes = 0;
    for (unsigned h = 0; h < tree->n_hosts; h++) {
        const struct topo_shape *s = restree_shape(tree, h);
        n += w->role == WANT_GPUS     ? s->n_gpus
             : w->role == WANT_CORES  ? s->n_cores
             : w->role == WANT_DOMAIN ? s->n_nodes
                                      : s->n_pus;
        bytes += restree_bytes(s, 0);
    }
    if (w->role == WANT_ALL)
        n = 1;
    if (w->role == WANT_MEMORY)
        n = bytes / w->bytes;
    return n < (uint64_t)RANGE_MAX ? (int64_t)n : RANGE_MAX;
}

/* The largest count of one vertex that fits beside the others as they are now; the least
 * of them does. */
static void grow(struct counting *c, unsigned i)
{
    const struct want *w = &c->req.wants[i];
    const struct count *count = &w->r->count;
    int64_t best = c->counts[i], low = best;
    int64_t high = count_floor(count, most_copies(c->req.tree, w));
    while (low < high) {
        int64_t middle = low + (high - low + 1) / 2, next = count_floor(count, middle);
        if (next <= best) { /* none up to here */
            low = middle;
            continue;
        }
        c->counts[i] = next;
        AUTO(fit) f = attempt(c, NULL);
        if (f != NULL) {
            best = next;
            low = middle;
        } else {
            high = next - 1;
        }
    }
    c->counts[i] = best;
}

/* ---- sentences ---- */

/* "4 slots 'x' are wanted", "1 node is wanted", "memory of 8 GB is wanted". */
static void add_wanted(const struct want *w, int64_t n, struct str *out)
{
    if (w->role == WANT_MEMORY)
        str_printf(out,
                   "memory of %" PRId64 "%s%s is wanted",
                   n,
                   w->r->unit != NULL ? " " : "",
                   w->r->unit != NULL ? w->r->unit : " B");
    else if (w->role == WANT_SLOT)
        str_printf(out,
                   "%" PRId64 " slot%s '%s' %s wanted",
                   n,
                   n == 1 ? "" : "s",
                   w->r->label != NULL ? w->r->label : "",
                   n == 1 ? "is" : "are");
    else
        str_printf(out,
                   "%" PRId64 " %s%s %s wanted",
                   n,
                   w->r->type,
                   n == 1 ? "" : "s",
                   n == 1 ? "is" : "are");
}

/* The vertex below i that kept it from fitting, or 0. */
static unsigned culprit(const struct fit_request *req, const struct fit *f, unsigned i)
{
    for (unsigned k = i + 1; k < req->wants[i].end; k = req->wants[k].end) {
        if (f->found[k] >= 0)
            return k;
    }
    return 0;
}

/* "2 nodes are wanted, there is room for 1, because 4 slots 'x' are wanted in each, ..."
 */
static void
add_reason(const struct fit_request *req, const struct fit *f, struct str *out)
{
    for (unsigned i = (unsigned)f->failed;;) {
        add_wanted(&req->wants[i], req->counts[i], out);
        unsigned below = culprit(req, f, i);
        str_printf(out,
                   "%s, there is room for %" PRId64,
                   req->wants[i].parent == i ? "" : " in each",
                   f->found[i]);
        bool used_up = req->wants[i].role == WANT_SLOT && f->found[i] > 0;
        if (below == 0 || used_up)
            return;
        str_add(out, ", since ");
        i = below;
    }
}

/* Why the least counts do not fit: not now, or never, which an empty machine tells. */
static int refuse(struct counting *c,
                  const struct constraint *allowed,
                  const struct fit *now,
                  struct gm_error *err)
{
    AUTO(occupancy) all_free = occupancy_make(c->req.tree);
    AUTO(fit) failed = NULL;
    AUTO_STR text = {0};
    c->req.occ = all_free;
    AUTO(fit) could = attempt(c, &failed);
    bool never = could == NULL;
    add_reason(&c->req, never ? failed : now, &text);
    if (allowed != NULL)
        str_add(&text, " on the hosts that `constraints` allows");
    int rc = gm_fail(err,
                     never ? -EOVERFLOW : -ENOSPC,
                     "%s: %s",
                     never ? "does not fit this machine" : "does not fit now",
                     text.text);
    return want_place(c->req.wants[(never ? failed : now)->failed].r, rc, err);
}

/* ---- the result ---- */

static struct match_part take_part(struct fit_part *from)
{
    struct match_part p = {from->host, from->pus, from->gpus};
    *from = (struct fit_part){0};
    return p;
}

static int by_host(const void *a, const void *b)
{
    const struct match_part *x = a, *y = b;
    return x->host < y->host ? -1 : x->host > y->host;
}

static unsigned take_parts(struct fit_part *from, unsigned n, struct match_part **ret)
{
    struct match_part *to = xcalloc(n, sizeof(*to));
    unsigned kept = 0;
    for (unsigned i = 0; i < n; i++) {
        if (idset_count(from[i].pus) > 0 || idset_count(from[i].gpus) > 0)
            to[kept++] = take_part(&from[i]);
    }
    if (kept > 0)
        qsort(to, kept, sizeof(*to), by_host);
    *ret = to;
    return kept;
}

static struct match *take_slots(const struct fit_request *req, struct fit *f)
{
    struct match *m = xcalloc(1, sizeof(*m));
    m->slots = xcalloc(f->n_slots, sizeof(*m->slots));
    for (unsigned w = 0; w < req->n_wants; w++) {
        unsigned index = 0;
        for (unsigned i = 0; req->wants[w].role == WANT_SLOT && i < f->n_slots; i++) {
            if (f->slots[i].want != w)
                continue;
            struct match_slot *to = &m->slots[m->n_slots++];
            to->vertex = req->wants[w].r;
            to->index = index++;
            to->n_parts = take_parts(f->slots[i].parts, f->slots[i].n_parts, &to->parts);
        }
    }
    m->n_held = take_parts(f->held, f->n_held, &m->held);
    return m;
}

int match_make(const struct restree *tree,
               const struct occupancy *occ,
               const struct resource *resources,
               unsigned n,
               const struct constraint *allowed,
               struct match **ret,
               struct gm_error *err)
{
    AUTO_FREE(struct want) wants = NULL;
    unsigned n_wants;
    int rc = want_list(resources, n, &wants, &n_wants, err);
    if (rc != 0)
        return rc;
    AUTO(idset) usable = allowed_hosts(tree, allowed);
    AUTO_FREE(int64_t) counts = xcalloc(n_wants, sizeof(*counts));
    for (unsigned i = 0; i < n_wants; i++)
        counts[i] = count_min(&wants[i].r->count);
    struct counting c = {.req = {.tree = tree,
                                 .occ = occ,
                                 .usable = usable,
                                 .wants = wants,
                                 .n_wants = n_wants,
                                 .counts = counts},
                         .counts = counts,
                         .siblings = any_siblings(wants, n_wants)};
    AUTO(fit) failed = NULL;
    AUTO(fit) f = attempt(&c, &failed);
    if (f == NULL)
        return refuse(&c, allowed, failed, err);
    bool grown = false;
    for (unsigned i = 0; i < n_wants; i++) {
        if (count_is_fixed(&wants[i].r->count))
            continue;
        grow(&c, i);
        grown = true;
    }
    if (grown) {
        fit_free(steal(&f));
        f = attempt(&c, NULL);
    }
    *ret = take_slots(&c.req, f);
    return 0;
}

void match_free(struct match *m)
{
    if (m == NULL)
        return;
    for (unsigned i = 0; i < m->n_slots; i++)
        match_parts_free(m->slots[i].parts, m->slots[i].n_parts);
    match_parts_free(m->held, m->n_held);
    free(m->slots);
    free(m);
}
