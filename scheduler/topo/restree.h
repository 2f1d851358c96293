/* The machine's shape: hosts, packages, NUMA nodes, caches, cores, PUs, GPUs. Immutable;
 * equal hosts share one shape. Who holds what is apart: occupancy.h.
 *
 * A shape is one flat array of nodes in depth-first order; the root (node 0) is the host.
 * PUs that this process may not use (cgroup, affinity mask, offline) are not in it. A
 * NUMA node that has cores holds what hangs below it; one with memory alone (CXL, HBM) is
 * a leaf without PUs. Caches are there where several cores share them, and level 3
 * always. Where the machine tells no cores, each PU is one. */
#ifndef TOPO_RESTREE_H
#define TOPO_RESTREE_H

#include "base/idset.h"
#include "gridmill/types.h"

/* What a NUMA node's memory is. */
enum topo_memory {
    TOPO_DRAM = 0,
    TOPO_HBM, /* high bandwidth memory beside DRAM (KNL's MCDRAM, Xeon Max) */
    TOPO_GPU_MEMORY,
    TOPO_FAR /* CXL, persistent memory: larger and slower than DRAM */
};

struct topo_node {
    uint32_t kind;     /* enum gm_kind */
    uint32_t os_index; /* as the kernel numbers it; PUs count per host. GPUs: 0, 1, ...
                          in the order of their PCI addresses, one vendor's alone;
                          caches: in tree order */
    uint32_t parent;   /* node index; the root's is its own */
    uint32_t end;      /* nodes (i, end) are below this one */
    uint32_t first_pu, n_pus; /* its PUs: shape->pus[first_pu ...] */
    uint32_t n_cores, n_gpus; /* below and including itself */
    uint64_t bytes;           /* NUMA: memory; cache: size; else 0 */
    uint32_t level;           /* cache: 1, 2, 3 */
    uint32_t trait; /* core: its efficiency class, 0 the slowest (one class: 0); NUMA:
                       enum topo_memory; else 0 */
};

struct topo_gpu {
    char pci[16];     /* "0000:3b:00.0"; "" where it is not known */
    uint32_t vendor;  /* PCI vendor: 0x10de NVIDIA, 0x1002 AMD */
    uint32_t node;    /* in shape->nodes: a GM_GPU */
    const char *name; /* "NVIDIA H100 80GB HBM3", or "" */
};

struct topo_shape {
    struct topo_node *nodes;
    unsigned n_nodes;
    uint32_t *pus; /* OS indices in tree order */
    unsigned n_pus, n_cores, n_packages, n_numas, n_gpus;
    struct topo_gpu *gpus; /* [n_gpus], by number */
    /* [n_gpus * n_gpus] bandwidth of the direct link (NVLink, xGMI) in MB/s, 0: none
     * (they speak over PCI). NULL: the machine tells nothing. */
    uint32_t *gpu_links;
    uint32_t private_caches; /* bit l: level-l data caches are there, one a core: they are
                                no nodes, a core stands for its own */
    unsigned n_kinds;        /* efficiency classes of cores: 1, but for hybrid CPUs */
    char *xml;               /* hwloc's export (v2) */
    char digest[65]; /* of the xml with what differs between equal hosts left out */
    char *cpu_model; /* "AMD EPYC ..." or "" */
};

struct topo_host {
    char *name;
    unsigned shape;
    unsigned properties; /* index in restree.properties */
    unsigned slots; /* at most so many ranks (hosts: a:2, a launcher's word); 0: as many
                       as fit */
};

/* What a site says of hosts ("gpu", "bigmem"): constraints ask for it. */
struct topo_properties {
    char **names;
    unsigned n;
};

struct restree {
    struct topo_host *hosts;
    unsigned n_hosts;
    struct topo_shape *shapes;
    unsigned n_shapes;
    struct topo_properties *properties; /* [0], where there is any, has no names */
    unsigned n_properties;
};

/* This host, as this process may use it: its cgroup and its affinity mask. GPUs are those
 * that hwloc sees; where NVIDIA's driver is loaded, NVML tells their names and links, and
 * the GPUs themselves where a container hides the PCI devices. */
int restree_load_host(struct restree **ret, struct gm_error *err);
/* This host, as its cgroup allows, whatever this process's own affinity mask: what a rank
 * that a foreign launcher bound needs to see its neighbours' cores (narrow it by
 * load_xml's cpus). */
int restree_load_machine(struct restree **ret, struct gm_error *err);
/* A host from hwloc XML text (versions 1 and 2), named `host`. The sets of allowed PUs
 * that the text has are kept to. cpus (NULL: all): the PUs allowed there.
 *
 * -EINVAL: "HOST: line 7: ...", for what is no XML, cut off, of another version, without
 * PUs, or beyond the limits of xmlcheck.h (16,384 PUs, 64 MiB). Of a shape's own `xml`
 * all is read back as it was, the GPUs of a synthetic text and of NVML as well (they are
 * Misc objects "GridmillGPU" there, which hwloc's tools show but count as no device); not
 * in it are the names of hosts and how many there are, slots and properties. */
int restree_load_xml(const char *xml,
                     size_t len,
                     const char *host,
                     const struct idset *cpus,
                     struct restree **ret,
                     struct gm_error *err);
/* The same for text of unknown origin: a child process reads it first, since what hwloc
 * makes of a damaged text may be a crash. Not after MPI_Init. -EINVAL: also "HOST:
 * damaged: hwloc crashes on it". */
int restree_load_foreign(const char *xml,
                         size_t len,
                         const char *host,
                         struct restree **ret,
                         struct gm_error *err);
/* hwloc's synthetic description, "pack:2 numa:1 core:4 pu:2" ("pu:1" at the end may be
 * left out), with two words of ours:
 *
 *   host:3  in front: three such hosts, n0, n1, n2; without it one, n0
 *   gpu:2   behind host, pack, die, numa or l3: each such object has two GPUs
 *           ("pack:2 gpu:2 core:4"); at the end of the text: each NUMA node, where the
 *           text has none each package, else the host. Once in a text; without vendor,
 *           PCI address, name or links.
 *
 * -EINVAL: "'TEXT': character 12: ..."; more than 65,536 hosts, 256 GPUs a host or 16,384
 * PUs a host are refused, and objects side by side that hwloc takes minutes for. */
int restree_load_synthetic(const char *text, struct restree **ret, struct gm_error *err);
/* Adds the hosts of `more` (emptied and freed) to `tree`; equal shapes become one. */
void restree_join(struct restree *tree, struct restree *more);
void restree_free(struct restree *tree); /* takes NULL */

static inline const struct topo_shape *restree_shape(const struct restree *tree,
                                                     unsigned host)
{
    return &tree->shapes[tree->hosts[host].shape];
}

/* Bytes of the NUMA nodes at or below a node, whatever kind they are. */
static inline uint64_t restree_bytes(const struct topo_shape *s, unsigned node)
{
    uint64_t bytes = 0;
    for (unsigned i = node; i < s->nodes[node].end; i++)
        bytes += s->nodes[i].kind == GM_NUMA ? s->nodes[i].bytes : 0;
    return bytes;
}

AUTO_TYPE(restree, restree_free)

#endif
