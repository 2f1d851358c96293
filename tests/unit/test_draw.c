/* topo/draw.h. Plans on machines are drawn in tests/golden/place; here is what those
 * lack. */
#include "topo/draw.h"

#include <criterion/criterion.h>

static char *
drawn(const char *machine, const struct draw_seat *seats, unsigned n, bool utf8)
{
    AUTO(restree) tree = NULL;
    cr_assert_eq(restree_load_synthetic(machine, &tree, NULL), 0);
    struct str out = {0};
    draw_tree(tree, seats, n, utf8, &out);
    return str_steal(&out);
}

/* Seats of `each` PUs, one after the other, from PU 0 of host 0 on. */
static void fill(struct draw_seat *seats, struct idset **sets, unsigned n, unsigned each)
{
    for (unsigned r = 0; r < n; r++) {
        sets[r] = idset_make();
        for (unsigned k = 0; k < each; k++)
            idset_add(sets[r], r * each + k);
        seats[r] = (struct draw_seat){.pus = sets[r]};
    }
}

Test(draw, the_machine_alone_shows_equal_hosts_once)
{
    AUTO_FREE(char) text = drawn("host:3 pack:2 numa:1 l3:2 core:2 pu:2", NULL, 0, true);
    cr_expect_str_eq(text,
                     "n0 … n2 (3 equal hosts) · 8 cores, 16 cpus · 2.0 GiB\n"
                     "├─ package 0 · NUMA 0 (1.0 GiB)\n"
                     "│  ├─ L3 0 (16.0 MiB) · cpu 0-3  2 cores\n"
                     "│  └─ L3 1 (16.0 MiB) · cpu 4-7  2 cores\n"
                     "└─ package 1 · NUMA 1 (1.0 GiB)\n"
                     "   ├─ L3 2 (16.0 MiB) · cpu 8-11  2 cores\n"
                     "   └─ L3 3 (16.0 MiB) · cpu 12-15  2 cores\n");
}

Test(draw, ascii_has_no_byte_beyond_127)
{
    AUTO(idset) one = idset_make();
    idset_add(one, 3);
    struct draw_seat seat = {.pus = one};
    AUTO_FREE(char) text = drawn("pack:2 numa:1 core:2 pu:1", &seat, 1, false);
    for (const char *p = text; *p != '\0'; p++)
        cr_assert_gt(*p, 0);
    cr_expect_str_eq(text,
                     "n0, 4 cores, 2.0 GiB\n"
                     "|- package 0, NUMA 0 (1.0 GiB), cpu 0-1  -\n"
                     "`- package 1, NUMA 1 (1.0 GiB)\n"
                     "   |- cpu 2  -\n"
                     "   `- cpu 3  rank 0\n");
}

Test(draw, a_large_machine_has_a_line_a_run_of_ranks)
{
    enum { N = 64 };
    struct draw_seat seats[N];
    struct idset *sets[N];
    fill(seats, sets, N, 2);
    AUTO_FREE(char) text = drawn("pack:1 numa:2 core:36 pu:2", seats, N, true);
    cr_expect_str_eq(text,
                     "n0 · 72 cores, 144 cpus · 2.0 GiB\n"
                     "└─ package 0\n"
                     "   ├─ NUMA 0 (1.0 GiB) · cpu 0-71  ranks 0-35, 1 core each\n"
                     "   └─ NUMA 1 (1.0 GiB)\n"
                     "      ├─ cpu 72-127   ranks 36-63, 1 core each\n"
                     "      └─ cpu 128-143  -\n");
    for (unsigned r = 0; r < N; r++)
        idset_free(sets[r]);
}

Test(draw, a_rank_on_part_of_a_core_stands_on_that_core)
{
    AUTO(idset) left = idset_make();
    AUTO(idset) right = idset_make();
    idset_add(left, 0);
    idset_add(right, 1);
    struct draw_seat seats[] = {{.pus = left}, {.pus = right}};
    AUTO_FREE(char) text = drawn("pack:1 core:2 pu:2", seats, 2, true);
    cr_expect_not_null(strstr(text, "cpu 0-1  ranks 0-1 share\n"), "%s", text);
    cr_expect_not_null(strstr(text, "cpu 2-3  -\n"), "%s", text);
}

Test(draw, ranks_that_are_dealt_over_hosts_are_told_by_their_step)
{
    enum { HOSTS = 10, RANKS = 80 };
    struct draw_seat seats[RANKS];
    struct idset *sets[RANKS];
    fill(seats, sets, RANKS, 1);
    for (unsigned r = 0; r < RANKS; r++) {
        idset_clear(sets[r]);
        idset_add(sets[r], r / HOSTS);
        seats[r].host = r % HOSTS;
    }
    AUTO_FREE(char) all = drawn("host:10 core:8 pu:1", seats, RANKS, true);
    cr_expect_str_eq(all, "n[0-9]  ranks 0-79, 8 each on 8 of 8 cores\n");
    seats[3].host = seats[13].host = 4;
    AUTO_FREE(char) apart = drawn("host:10 core:8 pu:1", seats, RANKS, true);
    cr_expect_not_null(strstr(apart, "n[0-2]  ranks "), "%s", apart);
    cr_expect_not_null(
        strstr(apart, "\nn3  ranks 23,33,43,53,63,73 on 6 of 8 cores\n"), "%s", apart);
    cr_expect_not_null(strstr(apart, "\nn[5-9]  ranks "), "%s", apart);
    for (unsigned r = 0; r < RANKS; r++)
        idset_free(sets[r]);
}

Test(draw, many_hosts_that_are_filled_alike_share_a_line)
{
    enum { HOSTS = 9 };
    struct draw_seat seats[HOSTS];
    struct idset *sets[HOSTS];
    fill(seats, sets, HOSTS, 2);
    for (unsigned r = 0; r < HOSTS; r++) {
        idset_clear(sets[r]);
        idset_add(sets[r], 1);
        seats[r].host = r;
    }
    AUTO_FREE(char) text = drawn("host:12 core:4 pu:1", seats, HOSTS, true);
    cr_expect_not_null(
        strstr(text,
               "n[0-8]  ranks 0-8, 1 each on 1 of 4 cores\n3 hosts without ranks\n"),
        "%s",
        text);
    idset_add(sets[4], 2);
    AUTO_FREE(char) apart = drawn("host:12 core:4 pu:1", seats, HOSTS, true);
    cr_expect_str_eq(apart,
                     "n[0-3]  ranks 0-3, 1 each on 1 of 4 cores\n"
                     "n4  rank 4 on 2 of 4 cores\n"
                     "n[5-8]  ranks 5-8, 1 each on 1 of 4 cores\n"
                     "3 hosts without ranks\n");
    for (unsigned r = 0; r < HOSTS; r++)
        idset_free(sets[r]);
}
