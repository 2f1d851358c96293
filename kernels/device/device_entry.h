/* What a shared object with a device's operators exports, as `gridmill_device`. The one
 * contract between the programs and gridmill_cuda.so, which may come from another build:
 * each looks at the numbers of the other before a function is called. */
#ifndef DEVICE_DEVICE_ENTRY_H
#define DEVICE_DEVICE_ENTRY_H

#include "device.h"

#define DEVICE_ENTRY_SYMBOL "gridmill_device"

struct device_entry {
    uint32_t abi, size;   /* DEVICE_ABI, sizeof(struct device_entry) */
    uint32_t device_size; /* sizeof(struct device) */
    uint32_t table_size;  /* sizeof(struct device_table) */
    uint32_t error_size;  /* sizeof(struct gm_error) */
    uint32_t reserved;
    const char *name; /* "cuda" */
    /* `which`: what stands behind "cuda:", "0" where nothing does. probe: open's text,
     * and no more. */
    int (*probe)(const char *which, char ret_text[128], struct gm_error *err);
    int (*open)(const char *which, struct device **ret, struct gm_error *err);
};

/* "cpu": linked in. */
int device_cpu_open(struct device **ret, struct gm_error *err);
extern const struct device_table device_cpu_table;

/* The object of cuda's operators: opened, and its numbers compared. -ENODEV says where
 * it was looked for, or which numbers differ. */
int device_find_cuda(struct dso **ret,
                     const struct device_entry **ret_entry,
                     struct gm_error *err);

#endif
