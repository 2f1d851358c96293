/* See topo_json.h. Hosts that are alike name one shape, so a cluster of 10^4 hosts has
 * their nodes once. */
#include "topo_json.h"
#include "topo/draw.h"

static const char *kind_name(uint32_t kind)
{
    switch (kind) {
    case GM_HOST:
        return "host";
    case GM_PACKAGE:
        return "package";
    case GM_NUMA:
        return "numa";
    case GM_CACHE:
        return "cache";
    case GM_CORE:
        return "core";
    case GM_PU:
        return "pu";
    case GM_GPU:
        return "gpu";
    default:
        return "other";
    }
}

static void put_node(struct json *j, const struct topo_node *n)
{
    json_begin(j, '{');
    json_put_string(j, "kind", kind_name(n->kind));
    json_put_int(j, "os_index", n->os_index);
    json_put_int(j, "parent", n->parent);
    if (n->kind == GM_CACHE)
        json_put_int(j, "level", n->level);
    if (n->kind == GM_NUMA)
        json_put_string(j, "memory", draw_memory_name(n->trait));
    if (n->kind == GM_CORE)
        json_put_int(j, "class", n->trait);
    if (n->bytes > 0)
        json_put_int(j, "bytes", (int64_t)n->bytes);
    json_put_int(j, "cores", n->n_cores);
    json_put_int(j, "pus", n->n_pus);
    json_put_int(j, "gpus", n->n_gpus);
    json_end(j, '}');
}

static void put_gpus(struct json *j, const struct topo_shape *s)
{
    json_key(j, "gpu_list");
    json_begin(j, '[');
    for (unsigned i = 0; i < s->n_gpus && s->gpus != NULL; i++) {
        const struct topo_gpu *g = &s->gpus[i];
        json_begin(j, '{');
        json_put_int(j, "gpu", i);
        json_put_string(j, "pci", g->pci[0] != '\0' ? g->pci : NULL);
        json_put_int(j, "vendor", g->vendor);
        json_put_string(j, "name", g->name != NULL && *g->name != '\0' ? g->name : NULL);
        json_put_int(j, "node", g->node);
        json_end(j, '}');
    }
    json_end(j, ']');
}

/* The links between GPUs in MB/s, a row a GPU; null where nothing is known. */
static void put_links(struct json *j, const struct topo_shape *s)
{
    json_key(j, "gpu_links");
    if (s->gpu_links == NULL) {
        json_null(j);
        return;
    }
    json_begin(j, '[');
    for (unsigned a = 0; a < s->n_gpus; a++) {
        json_begin(j, '[');
        for (unsigned b = 0; b < s->n_gpus; b++)
            json_int(j, s->gpu_links[a * s->n_gpus + b]);
        json_end(j, ']');
    }
    json_end(j, ']');
}

/* The levels that each core has to itself: [1, 2]. */
static void put_private_caches(struct json *j, const struct topo_shape *s)
{
    json_key(j, "private_caches");
    json_begin(j, '[');
    for (unsigned l = 1; l < 32; l++) {
        if ((s->private_caches >> l & 1) != 0)
            json_int(j, l);
    }
    json_end(j, ']');
}

static void put_shape(struct json *j, const struct topo_shape *s)
{
    json_begin(j, '{');
    json_put_string(j, "digest", s->digest);
    json_put_string(j, "cpu", s->cpu_model);
    json_put_int(j, "packages", s->n_packages);
    json_put_int(j, "numas", s->n_numas);
    json_put_int(j, "cores", s->n_cores);
    json_put_int(j, "core_classes", s->n_kinds);
    json_put_int(j, "pus", s->n_pus);
    json_put_int(j, "gpus", s->n_gpus);
    json_put_int(j, "memory", (int64_t)restree_bytes(s, 0));
    put_private_caches(j, s);
    put_gpus(j, s);
    put_links(j, s);
    json_key(j, "nodes");
    json_begin(j, '[');
    for (unsigned i = 0; i < s->n_nodes; i++)
        put_node(j, &s->nodes[i]);
    json_end(j, ']');
    json_end(j, '}');
}

static void put_host(struct json *j, const struct restree *tree, unsigned h)
{
    const struct topo_host *host = &tree->hosts[h];
    json_begin(j, '{');
    json_put_string(j, "name", host->name);
    json_put_int(j, "shape", host->shape);
    json_key(j, "slots");
    if (host->slots > 0)
        json_int(j, host->slots);
    else
        json_null(j);
    json_key(j, "properties");
    json_begin(j, '[');
    for (unsigned i = 0; host->properties < tree->n_properties &&
                         i < tree->properties[host->properties].n;
         i++)
        json_string(j, tree->properties[host->properties].names[i]);
    json_end(j, ']');
    json_end(j, '}');
}

void topo_json(struct json *j, const struct restree *tree, const char *name)
{
    json_begin(j, '{');
    json_put_string(j, "schema", "gridmill.topology/2");
    json_put_string(j, "machine", name);
    json_key(j, "hosts");
    json_begin(j, '[');
    for (unsigned h = 0; h < tree->n_hosts; h++)
        put_host(j, tree, h);
    json_end(j, ']');
    json_key(j, "shapes");
    json_begin(j, '[');
    for (unsigned s = 0; s < tree->n_shapes; s++)
        put_shape(j, &tree->shapes[s]);
    json_end(j, ']');
    json_end(j, '}');
}
