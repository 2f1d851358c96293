/* See near.h. Parents stand before their children, so going up lowers the index. */
#include "near.h"
#include "base/memory.h"

unsigned near_common(const struct topo_shape *shape, unsigned a, unsigned b)
{
    while (a != b) {
        if (a > b)
            a = shape->nodes[a].parent;
        else
            b = shape->nodes[b].parent;
    }
    return a;
}

static unsigned package_of(const struct topo_shape *shape, unsigned node)
{
    while (node != 0 && shape->nodes[node].kind != GM_PACKAGE)
        node = shape->nodes[node].parent;
    return node;
}

unsigned near_home(const struct topo_shape *shape, unsigned gpu)
{
    unsigned node = shape->gpus[gpu].node;
    while (node != 0 && shape->nodes[node].n_cores == 0)
        node = shape->nodes[node].parent;
    return node;
}

double near_gpu_core(const struct topo_shape *shape, unsigned gpu, unsigned core)
{
    unsigned home = near_home(shape, gpu);
    if (near_common(shape, home, core) == home)
        return 0;
    return package_of(shape, home) == package_of(shape, core) ? 1 : 2;
}

static double in_tree(const struct topo_shape *shape, unsigned a, unsigned b)
{
    unsigned x = near_home(shape, a), y = near_home(shape, b);
    if (x == y)
        return 0;
    return package_of(shape, x) == package_of(shape, y) ? 1 : 2;
}

double near_gpus(const struct topo_shape *shape, unsigned a, unsigned b)
{
    double tree = in_tree(shape, a, b);
    if (shape->gpu_links == NULL)
        return tree;
    uint32_t link = shape->gpu_links[a * shape->n_gpus + b], widest = 0;
    for (unsigned i = 0; i < shape->n_gpus * shape->n_gpus; i++)
        widest = shape->gpu_links[i] > widest ? shape->gpu_links[i] : widest;
    return link > 0 ? 1 - (double)link / widest : 1 + tree;
}

unsigned *near_cores(const struct topo_shape *shape)
{
    unsigned *core = xcalloc(shape->n_pus, sizeof(*core));
    for (unsigned i = 0; i < shape->n_nodes; i++) {
        const struct topo_node *n = &shape->nodes[i];
        for (unsigned k = 0; n->kind == GM_CORE && k < n->n_pus; k++)
            core[n->first_pu + k] = i;
    }
    return core;
}
