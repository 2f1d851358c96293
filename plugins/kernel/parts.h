/* A checkpoint's parts, back into memory of a known length. Private to plugins/kernel. */
#ifndef PLUGINS_KERNEL_PARTS_H
#define PLUGINS_KERNEL_PARTS_H

#include "gridmill/kernel.h"

/* Part `part` of the group's first rank, which must have nbytes. */
static inline int parts_take(const struct gm_loader *loader,
                             unsigned part,
                             void *to,
                             size_t nbytes,
                             struct gm_error *err)
{
    const void *data;
    size_t has;
    int rc = loader->get(loader, 0, part, &data, &has, err);
    if (rc < 0)
        return rc;
    if (has != nbytes)
        return gm_fail(err, -EINVAL, "part %u has %zu bytes, not %zu", part, has, nbytes);
    memcpy(to, data, nbytes);
    return 0;
}

#endif
