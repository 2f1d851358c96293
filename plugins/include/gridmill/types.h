/* Numbers that plugins and Gridmill share. Values have gaps so that a level can be added;
 * a value, once published, keeps its meaning. */
#ifndef GRIDMILL_TYPES_H
#define GRIDMILL_TYPES_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define GM_EXPORT __attribute__((visibility("default")))
#else
#define GM_EXPORT
#endif

/* Levels of the machine, outermost first. */
enum gm_kind {
    GM_CLUSTER = 10,
    GM_HOST = 20,
    GM_PACKAGE = 30,
    GM_NUMA = 40,
    GM_CACHE = 50,
    GM_CORE = 60,
    GM_PU = 70,
    GM_GPU = 80,
    GM_NIC = 90
};

/* Element types of tensors; in memory and in files little-endian. */
enum gm_dtype { GM_U8 = 10, GM_I32 = 20, GM_I64 = 30, GM_F32 = 40, GM_F64 = 50 };

#define GM_MAX_DIMS 8

/* Bytes of one element; 0 for a number that is no dtype. */
static inline size_t gm_dtype_size(uint32_t dtype)
{
    switch (dtype) {
    case GM_U8:
        return 1;
    case GM_I32:
    case GM_F32:
        return 4;
    case GM_I64:
    case GM_F64:
        return 8;
    default:
        return 0;
    }
}

/* The names that the results and `gridmill kernels` show: numpy's. */
static inline const char *gm_dtype_name(uint32_t dtype)
{
    switch (dtype) {
    case GM_U8:
        return "uint8";
    case GM_I32:
        return "int32";
    case GM_I64:
        return "int64";
    case GM_F32:
        return "float32";
    case GM_F64:
        return "float64";
    default:
        return "?";
    }
}

#endif
