/* The published layout of every struct that crosses the plugin boundary, on LP64. A
 * plugin built against an older header relies on these numbers: a field may be added at
 * the end of a struct that carries its size, and nothing else may move without a new
 * GM_KERNEL_ABI. */
#include "gridmill/kernel.h"
#include <stdio.h>

#define AT(type, field, offset)                                                          \
    _Static_assert(offsetof(struct type, field) == (offset),                             \
                   #type "." #field " moved: GM_KERNEL_ABI must change")
#define SIZE(type, bytes)                                                                \
    _Static_assert(sizeof(struct type) == (bytes), #type " changed its size")

_Static_assert(GM_KERNEL_ABI == 1, "a new ABI: publish its layout here");

AT(gm_error, code, 0);
AT(gm_error, text, 4);
SIZE(gm_error, 512);

AT(gm_param_spec, name, 0);
AT(gm_param_spec, help, 8);
AT(gm_param_spec, unit, 16);
AT(gm_param_spec, preset, 24);
AT(gm_param_spec, choices, 32);
AT(gm_param_spec, min, 40);
AT(gm_param_spec, max, 48);
AT(gm_param_spec, type, 56);
AT(gm_param_spec, flags, 60);
SIZE(gm_param_spec, 64);

AT(gm_value, type, 0);
AT(gm_value, n, 4);
AT(gm_value, as, 8);
SIZE(gm_value, 16);

AT(gm_params, specs, 0);
AT(gm_params, values, 8);
AT(gm_params, n, 16);

AT(gm_output_spec, name, 0);
AT(gm_output_spec, help, 8);
AT(gm_output_spec, unit, 16);
AT(gm_output_spec, shape, 24);
AT(gm_output_spec, weight, 32);
AT(gm_output_spec, dtype, 40);
AT(gm_output_spec, ndim, 44);
AT(gm_output_spec, flags, 48);
AT(gm_output_spec, summary, 52);
SIZE(gm_output_spec, 56);

AT(gm_comm, size, 0);
AT(gm_comm, rank, 4);
AT(gm_comm, n_ranks, 8);
AT(gm_comm, impl, 16);
AT(gm_comm, sum, 24);
AT(gm_comm, bcast, 32);
AT(gm_comm, cancelled, 40);
AT(gm_comm, exchange, 48);
SIZE(gm_comm, 56);

AT(gm_slice, path, 0);
AT(gm_slice, unit, 8);
AT(gm_slice, index, 16);
AT(gm_slice, first, 24);
AT(gm_slice, count, 32);
AT(gm_slice, total, 40);

AT(gm_input, param, 0);
AT(gm_input, dtype, 4);
AT(gm_input, ndim, 8);
AT(gm_input, dims, 16);
AT(gm_input, data, 80);
AT(gm_input, nbytes, 88);
AT(gm_input, origin, 96);

AT(gm_task, size, 0);
AT(gm_task, index, 8);
AT(gm_task, seed, 16);
AT(gm_task, params, 24);
AT(gm_task, comm, 32);
AT(gm_task, shard, 40);
AT(gm_task, inputs, 48);
AT(gm_task, n_inputs, 56);
SIZE(gm_task, 64);

AT(gm_sink, size, 0);
AT(gm_sink, impl, 8);
AT(gm_sink, put, 16);
AT(gm_sink, append, 24);
SIZE(gm_sink, 32);

AT(gm_saver, size, 0);
AT(gm_saver, impl, 8);
AT(gm_saver, put, 16);

AT(gm_loader, size, 0);
AT(gm_loader, n_ranks, 4);
AT(gm_loader, impl, 8);
AT(gm_loader, get, 16);

AT(gm_seat, size, 0);
AT(gm_seat, n_threads, 4);
AT(gm_seat, n_gpus, 8);
AT(gm_seat, device, 16);
AT(gm_seat, cpus, 24);

AT(gm_kernel, abi, 0);
AT(gm_kernel, size, 4);
AT(gm_kernel, name, 8);
AT(gm_kernel, summary, 16);
AT(gm_kernel, params, 24);
AT(gm_kernel, n_params, 32);
AT(gm_kernel, outputs, 40);
AT(gm_kernel, n_outputs, 48);
AT(gm_kernel, traits, 52);
AT(gm_kernel, probe, 56);
AT(gm_kernel, open, 64);
AT(gm_kernel, begin, 72);
AT(gm_kernel, step, 80);
AT(gm_kernel, end, 88);
AT(gm_kernel, save, 96);
AT(gm_kernel, load, 104);
AT(gm_kernel, cost, 112);
AT(gm_kernel, close, 120);
AT(gm_kernel, device_class, 128); /* the first version had 128 bytes */
AT(gm_kernel, width, 136);
AT(gm_kernel, work, 144);
SIZE(gm_kernel, 152);

AT(gm_work, size, 0);
AT(gm_work, flops, 8);
AT(gm_work, flops64, 16);
AT(gm_work, bytes, 24);
AT(gm_work, gpu_s, 32);
SIZE(gm_work, 40);

/* The numbers plugins and files carry. */
_Static_assert(GM_U8 == 10 && GM_I32 == 20 && GM_I64 == 30 && GM_F32 == 40 &&
                   GM_F64 == 50,
               "a dtype changed its number");
_Static_assert(GM_MAX_DIMS == 8, "GM_MAX_DIMS is in gm_input's layout");

int main(void)
{
    puts("the layout is as published");
    return 0;
}
