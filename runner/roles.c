/* See roles.h. Invariant: rank 0 is the speaker of host 0, and host 0 sends what is its
 * own. */
#include "roles.h"
#include "base/memory.h"
#include "base/strmap.h"

struct roles *roles_make(const char *const *host, unsigned n_ranks)
{
    struct roles *r = xcalloc(1, sizeof(*r));
    AUTO(strmap) index = strmap_make();
    r->n_ranks = n_ranks;
    r->host_of = xcalloc(n_ranks, sizeof(*r->host_of));
    r->speaker = xcalloc(n_ranks, sizeof(*r->speaker));
    for (unsigned i = 0; i < n_ranks; i++) {
        size_t at = r->n_hosts;
        if (strmap_add(index, host[i], &at))
            r->speaker[r->n_hosts++] = i;
        r->host_of[i] = (unsigned)at;
    }
    return r;
}

void roles_free(struct roles *r)
{
    if (r == NULL)
        return;
    free(r->host_of);
    free(r->speaker);
    free(r);
}

unsigned roles_senders(const struct roles *r, const char *const *digest, unsigned **ret)
{
    AUTO(strmap) index = strmap_make();
    unsigned *sender = xcalloc(r->n_hosts, sizeof(*sender)), n = 0;
    for (unsigned h = 0; h < r->n_hosts; h++) {
        size_t at = h;
        n += strmap_add(index, digest[h], &at);
        sender[h] = (unsigned)at;
    }
    *ret = sender;
    return n;
}
