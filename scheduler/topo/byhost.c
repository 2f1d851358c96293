/* See byhost.h: a counting sort, so ranks of a host stay in their order. */
#include "byhost.h"
#include "base/memory.h"

void byhost_make(const struct restree *tree,
                 const struct draw_seat *seats,
                 unsigned n_seats,
                 struct byhost *ret)
{
    struct byhost b = {.first = xcalloc(tree->n_hosts + 1, sizeof(*b.first)),
                       .ranks = xcalloc(n_seats + 1, sizeof(*b.ranks))};
    AUTO_FREE(unsigned) at = xcalloc(tree->n_hosts + 1, sizeof(*at));
    for (unsigned r = 0; r < n_seats; r++)
        b.first[seats[r].host + 1]++;
    for (unsigned h = 0; h < tree->n_hosts; h++) {
        b.first[h + 1] += b.first[h];
        at[h] = b.first[h];
    }
    for (unsigned r = 0; r < n_seats; r++)
        b.ranks[at[seats[r].host]++] = r;
    *ret = b;
}

void byhost_free(struct byhost *b)
{
    free(b->first);
    free(b->ranks);
    *b = (struct byhost){0};
}
