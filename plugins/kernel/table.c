/* The table of built-in kernels. kernel_list.h is written by CMake: KERNEL(mlp_train) ...
 * in the order of its list; mlp_train.c defines mlp_train_kernel. */
#include "table.h"

#define KERNEL(file) extern const struct gm_kernel file##_kernel;
#include "kernel_list.h"
#undef KERNEL

#define KERNEL(file) &file##_kernel,
static const struct gm_kernel *const kernels[] = {
#include "kernel_list.h"
};
#undef KERNEL

const struct gm_kernel *const *plugin_kernels(unsigned *ret_n)
{
    *ret_n = sizeof(kernels) / sizeof(kernels[0]);
    return kernels;
}
