/* What the engine knows without a job: exit codes, the kernels that are linked in, where
 * the runner is. Invariant: what a program exits with is decided here and in outcome.c.
 */
#include "base/file.h"
#include "base/str.h"
#include "engine.h"
#include "plugins/kernel/table.h"
#include <limits.h>
#include <stdlib.h>

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

const char *engine_plugin_path(void)
{
    return getenv("GRIDMILL_PLUGIN_PATH");
}

int engine_find_runner(const char *given, char **ret, struct gm_error *err)
{
    AUTO_STR path = {0};
    if (given != NULL) {
        str_add(&path, given);
    } else {
        char self[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        if (n < 0)
            return gm_fail(err, -errno, "/proc/self/exe: %s", strerror(errno));
        self[n] = '\0';
        AUTO_FREE(char) dir = file_dirname(self);
        str_printf(&path, "%s/gridmill-runner", dir);
    }
    if (access(path.text, X_OK) != 0)
        return gm_fail(err,
                       -errno,
                       "%s: %s: gridmill-runner belongs beside gridmill (install both)",
                       path.text,
                       strerror(errno));
    *ret = str_steal(&path);
    return 0;
}
