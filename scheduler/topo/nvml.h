/* What NVIDIA's driver says of the GPUs: its library is opened when it is asked, so a
 * machine without one builds and runs the same. */
#ifndef TOPO_NVML_H
#define TOPO_NVML_H

#include "base/idset.h"

#define NVML_LIBRARY "libnvidia-ml.so.1"

struct nvml_gpu {
    char pci[16]; /* "0000:3b:00.0" */
    char name[96];
    struct idset *cpus; /* near it; NULL: not told */
};

struct nvml_report {
    struct nvml_gpu *gpus; /* as NVML counts them: by PCI address */
    unsigned n;
    uint32_t *links; /* [n * n] MB/s over NVLink, 0: none; NULL: no link is up */
};

/* Is there a driver at all? Two looks into /dev and /proc. */
bool nvml_there(void);
/* -ENODEV: the library is not there, is none, or does not start. */
int nvml_read(const char *library, struct nvml_report **ret, struct gm_error *err);
void nvml_report_free(struct nvml_report *r); /* takes NULL */

AUTO_TYPE(nvml_report, nvml_report_free)

#endif
