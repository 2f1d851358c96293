/* See allowed.h. A host's rank is its place in the tree; its properties are those of the
 * cluster file. */
#include "allowed.h"

struct idset *allowed_hosts(const struct restree *tree, const struct constraint *c)
{
    static const struct topo_properties none = {0};
    struct idset *set = idset_make();
    for (unsigned h = 0; h < tree->n_hosts; h++) {
        const struct topo_host *at = &tree->hosts[h];
        const struct topo_properties *has =
            tree->n_properties > 0 ? &tree->properties[at->properties] : &none;
        struct constraint_host host = {
            .name = at->name,
            .rank = h,
            .properties = (const char *const *)has->names,
            .n_properties = has->n,
        };
        if (c == NULL || constraint_allows(c, &host))
            idset_add(set, h);
    }
    return set;
}
