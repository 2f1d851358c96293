/* The GPUs of an hwloc topology: which objects they are, their names and their links; and
 * how GPUs that hwloc does not see by itself are put into a topology, so that its XML
 * carries them. */
#ifndef TOPO_GPU_H
#define TOPO_GPU_H

#include "gridmill/error.h"
#include <hwloc.h>

enum { GPU_MOST = 256 }; /* of a host */

/* A GPU that no PCI device stands for is a Misc object of this name. */
#define GPU_MARK "GridmillGPU"

struct gpu_list {
    struct {
        hwloc_obj_t obj; /* PCI device, OS device or Misc: its parent says where it is */
        uint32_t vendor; /* PCI vendor; 0: not known */
        const char *pci, *name; /* borrowed from the topology, or from `text`; or "" */
        char text[16];
    } items[GPU_MOST]; /* in the order of their PCI addresses, else of the tree */
    unsigned n;
};

void gpu_find(hwloc_topology_t topology, struct gpu_list *ret);

/* [n * n] MB/s as in topo_shape.gpu_links; NULL: the topology tells nothing. */
uint32_t *gpu_links(hwloc_topology_t topology, const struct gpu_list *gpus);

/* One more GPU below obj, known by its mark. pci and name may be "". The topology keeps
 * Misc objects (SHAPE_MISC). */
int gpu_insert(hwloc_topology_t topology,
               hwloc_obj_t obj,
               uint32_t vendor,
               const char *pci,
               const char *name,
               struct gm_error *err);

struct nvml_report;
/* What the driver knows beyond hwloc: names and links of the GPUs that are PCI devices in
 * the topology; where there are none at all, the GPUs themselves, by their CPU affinity.
 */
int gpu_complete(hwloc_topology_t topology,
                 const struct nvml_report *report,
                 struct gm_error *err);

#endif
