/* Who says what while a machine is gathered from its ranks. One rank speaks for each
 * host, one host sends the XML of each distinct digest. Pure, linear in the ranks: each
 * function looks at every text once. */
#ifndef RUNNER_ROLES_H
#define RUNNER_ROLES_H

#include "base/auto.h"

struct roles {
    unsigned n_ranks, n_hosts;
    unsigned *host_of; /* [rank]; hosts count from 0 in the order of their first ranks */
    unsigned *speaker; /* [host] its first rank */
};

/* host[r]: the name of rank r's host. */
struct roles *roles_make(const char *const *host, unsigned n_ranks);
void roles_free(struct roles *r); /* takes NULL */
/* digest[h], by host. *ret (yours to free): by host, the host that sends the XML of this
 * digest, the first that has it. Returns how many send. */
unsigned roles_senders(const struct roles *r, const char *const *digest, unsigned **ret);

AUTO_TYPE(roles, roles_free)

#endif
