/* runner/roles.h: few speak, however many there are. */
#include "base/memory.h"
#include "runner/roles.h"

#include <criterion/criterion.h>
#include <stdio.h>

Test(roles, the_first_rank_of_a_host_speaks_for_it)
{
    static const char *const hosts[] = {"b", "a", "b", "c", "a", "b"};
    static const unsigned of[] = {0, 1, 0, 2, 1, 0};
    AUTO(roles) r = roles_make(hosts, 6);
    cr_assert_eq(r->n_hosts, 3);
    for (unsigned i = 0; i < 6; i++)
        cr_expect_eq(r->host_of[i], of[i], "rank %u", i);
    cr_expect_eq(r->speaker[0], 0);
    cr_expect_eq(r->speaker[1], 1);
    cr_expect_eq(r->speaker[2], 3);
    static const char *const digests[] = {"x", "y", "x"};
    AUTO_FREE(unsigned) sender = NULL;
    cr_expect_eq(roles_senders(r, digests, &sender), 2);
    cr_expect_eq(sender[0], 0);
    cr_expect_eq(sender[1], 1);
    cr_expect_eq(sender[2], 0);
}

Test(roles, ten_thousand_hosts_of_three_kinds_send_three_topologies, .timeout = 20)
{
    enum { HOSTS = 10000, RANKS = 16 * HOSTS };
    char(*names)[16] = xcalloc(HOSTS, sizeof(*names));
    const char **hosts = xcalloc(RANKS, sizeof(*hosts));
    const char **digests = xcalloc(HOSTS, sizeof(*digests));
    static const char *const kinds[] = {"old", "new", "gpu"};
    for (unsigned h = 0; h < HOSTS; h++) {
        (void)snprintf(names[h], sizeof(names[h]), "n%05u", h);
        digests[h] = kinds[h % 3];
    }
    for (unsigned i = 0; i < RANKS; i++)
        hosts[i] = names[i % HOSTS];
    AUTO(roles) r = roles_make(hosts, RANKS);
    AUTO_FREE(unsigned) sender = NULL;
    cr_assert_eq(r->n_hosts, HOSTS);
    cr_expect_eq(roles_senders(r, digests, &sender), 3);
    cr_expect_eq(sender[HOSTS - 1], (HOSTS - 1) % 3);
    cr_expect_eq(r->speaker[HOSTS - 1], HOSTS - 1);
    cr_expect_eq(r->host_of[RANKS - 1], HOSTS - 1);
    free(names);
    free(hosts);
    free(digests);
}
