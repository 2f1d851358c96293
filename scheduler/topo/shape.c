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

enum { VENDOR_NVIDIA = 0x10de, VENDOR_AMD = 0x1002, MOST_GPUS = 256 };

struct builder {
    hwloc_topology_t topology;
    struct topo_shape *shape;
    unsigned room_nodes, room_pus;
    hwloc_obj_t gpus[MOST_GPUS]; /* by PCI address; the place is the number */
    unsigned n_gpus;
};

int shape_filter(hwloc_topology_t topology, bool io)
{
    static const struct {
        hwloc_obj_type_t type;
        enum hwloc_type_filter_e filter;
    } filters[] = {
        {HWLOC_OBJ_L1ICACHE, HWLOC_TYPE_FILTER_KEEP_NONE},
        {HWLOC_OBJ_L2ICACHE, HWLOC_TYPE_FILTER_KEEP_NONE},
        {HWLOC_OBJ_L3ICACHE, HWLOC_TYPE_FILTER_KEEP_NONE},
        {HWLOC_OBJ_GROUP, HWLOC_TYPE_FILTER_KEEP_STRUCTURE},
        {HWLOC_OBJ_MISC, HWLOC_TYPE_FILTER_KEEP_NONE},
        {HWLOC_OBJ_BRIDGE, HWLOC_TYPE_FILTER_KEEP_NONE},
        {HWLOC_OBJ_OS_DEVICE, HWLOC_TYPE_FILTER_KEEP_NONE},
    };
    int rc = hwloc_topology_set_all_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_ALL);
    for (size_t i = 0; rc == 0 && i < sizeof(filters) / sizeof(filters[0]); i++)
        rc = hwloc_topology_set_type_filter(topology, filters[i].type, filters[i].filter);
    enum hwloc_type_filter_e pci =
        io ? HWLOC_TYPE_FILTER_KEEP_IMPORTANT : HWLOC_TYPE_FILTER_KEEP_NONE;
    if (rc == 0)
        rc = hwloc_topology_set_type_filter(topology, HWLOC_OBJ_PCI_DEVICE, pci);
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

static uint32_t kind_of(const struct builder *b, hwloc_obj_t obj)
{
    if (obj->type == HWLOC_OBJ_PACKAGE)
        return GM_PACKAGE;
    if (obj->type == HWLOC_OBJ_CORE)
        return GM_CORE;
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
    return i;
}

/* The NUMA node that holds what is below obj, or NULL. */
static hwloc_obj_t numa_around(hwloc_obj_t obj)
{
    for (hwloc_obj_t m = obj->memory_first_child; m != NULL; m = m->next_sibling) {
        hwloc_obj_t numa = numa_below(m);
        if (numa != NULL && hwloc_bitmap_isequal(numa->cpuset, obj->cpuset))
            return numa;
    }
    return NULL;
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

static void add_gpus(struct builder *b, hwloc_obj_t obj, unsigned parent)
{
    for (hwloc_obj_t io = obj->io_first_child; io != NULL; io = io->next_sibling) {
        for (unsigned g = 0; g < b->n_gpus; g++) {
            if (b->gpus[g] == io)
                leave(b, enter(b, GM_GPU, g, parent));
        }
        add_gpus(b, io, parent); /* behind a bridge that was kept */
    }
}

/* As deep as hwloc's tree is (some ten levels; its own XML reader recurses as well). */
static void walk(struct builder *b, hwloc_obj_t obj, unsigned parent)
{
    if (obj->type == HWLOC_OBJ_PU) {
        add_pu(b, obj, parent, b->shape->nodes[parent].kind == GM_CORE);
        return;
    }
    uint32_t kind = kind_of(b, obj);
    unsigned own = kind != 0 ? enter(b, kind, index_of(obj), parent) : parent;
    if (kind == GM_CACHE) {
        b->shape->nodes[own].bytes = obj->attr->cache.size;
        b->shape->nodes[own].level = obj->attr->cache.depth;
    }
    hwloc_obj_t around = numa_around(obj);
    unsigned below = around != NULL ? enter_numa(b, around, own) : own;
    for (hwloc_obj_t c = obj->first_child; c != NULL; c = c->next_sibling)
        walk(b, c, below);
    add_gpus(b, obj, below);
    if (around != NULL)
        leave(b, below);
    add_memory_leaves(b, obj, around, own);
    if (kind != 0)
        leave(b, own);
}

/* Display controllers and processing accelerators; not the little chip that a server's
 * remote console draws with. */
static bool is_gpu(hwloc_obj_t pci, unsigned vendor)
{
    unsigned class = pci->attr->pcidev.class_id >> 8;
    return (class == 0x03 || class == 0x12) && pci->attr->pcidev.vendor_id == vendor;
}

static int by_address(const void *va, const void *vb)
{
    const struct hwloc_pcidev_attr_s *a = &(*(const hwloc_obj_t *)va)->attr->pcidev;
    const struct hwloc_pcidev_attr_s *b = &(*(const hwloc_obj_t *)vb)->attr->pcidev;
    const unsigned x[] = {a->domain, a->bus, a->dev, a->func};
    const unsigned y[] = {b->domain, b->bus, b->dev, b->func};
    for (size_t i = 0; i < sizeof(x) / sizeof(x[0]); i++) {
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    }
    return 0;
}

/* One vendor's, since its runtime numbers its own alone. */
static void find_gpus(struct builder *b)
{
    static const unsigned vendors[] = {VENDOR_NVIDIA, VENDOR_AMD};
    for (size_t v = 0; v < sizeof(vendors) / sizeof(vendors[0]) && b->n_gpus == 0; v++) {
        hwloc_obj_t pci = NULL;
        while ((pci = hwloc_get_next_pcidev(b->topology, pci)) != NULL) {
            if (is_gpu(pci, vendors[v]) && b->n_gpus < MOST_GPUS)
                b->gpus[b->n_gpus++] = pci;
        }
    }
    qsort(b->gpus, b->n_gpus, sizeof(hwloc_obj_t), by_address);
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
    find_gpus(&b);
    unsigned root = enter(&b, GM_HOST, 0, 0);
    walk(&b, hwloc_get_root_obj(topology), root);
    leave(&b, root);
    *ret = s;
    return 0;
}

void shape_clear(struct topo_shape *s)
{
    free(s->nodes);
    free(s->pus);
    free(s->xml);
    free(s->cpu_model);
    *s = (struct topo_shape){0};
}
