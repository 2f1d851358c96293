/* The kernels that are linked in. The list stands once, in plugins/CMakeLists.txt. */
#ifndef PLUGINS_KERNEL_TABLE_H
#define PLUGINS_KERNEL_TABLE_H

#include "gridmill/kernel.h"

const struct gm_kernel *const *plugin_kernels(unsigned *ret_n);

#endif
