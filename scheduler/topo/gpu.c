/* See gpu.h. A GPU is a PCI device of one vendor (NVIDIA's, else AMD's, since a runtime
 * numbers its own alone), of another vendor where a compute runtime shows it as an OS
 * device; where no PCI device is one, an OS device of a runtime that hangs in the tree by
 * itself, or what gpu_insert put there.
 *
 * Invariant: in gpu_list each object stands once, in an order that two equal machines
 * share. */
#include "gpu.h"
#include "base/memory.h"
#include "nvml.h"

enum { VENDOR_NVIDIA = 0x10de, VENDOR_AMD = 0x1002, VENDOR_INTEL = 0x8086 };

/* How hwloc calls the OS devices of runtimes that compute, the surest first. */
static const struct {
    const char *subtype;
    uint32_t vendor; /* of PCI; 0: any */
} runtimes[] = {
    {"NVML", VENDOR_NVIDIA},
    {"CUDA", VENDOR_NVIDIA},
    {"RSMI", VENDOR_AMD},
    {"LevelZero", VENDOR_INTEL},
    {"VectorEngine", 0x1bcf},
    {"OpenCL", 0},
};

enum { N_RUNTIMES = sizeof(runtimes) / sizeof(runtimes[0]) };

/* The runtime whose device this is; N_RUNTIMES: none (a disk, a display's card0). */
static unsigned runtime_of(hwloc_obj_t os)
{
    if (os->type != HWLOC_OBJ_OS_DEVICE || os->subtype == NULL)
        return N_RUNTIMES;
    unsigned r = 0;
    while (r < N_RUNTIMES && strcmp(runtimes[r].subtype, os->subtype) != 0)
        r++;
    const char *sort = hwloc_obj_get_info_by_name(os, "OpenCLDeviceType");
    bool cpu = r < N_RUNTIMES && sort != NULL && strcmp(sort, "CPU") == 0;
    return cpu ? N_RUNTIMES : r;
}

static bool has_runtime(hwloc_obj_t pci)
{
    for (hwloc_obj_t c = pci->io_first_child; c != NULL; c = c->next_sibling) {
        if (runtime_of(c) < N_RUNTIMES)
            return true;
    }
    return false;
}

/* The little chips that a server's remote console draws with, where their maker makes
 * GPUs as well: Rage XL, RV100, ES1000. */
static bool is_console(const struct hwloc_pcidev_attr_s *pci)
{
    static const unsigned short chips[] = {
        0x4752, 0x4753, 0x5159, 0x515e, 0x515f, 0x5969};
    for (size_t i = 0; i < sizeof(chips) / sizeof(chips[0]); i++) {
        if (pci->vendor_id == VENDOR_AMD && pci->device_id == chips[i])
            return true;
    }
    return false;
}

/* Display controllers and processing accelerators. */
static bool is_gpu(hwloc_obj_t obj, unsigned vendor)
{
    const struct hwloc_pcidev_attr_s *pci = &obj->attr->pcidev;
    unsigned class = pci->class_id >> 8;
    if (vendor == 0)
        return has_runtime(obj);
    return (class == 0x03 || class == 0x12) && pci->vendor_id == vendor &&
           !is_console(pci);
}

static void append(struct gpu_list *list, hwloc_obj_t obj, uint32_t vendor)
{
    if (list->n < GPU_MOST) {
        list->items[list->n].obj = obj;
        list->items[list->n++].vendor = vendor;
    }
}

static void find_pci(hwloc_topology_t t, struct gpu_list *list)
{
    static const unsigned vendors[] = {VENDOR_NVIDIA, VENDOR_AMD, 0};
    for (size_t v = 0; v < sizeof(vendors) / sizeof(vendors[0]) && list->n == 0; v++) {
        hwloc_obj_t pci = NULL;
        while ((pci = hwloc_get_next_pcidev(t, pci)) != NULL) {
            if (is_gpu(pci, vendors[v]))
                append(list, pci, pci->attr->pcidev.vendor_id);
        }
    }
}

static void find_os_devices(hwloc_topology_t t, struct gpu_list *list)
{
    for (unsigned r = 0; r < N_RUNTIMES && list->n == 0; r++) {
        hwloc_obj_t os = NULL;
        while ((os = hwloc_get_next_osdev(t, os)) != NULL) {
            if (runtime_of(os) == r)
                append(list, os, runtimes[r].vendor);
        }
    }
}

static const char *info(hwloc_obj_t obj, const char *name)
{
    return hwloc_obj_get_info_by_name(obj, name);
}

static void find_marked(hwloc_topology_t t, struct gpu_list *list)
{
    hwloc_obj_t misc = NULL;
    while ((misc = hwloc_get_next_obj_by_depth(t, HWLOC_TYPE_DEPTH_MISC, misc)) != NULL) {
        if (misc->name == NULL || strcmp(misc->name, GPU_MARK) != 0)
            continue;
        const char *vendor = info(misc, "PCIVendorID");
        append(list, misc, vendor != NULL ? (uint32_t)strtoul(vendor, NULL, 16) : 0);
    }
}

static int by_place(const void *va, const void *vb)
{
    hwloc_obj_t a = *(const hwloc_obj_t *)va, b = *(const hwloc_obj_t *)vb;
    if (a->type == HWLOC_OBJ_PCI_DEVICE && b->type == HWLOC_OBJ_PCI_DEVICE) {
        const struct hwloc_pcidev_attr_s *p = &a->attr->pcidev, *q = &b->attr->pcidev;
        const unsigned x[] = {p->domain, p->bus, p->dev, p->func};
        const unsigned y[] = {q->domain, q->bus, q->dev, q->func};
        for (size_t i = 0; i < sizeof(x) / sizeof(x[0]); i++) {
            if (x[i] != y[i])
                return x[i] < y[i] ? -1 : 1;
        }
    }
    const char *s = info(a, "PCIBusID"), *u = info(b, "PCIBusID");
    int order = strcmp(s != NULL ? s : "", u != NULL ? u : "");
    if (order != 0)
        return order;
    return a->logical_index < b->logical_index ? -1 : a->logical_index > b->logical_index;
}

static void describe(struct gpu_list *list, unsigned i)
{
    hwloc_obj_t obj = list->items[i].obj;
    const char *pci = info(obj, "PCIBusID");
    if (obj->type == HWLOC_OBJ_PCI_DEVICE) {
        const struct hwloc_pcidev_attr_s *p = &obj->attr->pcidev;
        (void)snprintf(list->items[i].text,
                       sizeof(list->items[i].text),
                       "%04x:%02x:%02x.%01x",
                       p->domain & 0xffffu,
                       p->bus,
                       p->dev,
                       p->func & 0xfu);
        pci = list->items[i].text;
    }
    const char *name = info(obj, "GPUModel");
    for (hwloc_obj_t c = obj->io_first_child; name == NULL && c != NULL;
         c = c->next_sibling)
        name = info(c, "GPUModel");
    if (name == NULL)
        name = info(obj, "PCIDevice");
    list->items[i].pci = pci != NULL ? pci : "";
    list->items[i].name = name != NULL ? name : "";
}

void gpu_find(hwloc_topology_t topology, struct gpu_list *ret)
{
    ret->n = 0;
    find_pci(topology, ret);
    if (ret->n == 0)
        find_os_devices(topology, ret);
    if (ret->n == 0)
        find_marked(topology, ret);
    qsort(ret->items, ret->n, sizeof(ret->items[0]), by_place);
    for (unsigned i = 0; i < ret->n; i++)
        describe(ret, i);
}

/* The GPU that an object of a distance matrix stands for; n: none (a package). */
static unsigned number_of(const struct gpu_list *gpus, hwloc_obj_t obj)
{
    for (;
         obj != NULL && (hwloc_obj_type_is_io(obj->type) || obj->type == HWLOC_OBJ_MISC);
         obj = obj->parent) {
        for (unsigned g = 0; g < gpus->n; g++) {
            if (gpus->items[g].obj == obj)
                return g;
        }
    }
    return gpus->n;
}

/* Copies a matrix over objects into one over GPUs; false: it speaks of less than two. */
static bool copy_links(const struct hwloc_distances_s *d,
                       const struct gpu_list *gpus,
                       uint32_t *links)
{
    AUTO_FREE(unsigned) numbers = xcalloc(d->nbobjs, sizeof(*numbers));
    unsigned n = gpus->n, known = 0;
    for (unsigned i = 0; i < d->nbobjs; i++) {
        numbers[i] = number_of(gpus, d->objs[i]);
        known += numbers[i] < n;
    }
    for (unsigned i = 0; i < d->nbobjs; i++) {
        for (unsigned k = 0; k < d->nbobjs; k++) {
            unsigned a = numbers[i], b = numbers[k];
            uint64_t speed = d->values[(size_t)i * d->nbobjs + k];
            if (a < n && b < n && a != b && speed > links[a * n + b])
                links[a * n + b] = speed < UINT32_MAX ? (uint32_t)speed : UINT32_MAX;
        }
    }
    return known > 1;
}

/* hwloc's matrix has NVSwitches as objects beside the GPUs, each of their ports one: its
 * own transformations turn them into links between GPUs. */
uint32_t *gpu_links(hwloc_topology_t topology, const struct gpu_list *gpus)
{
    static const char *const names[] = {"NVLinkBandwidth", "XGMIBandwidth"};
    if (gpus->n < 2)
        return NULL;
    AUTO_FREE(uint32_t) links = xcalloc((size_t)gpus->n * gpus->n, sizeof(*links));
    bool told = false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct hwloc_distances_s *d = NULL;
        unsigned n = 1;
        if (hwloc_distances_get_by_name(topology, names[i], &n, &d, 0) != 0 || n == 0)
            continue;
        if (hwloc_distances_transform(
                topology, d, HWLOC_DISTANCES_TRANSFORM_MERGE_SWITCH_PORTS, NULL, 0) == 0)
            (void)hwloc_distances_transform(
                topology, d, HWLOC_DISTANCES_TRANSFORM_TRANSITIVE_CLOSURE, NULL, 0);
        told = copy_links(d, gpus, links) || told;
        hwloc_distances_release(topology, d);
    }
    return told ? steal(&links) : NULL;
}

static int add_info(hwloc_obj_t obj, const char *name, const char *value)
{
    return value[0] == '\0' ? 0 : hwloc_obj_add_info(obj, name, value);
}

int gpu_insert(hwloc_topology_t topology,
               hwloc_obj_t obj,
               uint32_t vendor,
               const char *pci,
               const char *name,
               struct gm_error *err)
{
    hwloc_obj_t misc = hwloc_topology_insert_misc_object(topology, obj, GPU_MARK);
    char id[8] = "";
    if (vendor != 0)
        (void)snprintf(id, sizeof(id), "%04x", vendor & 0xffffu);
    if (misc == NULL || add_info(misc, "PCIVendorID", id) != 0 ||
        add_info(misc, "PCIBusID", pci) != 0 || add_info(misc, "GPUModel", name) != 0)
        return gm_fail(err, -EIO, "hwloc takes no GPU: %s", strerror(errno));
    return 0;
}

/* The smallest object with all PUs of `cpus`; the machine where they are not told. */
static hwloc_obj_t around(hwloc_topology_t t, const struct idset *cpus)
{
    hwloc_obj_t root = hwloc_get_root_obj(t);
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    if (set == NULL || cpus == NULL) {
        hwloc_bitmap_free(set);
        return root;
    }
    for (int64_t i = idset_next(cpus, 0); i >= 0; i = idset_next(cpus, (unsigned)i + 1))
        (void)hwloc_bitmap_set(set, (unsigned)i);
    (void)hwloc_bitmap_and(set, set, root->cpuset);
    hwloc_obj_t obj =
        hwloc_bitmap_iszero(set) ? NULL : hwloc_get_obj_covering_cpuset(t, set);
    hwloc_bitmap_free(set);
    return obj != NULL ? obj : root;
}

static int add_links(hwloc_topology_t t,
                     const struct nvml_report *r,
                     const struct gpu_list *gpus,
                     struct gm_error *err)
{
    hwloc_obj_t objs[GPU_MOST];
    unsigned at[GPU_MOST], n = 0;
    for (unsigned i = 0; i < r->n; i++) {
        for (unsigned g = 0; g < gpus->n; g++) {
            if (n < GPU_MOST && strcmp(gpus->items[g].pci, r->gpus[i].pci) == 0) {
                objs[n] = gpus->items[g].obj;
                at[n++] = i;
            }
        }
    }
    if (r->links == NULL || n < 2)
        return 0;
    AUTO_FREE(hwloc_uint64_t) values = xcalloc((size_t)n * n, sizeof(*values));
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < n; k++)
            values[i * n + k] = r->links[at[i] * r->n + at[k]];
    }
    unsigned long kind =
        HWLOC_DISTANCES_KIND_FROM_OS | HWLOC_DISTANCES_KIND_MEANS_BANDWIDTH;
    hwloc_distances_add_handle_t handle =
        hwloc_distances_add_create(t, "NVLinkBandwidth", kind, 0);
    if (handle == NULL ||
        hwloc_distances_add_values(t, handle, n, objs, values, 0) != 0 ||
        hwloc_distances_add_commit(t, handle, 0) != 0)
        return gm_fail(err, -EIO, "hwloc takes no links: %s", strerror(errno));
    return 0;
}

int gpu_complete(hwloc_topology_t topology,
                 const struct nvml_report *report,
                 struct gm_error *err)
{
    struct gpu_list gpus;
    gpu_find(topology, &gpus);
    int rc = 0;
    bool unseen = gpus.n == 0;
    for (unsigned i = 0; rc == 0 && i < report->n; i++) {
        const struct nvml_gpu *g = &report->gpus[i];
        if (unseen)
            rc = gpu_insert(
                topology, around(topology, g->cpus), VENDOR_NVIDIA, g->pci, g->name, err);
        for (unsigned k = 0; rc == 0 && k < gpus.n; k++) {
            hwloc_obj_t obj = gpus.items[k].obj;
            if (strcmp(gpus.items[k].pci, g->pci) == 0 && info(obj, "GPUModel") == NULL &&
                add_info(obj, "GPUModel", g->name) != 0)
                rc = gm_fail(err, -ENOMEM, "out of memory");
        }
    }
    if (rc == 0 && unseen)
        gpu_find(topology, &gpus);
    return rc == 0 ? add_links(topology, report, &gpus, err) : rc;
}
