/* topo/fleet.h: many hosts, few kinds. */
#include "base/clock.h"
#include "topo/fleet.h"

#include <criterion/criterion.h>
#include <string.h>

static struct restree *machine(const char *text)
{
    struct restree *t = NULL;
    cr_assert_eq(restree_load_synthetic(text, &t, NULL), 0);
    return t;
}

Test(fleet, ten_thousand_hosts_of_two_kinds_read_an_XML_for_each_kind_and_set_of_cpus)
{
    AUTO(restree) small = machine("pack:1 core:4 pu:2");
    AUTO(restree) large = machine("pack:2 numa:1 core:64 pu:1");
    const struct restree *kinds[] = {small, large};
    AUTO(fleet) f = fleet_make(0);
    double start = clock_monotonic();
    for (unsigned i = 0; i < 10000; i++) {
        char name[32];
        const struct topo_shape *s = &kinds[i % 2]->shapes[0];
        const char *cpus = i % 3 == 0 ? "0-3" : NULL;
        (void)snprintf(name, sizeof(name), "n%05u", i);
        cr_assert_eq(fleet_add(f, name, s->digest, cpus, s->xml, NULL), 0);
    }
    double took = clock_monotonic() - start;
    cr_log_info("10,000 hosts took %.0f ms", took * 1e3);
    cr_expect_eq(fleet_loads(f), 4);
    AUTO(restree) t = fleet_take(f);
    cr_assert_eq(t->n_hosts, 10000);
    cr_expect_eq(t->n_shapes, 4);
    for (unsigned i = 0; i < t->n_hosts; i++) {
        unsigned whole = i % 2 == 0 ? 8 : 128;
        cr_assert_eq(restree_shape(t, i)->n_pus, i % 3 == 0 ? 4 : whole, "host %u", i);
    }
    cr_expect_str_eq(t->hosts[9999].name, "n09999");
}

Test(fleet, what_cannot_be_read_is_said_and_leaves_the_others)
{
    AUTO(restree) m = machine("core:2 pu:1");
    const struct topo_shape *s = &m->shapes[0];
    AUTO(fleet) f = fleet_make(1);
    struct gm_error err = {0};
    cr_expect_null(fleet_take(f));
    cr_expect_eq(fleet_add(f, "a", s->digest, NULL, s->xml, NULL), 0);
    cr_expect_lt(fleet_add(f, "b", "other", NULL, "<topology", &err), 0);
    cr_expect_neq(err.text[0], '\0');
    cr_expect_lt(fleet_add(f, "c", s->digest, "7", s->xml, &err), 0, "no such PU");
    cr_expect_lt(fleet_add(f, "d", s->digest, "x", s->xml, &err), 0);
    cr_expect_eq(fleet_add(f, "e", s->digest, NULL, s->xml, NULL), 0);
    AUTO(restree) t = fleet_take(f);
    cr_assert_eq(t->n_hosts, 2);
    cr_expect_str_eq(t->hosts[1].name, "e");
}
