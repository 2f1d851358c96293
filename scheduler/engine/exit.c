/* The exit codes, and the kernels that are linked in. Invariant: what a program exits
 * with is decided here and in outcome.c, nowhere else. */
#include "engine.h"
#include "plugins/kernel/table.h"

enum engine_exit engine_exit_for(int code)
{
    switch (-code) {
    case 0:
        return ENGINE_DONE;
    case ENOSPC: /* cores: full now; a disk: full now. Both end with room made elsewhere
                  */
    case EOVERFLOW:
        return ENGINE_CANNOT_FIT;
    case ENOMEM:
    case EIO:
    case EPROTO:
    case EMFILE:
    case ENFILE:
    case EFAULT:
        return ENGINE_INTERNAL;
    case ECANCELED:
    case EOWNERDEAD:
    case ETIMEDOUT:
    case EINTR:
        return ENGINE_INCOMPLETE;
    default:
        return ENGINE_USAGE;
    }
}

const struct gm_kernel *const *engine_kernels(unsigned *ret_n)
{
    return plugin_kernels(ret_n);
}
