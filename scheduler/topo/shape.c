/* See shape.h. A depth-first walk over hwloc's objects. What places nothing (machine,
 * groups, dies, private caches) is passed through, so that its children hang below what
 * is above it.
 *
 * hwloc 2 keeps NUMA nodes beside the tree, as "memory children" of the object whose
 * cores are local to them; here they are in the tree. The first one with the very cores
 * of its object holds what is below; any other (HBM, CXL, a GPU's memory) is a leaf
 * without PUs.
 *
 * Invariant: nodes are appended when they are entered and sealed when they are left, so
 * (i, end) are exactly those below i, and a node's PUs are a run of shape->pus. */
#include "shape.h"
#include "base/memory.h"
#include "digest.h"
#include "gpu.h"
#include "traits.h"

struct builder {
    hwloc_topology_t topology;
    struct topo_shape *shape;
    unsigned room_nodes, room_pus;
    struct gpu_list gpus;
    unsigned gpu_nodes[GPU_MOST]; /* where they are in shape->nodes */
};

int shape_filter(hwloc_topology_t topology, unsigned keep)
{
    static const struct {
        hwloc_obj_type_t type;
        enum hwloc_type_filter_e filter;
    } filters[] = {
        {HWLOC_OBJ_L1ICACHE, HWLOC_TYPE_FILTER_KEEP_NONE},
        {HWLOC_OBJ_L2ICACHE, HWLOC_TYPE_FILTER_KEEP_NONE},
        {HWLOC_OBJ_L3ICACHE, HWLOC_TYPE_FILTER_KEEP_NONE},
        {HWLOC_OBJ_GROUP, HWLOC_TYPE_FILTER_KEEP_STRUCTURE},
        {HWLOC_OBJ_BRIDGE, HWLOC_TYPE_FILTER_KEEP_NONE},
    };
    int rc = hwloc_topology_set_all_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_ALL);
    for (size_t i = 0; rc == 0 && i < sizeof(filters) / sizeof(filters[0]); i++)
        rc = hwloc_topology_set_type_filter(topology, filters[i].type, filters[i].filter);
    const struct {
        hwloc_obj_type_t type;
        enum shape_keep when;
        enum hwloc_type_filter_e filter;
    } wanted[] = {
        {HWLOC_OBJ_PCI_DEVICE, SHAPE_PCI, HWLOC_TYPE_FILTER_KEEP_IMPORTANT},
        {HWLOC_OBJ_OS_DEVICE, SHAPE_DEVICES, HWLOC_TYPE_FILTER_KEEP_IMPORTANT},
        {HWLOC_OBJ_MISC, SHAPE_MISC, HWLOC_TYPE_FILTER_KEEP_ALL},
    };
    for (size_t i = 0; rc == 0 && i < sizeof(wanted) / sizeof(wanted[0]); i++)
        rc = hwloc_topology_set_type_filter(topology,
                                            wanted[i].type,
                                            (keep & wanted[i].when) != 0
                                                ? wanted[i].filter
                                                : HWLOC_TYPE_FILTER_KEEP_NONE);
    return rc;
}

static unsigned
enter(struct builder *b, uint32_t kind, uint32_t os_index, unsigned parent)
{
    struct topo_shape *s = b->shape;
    if (s->n_nodes == b->room_nodes) {
        b->room_nodes = b->room_nodes > 0 ? 2 * b->room_nodes : 64;
        s->nodes = xrealloc(s->nodes, b->room_nodes, sizeof(*s->nodes));
    }
    unsigned i = s->n_nodes++;
    s->nodes[i] = (struct topo_node){
        .kind = kind,
        .os_index = os_index,
        .parent = parent,
        .first_pu = s->n_pus,
        .n_cores = s->n_cores, /* those before it; leave() makes the difference */
        .n_gpus = s->n_gpus,
    };
    s->n_cores += kind == GM_CORE;
    s->n_packages += kind == GM_PACKAGE;
    s->n_numas += kind == GM_NUMA;
    s->n_gpus += kind == GM_GPU;
    return i;
}

static void leave(struct builder *b, unsigned i)
{
    struct topo_shape *s = b->shape;
    struct topo_node *n = &s->nodes[i];
    n->end = s->n_nodes;
    n->n_pus = s->n_pus - n->first_pu;
    n->n_cores = s->n_cores - n->n_cores;
    n->n_gpus = s->n_gpus - n->n_gpus;
}

static void add_pu(struct builder *b, hwloc_obj_t obj, unsigned parent, bool in_core)
{
    struct topo_shape *s = b->shape;
    unsigned core = in_core ? 0 : enter(b, GM_CORE, obj->os_index, parent);
    if (!in_core)
        s->nodes[core].trait = traits_efficiency(b->topology, obj->cpuset);
    unsigned pu = enter(b, GM_PU, obj->os_index, in_core ? parent : core);
    if (s->n_pus == b->room_pus) {
        b->room_pus = b->room_pus > 0 ? 2 * b->room_pus : 64;
        s->pus = xrealloc(s->pus, b->room_pus, sizeof(*s->pus));
    }
    s->pus[s->n_pus++] = obj->os_index;
    leave(b, pu);
    if (!in_core)
        leave(b, core);
}

/* A cache places something only where several cores share it. */
static bool cache_counts(const struct builder *b, hwloc_obj_t obj)
{
    if (!hwloc_obj_type_is_dcache(obj->type) || obj->attr->cache.depth < 2)
        return false;
    return obj->attr->cache.depth >= 3 ||
           hwloc_get_nbobjs_inside_cpuset_by_type(
               b->topology, obj->cpuset, HWLOC_OBJ_CORE) > 1;
}

/* A data cache that is no node and has one core to serve. */
static void note_private_cache(struct builder *b, hwloc_obj_t obj, uint32_t kind)
{
    if (kind == 0 && hwloc_obj_type_is_dcache(obj->type) &&
        hwloc_get_nbobjs_inside_cpuset_by_type(
            b->topology, obj->cpuset, HWLOC_OBJ_CORE) == 1)
        b->shape->private_caches |= 1u << obj->attr->cache.depth;
}

static uint32_t kind_of(const struct builder *b, hwloc_obj_t obj)
{
    if (obj->type == HWLOC_OBJ_PACKAGE)
        return GM_PACKAGE;
    return cache_counts(b, obj) ? GM_CACHE : 0;
}

/* The kernel's number; caches count from 0 in tree order, since the kernel's ids of them
 * skip. */
static uint32_t index_of(hwloc_obj_t obj)
{
    bool cache = hwloc_obj_type_is_cache(obj->type);
    return cache || obj->os_index == HWLOC_UNKNOWN_INDEX ? obj->logical_index
                                                         : obj->os_index;
}

/* The nearest NUMA node at or below a memory child (memory-side caches stand between). */
static hwloc_obj_t numa_below(hwloc_obj_t memory)
{
    while (memory != NULL && memory->type != HWLOC_OBJ_NUMANODE)
        memory = memory->memory_first_child;
    return memory;
}

static unsigned enter_numa(struct builder *b, hwloc_obj_t numa, unsigned parent)
{
    unsigned i = enter(b, GM_NUMA, numa->os_index, parent);
    b->shape->nodes[i].bytes = numa->attr->numanode.local_memory;
    b->shape->nodes[i].trait = traits_memory(b->topology, numa);
    return i;
}

/* The NUMA node that holds what is below obj, or NULL: DRAM where there is any. */
static hwloc_obj_t numa_around(const struct builder *b, hwloc_obj_t obj)
{
    hwloc_obj_t found = NULL;
    for (hwloc_obj_t m = obj->memory_first_child; m != NULL; m = m->next_sibling) {
        hwloc_obj_t numa = numa_below(m);
        if (numa == NULL || !hwloc_bitmap_isequal(numa->cpuset, obj->cpuset))
            continue;
        if (found == NULL)
            found = numa;
        if (m->next_sibling == NULL && found == numa)
            return numa; /* the only one */
        if (traits_memory(b->topology, numa) == TOPO_DRAM)
            return numa;
    }
    return found;
}

static void
add_memory_leaves(struct builder *b, hwloc_obj_t obj, hwloc_obj_t around, unsigned parent)
{
    for (hwloc_obj_t m = obj->memory_first_child; m != NULL; m = m->next_sibling) {
        hwloc_obj_t numa = numa_below(m);
        if (numa != NULL && numa != around)
            leave(b, enter_numa(b, numa, parent));
    }
}

static void add_gpu(struct builder *b, hwloc_obj_t obj, unsigned parent)
{
    for (unsigned g = 0; g < b->gpus.n; g++) {
        if (b->gpus.items[g].obj == obj) {
            b->gpu_nodes[g] = enter(b, GM_GPU, g, parent);
            leave(b, b->gpu_nodes[g]);
        }
    }
}

static void add_gpus(struct builder *b, hwloc_obj_t obj, unsigned parent)
{
    if (b->gpus.n == 0)
        return;
    for (hwloc_obj_t io = obj->io_first_child; io != NULL; io = io->next_sibling)
        add_gpu(b, io, parent); /* no bridge is kept, so none is deeper */
    for (hwloc_obj_t misc = obj->misc_first_child; misc != NULL;
         misc = misc->next_sibling)
        add_gpu(b, misc, parent);
}

static void walk(struct builder *b, hwloc_obj_t obj, unsigned parent);

static void walk_children(struct builder *b, hwloc_obj_t obj, unsigned parent)
{
    for (hwloc_obj_t c = obj->first_child; c != NULL; c = c->next_sibling)
        walk(b, c, parent);
}

/* Cores and PUs hold no NUMA nodes and no GPUs: where a node has one core alone, hwloc
 * hangs it on the core, and here it goes around it. */
static void walk_core(struct builder *b, hwloc_obj_t obj, unsigned parent)
{
    bool inside = b->shape->nodes[parent].kind == GM_CORE;
    hwloc_obj_t around = inside ? NULL : numa_around(b, obj);
    unsigned holder = around != NULL ? enter_numa(b, around, parent) : parent;
    if (obj->type == HWLOC_OBJ_PU) {
        add_pu(b, obj, holder, inside);
    } else {
        unsigned core = inside ? parent : enter(b, GM_CORE, index_of(obj), holder);
        if (!inside)
            b->shape->nodes[core].trait = traits_efficiency(b->topology, obj->cpuset);
        walk_children(b, obj, core);
        if (!inside)
            leave(b, core);
    }
    if (!inside)
        add_gpus(b, obj, holder);
    if (around != NULL)
        leave(b, holder);
    if (!inside)
        add_memory_leaves(b, obj, around, parent);
}

/* As deep as hwloc's tree is: some ten levels, and no more than xmlcheck lets in. */
static void walk(struct builder *b, hwloc_obj_t obj, unsigned parent)
{
    if (obj->type == HWLOC_OBJ_PU || obj->type == HWLOC_OBJ_CORE) {
        walk_core(b, obj, parent);
        return;
    }
    bool inside = b->shape->nodes[parent].kind == GM_CORE; /* what is below a core, too */
    uint32_t kind = inside ? 0 : kind_of(b, obj);
    unsigned own = kind != 0 ? enter(b, kind, index_of(obj), parent) : parent;
    if (kind == GM_CACHE) {
        b->shape->nodes[own].bytes = obj->attr->cache.size;
        b->shape->nodes[own].level = obj->attr->cache.depth;
    }
    note_private_cache(b, obj, kind);
    hwloc_obj_t around = inside ? NULL : numa_around(b, obj);
    unsigned below = around != NULL ? enter_numa(b, around, own) : own;
    walk_children(b, obj, below);
    if (!inside)
        add_gpus(b, obj, below);
    if (around != NULL)
        leave(b, below);
    if (!inside)
        add_memory_leaves(b, obj, around, own);
    if (kind != 0)
        leave(b, own);
}

/* GPUs that hang where the walk does not come (a Misc object below a PU). */
static void add_lost_gpus(struct builder *b, unsigned root)
{
    for (unsigned g = 0; g < b->gpus.n; g++) {
        if (b->gpu_nodes[g] == 0)
            add_gpu(b, b->gpus.items[g].obj, root);
    }
}

/* The table of GPUs, their names behind it in one block. */
static void list_gpus(struct builder *b)
{
    struct topo_shape *s = b->shape;
    size_t room = 0;
    for (unsigned g = 0; g < b->gpus.n; g++)
        room += strlen(b->gpus.items[g].name) + 1;
    s->gpus = xcalloc(xadd(b->gpus.n * sizeof(*s->gpus), room), 1);
    char *names = (char *)(s->gpus + b->gpus.n);
    for (unsigned g = 0; g < b->gpus.n; g++) {
        size_t len = strlen(b->gpus.items[g].name);
        memcpy(names, b->gpus.items[g].name, len);
        s->gpus[g] = (struct topo_gpu){
            .vendor = b->gpus.items[g].vendor, .node = b->gpu_nodes[g], .name = names};
        (void)snprintf(
            s->gpus[g].pci, sizeof(s->gpus[g].pci), "%s", b->gpus.items[g].pci);
        names += len + 1;
    }
    s->gpu_links = gpu_links(b->topology, &b->gpus);
}

static char *cpu_model(hwloc_topology_t topology)
{
    hwloc_obj_t root = hwloc_get_root_obj(topology);
    hwloc_obj_t package = hwloc_get_obj_by_type(topology, HWLOC_OBJ_PACKAGE, 0);
    const char *name = NULL;
    if (package != NULL)
        name = hwloc_obj_get_info_by_name(package, "CPUModel");
    if (name == NULL)
        name = hwloc_obj_get_info_by_name(root, "CPUModel");
    char *copy = xstrdup(name != NULL ? name : "");
    for (size_t n = strlen(copy); n > 0 && copy[n - 1] == ' '; n--)
        copy[n - 1] = '\0'; /* firmware pads it */
    return copy;
}

int shape_make(hwloc_topology_t topology, struct topo_shape *ret, struct gm_error *err)
{
    char *xml;
    int xml_len;
    if (hwloc_topology_export_xmlbuffer(topology, &xml, &xml_len, 0) != 0)
        return gm_fail(err, -EIO, "hwloc cannot write its XML: %s", strerror(errno));
    struct topo_shape s = {.xml = xstrdup(xml), .cpu_model = cpu_model(topology)};
    hwloc_free_xmlbuffer(topology, xml);
    digest_xml(s.xml, s.digest);
    struct builder b = {.topology = topology, .shape = &s};
    gpu_find(topology, &b.gpus);
    unsigned root = enter(&b, GM_HOST, 0, 0);
    walk(&b, hwloc_get_root_obj(topology), root);
    add_lost_gpus(&b, root);
    leave(&b, root);
    traits_rank_cores(&s);
    if (b.gpus.n > 0)
        list_gpus(&b);
    *ret = s;
    return 0;
}

void shape_clear(struct topo_shape *s)
{
    free(s->nodes);
    free(s->pus);
    free(s->gpus);
    free(s->gpu_links);
    free(s->xml);
    free(s->cpu_model);
    *s = (struct topo_shape){0};
}
