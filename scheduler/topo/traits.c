/* See traits.h. Of a NUMA node's memory the first that tells decides: the subtype (hwloc
 * 2.9 writes "MCDRAM", "HBM", "GPUMemory", "CXL-DRAM", "NVM"; a "DRAM" in front of
 * another word is that word's), the attributes DAXType and CXLDevice, POWER9's GPU nodes,
 * and its bandwidth beside that of the lowest-numbered node, which the firmware gives to
 * DRAM where there is any. What nothing tells is DRAM. */
#include "traits.h"
#include "base/memory.h"
#include "gpu.h"

#include <hwloc/cpukinds.h>
#include <hwloc/memattrs.h>

/* A node this much faster than DRAM is HBM, this much slower is far. MCDRAM has 4 to 5
 * times DRAM's bandwidth, Xeon Max 4, CXL and NVM a half and less. */
static const double fast = 1.5, slow = 0.5;

static int by_words(hwloc_obj_t numa)
{
    static const struct {
        const char *word;
        enum topo_memory is;
    } rows[] = {
        {"GPUMemory", TOPO_GPU_MEMORY},
        {"CXL", TOPO_FAR},
        {"NVM", TOPO_FAR},
        {"DAX", TOPO_FAR},
        {"MCDRAM", TOPO_HBM},
        {"HBM", TOPO_HBM},
        {"DRAM", TOPO_DRAM},
    };
    for (size_t i = 0; numa->subtype != NULL && i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strstr(numa->subtype, rows[i].word) != NULL)
            return (int)rows[i].is;
    }
    const char *dax = hwloc_obj_get_info_by_name(numa, "DAXType");
    bool nvm = dax != NULL && strcmp(dax, "NVM") == 0;
    return nvm || hwloc_obj_get_info_by_name(numa, "CXLDevice") != NULL ? TOPO_FAR : -1;
}

/* POWER9's driver puts the memory of each V100 online as a node without cores. */
static bool is_power9_gpu(hwloc_topology_t t, hwloc_obj_t numa)
{
    const char *cpu = hwloc_obj_get_info_by_name(hwloc_get_root_obj(t), "Architecture");
    if (cpu == NULL || strncmp(cpu, "ppc64", 5) != 0 ||
        !hwloc_bitmap_iszero(numa->complete_cpuset))
        return false;
    struct gpu_list gpus;
    gpu_find(t, &gpus);
    unsigned bare = 0;
    hwloc_obj_t n = NULL;
    while ((n = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_NUMANODE, n)) != NULL)
        bare += hwloc_bitmap_iszero(n->complete_cpuset) != 0;
    return gpus.n > 0 && bare == gpus.n;
}

/* 0: not told. */
static uint64_t bandwidth(hwloc_topology_t t, hwloc_obj_t numa)
{
    struct hwloc_location from;
    hwloc_uint64_t value = 0;
    int rc = hwloc_memattr_get_best_initiator(
        t, HWLOC_MEMATTR_ID_BANDWIDTH, numa, 0, &from, &value);
    return rc == 0 ? value : 0;
}

static hwloc_obj_t lowest(hwloc_topology_t t)
{
    hwloc_obj_t n = NULL, best = NULL;
    while ((n = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_NUMANODE, n)) != NULL) {
        if (best == NULL || n->os_index < best->os_index)
            best = n;
    }
    return best;
}

enum topo_memory traits_memory(hwloc_topology_t topology, hwloc_obj_t numa)
{
    int told = by_words(numa);
    if (told >= 0)
        return (enum topo_memory)told;
    if (hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE) < 2)
        return TOPO_DRAM;
    if (is_power9_gpu(topology, numa))
        return TOPO_GPU_MEMORY;
    double own = (double)bandwidth(topology, numa);
    double dram = (double)bandwidth(topology, lowest(topology));
    if (own > 0 && dram > 0 && own > fast * dram)
        return TOPO_HBM;
    return own > 0 && dram > 0 && own < slow * dram ? TOPO_FAR : TOPO_DRAM;
}

uint32_t traits_efficiency(hwloc_topology_t topology, hwloc_const_bitmap_t pus)
{
    if (hwloc_cpukinds_get_nr(topology, 0) < 2)
        return 0;
    hwloc_bitmap_t one = hwloc_bitmap_alloc();
    int least = INT32_MAX;
    int pu;
    hwloc_bitmap_foreach_begin(pu, pus)
    {
        int efficiency = 0;
        (void)hwloc_bitmap_only(one, (unsigned)pu);
        int kind = hwloc_cpukinds_get_by_cpuset(topology, one, 0);
        if (kind < 0 || hwloc_cpukinds_get_info(
                            topology, (unsigned)kind, NULL, &efficiency, NULL, NULL, 0))
            efficiency = 0;
        if (efficiency < least)
            least = efficiency;
    }
    hwloc_bitmap_foreach_end();
    hwloc_bitmap_free(one);
    return least > 0 && least < INT32_MAX ? (uint32_t)least : 0;
}

void traits_rank_cores(struct topo_shape *s)
{
    uint32_t most = 0;
    for (unsigned i = 0; i < s->n_nodes; i++) {
        if (s->nodes[i].kind == GM_CORE && s->nodes[i].trait > most)
            most = s->nodes[i].trait;
    }
    AUTO_FREE(uint32_t) rank = xcalloc((size_t)most + 1, sizeof(*rank));
    for (unsigned i = 0; i < s->n_nodes; i++) {
        if (s->nodes[i].kind == GM_CORE)
            rank[s->nodes[i].trait] = 1;
    }
    s->n_kinds = 0;
    for (uint32_t e = 0; e <= most; e++)
        rank[e] = rank[e] != 0 ? s->n_kinds++ : 0;
    for (unsigned i = 0; i < s->n_nodes; i++) {
        if (s->nodes[i].kind == GM_CORE)
            s->nodes[i].trait = rank[s->nodes[i].trait];
    }
    s->n_kinds = s->n_kinds > 0 ? s->n_kinds : 1;
}
