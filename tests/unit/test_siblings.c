/* topo/siblings.h on this machine, whatever it is. */
#include "base/idset.h"
#include "topo/bind.h"
#include "topo/siblings.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static unsigned check(const struct idset *pus)
{
    struct idset **cores = NULL, *all = idset_make();
    unsigned n = siblings_cores(pus, &cores), sum = 0;
    for (unsigned i = 0; i < n; i++) {
        cr_expect_gt(idset_count(cores[i]), 0);
        cr_expect_not(idset_overlap(all, cores[i]), "a PU is in two cores");
        idset_unite(all, cores[i]);
        sum += idset_count(cores[i]);
        idset_free(cores[i]);
    }
    cr_expect(idset_equal(all, pus));
    cr_expect_eq(sum, idset_count(pus));
    idset_free(all);
    free(cores);
    return n;
}

Test(siblings, each_pu_is_in_one_core_and_none_is_added)
{
    AUTO(idset) ours = NULL;
    AUTO(idset) one = idset_make();
    cr_assert_eq(bind_read(0, &ours, NULL), 0);
    unsigned n = check(ours);
    cr_expect(n >= 1 && n <= idset_count(ours));
    idset_add(one, (unsigned)idset_next(ours, 0));
    cr_expect_eq(check(one), 1);
}

Test(siblings, none_is_no_core_and_an_unknown_one_is_its_own)
{
    AUTO(idset) none = idset_make();
    AUTO(idset) odd = idset_make();
    cr_expect_eq(check(none), 0);
    idset_add(odd, 900000);
    idset_add(odd, 900001);
    cr_expect_eq(check(odd), 2);
}
