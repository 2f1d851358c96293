/* See version.h. The texts come from CMake (CMakeLists.txt of this folder). */
#include "version.h"
#include <stddef.h>

const char *version_text(void)
{
    return GRIDMILL_VERSION;
}

const char *version_build(void)
{
    return GRIDMILL_VERSION "+" GRIDMILL_BUILD;
}

const char *const *version_libraries(void)
{
    static const char *const pairs[] = {GRIDMILL_LIBRARIES NULL};
    return pairs;
}
