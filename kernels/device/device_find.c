/* gridmill_cuda.so: looked for where GRIDMILL_CUDA_SO says, else beside this program,
 * else in the install's folder of libraries. Nothing of it is called before its numbers
 * are compared, and it stays in memory once it was opened (its libraries start threads).
 */
#include "device_entry.h"

#include "base/arena.h"
#include "base/dso.h"
#include "base/file.h"
#include <stdlib.h>
#include <string.h>

#define OBJECT "gridmill_cuda.so"

/* The folder of this program's file. */
static const char *beside(struct arena *a)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0)
        return NULL;
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash != NULL)
        *slash = '\0';
    return arena_printf(a, "%s", self);
}

static int
find_file(struct arena *a, bool *ret_named, const char **ret, struct gm_error *err)
{
    const char *named = getenv("GRIDMILL_CUDA_SO");
    *ret_named = named != NULL && *named != '\0';
    if (*ret_named) {
        *ret = strchr(named, '/') != NULL ? named : arena_printf(a, "./%s", named);
        if (!file_exists(*ret))
            return gm_fail(err, -ENODEV, "GRIDMILL_CUDA_SO: %s: no such file", named);
        return 0;
    }
    const char *folder = beside(a);
    const char *first = arena_printf(a, "%s/" OBJECT, folder == NULL ? "." : folder);
    const char *second = arena_printf(
        a, "%s/" GRIDMILL_CUDA_FOLDER "/" OBJECT, folder == NULL ? "." : folder);
    if (file_exists(first) || file_exists(second)) {
        *ret = file_exists(first) ? first : second;
        return 0;
    }
    if (*GRIDMILL_CUDA_WHY_NOT != '\0')
        return gm_fail(err, -ENODEV, "this build has no CUDA: " GRIDMILL_CUDA_WHY_NOT);
    AUTO_FREE(char) path = file_absolute(NULL, second);
    return gm_fail(err,
                   -ENODEV,
                   OBJECT " is neither beside this program (%s) nor at %s: put it there, "
                          "or name it in GRIDMILL_CUDA_SO",
                   first,
                   path);
}

/* Without a driver nothing else matters, and CUDA's libraries take long to open. */
static int find_driver(struct gm_error *err)
{
    AUTO(dso) driver = NULL;
    if (dso_open("libcuda.so.1", &driver, NULL) != 0)
        return gm_fail(err,
                       -ENODEV,
                       "cuda: this machine has no NVIDIA driver (libcuda.so.1 cannot be "
                       "opened)");
    return 0;
}

static int differ(const char *path,
                  const char *what,
                  uint32_t theirs,
                  size_t ours,
                  struct gm_error *err)
{
    return gm_fail(
        err,
        -ENODEV,
        "%s: its %s is %u where this program's is %zu: both must come from one "
        "build",
        path,
        what,
        theirs,
        ours);
}

/* In this order: of another abi's entry nothing else may be read. */
static int compare(const char *path, const struct device_entry *e, struct gm_error *err)
{
    if (e->abi != DEVICE_ABI)
        return differ(path, "abi", e->abi, DEVICE_ABI, err);
    if (e->size != sizeof(*e))
        return differ(path, "entry's size", e->size, sizeof(*e), err);
    if (e->device_size != sizeof(struct device))
        return differ(path, "device's size", e->device_size, sizeof(struct device), err);
    if (e->table_size != sizeof(struct device_table))
        return differ(
            path, "table's size", e->table_size, sizeof(struct device_table), err);
    if (e->error_size != sizeof(struct gm_error))
        return differ(path, "error's size", e->error_size, sizeof(struct gm_error), err);
    return 0;
}

int device_find_cuda(struct dso **ret,
                     const struct device_entry **ret_entry,
                     struct gm_error *err)
{
    AUTO(arena) a = arena_make();
    AUTO(dso) d = NULL;
    const char *path = NULL;
    bool named = false;
    int rc = find_file(a, &named, &path, err);
    if (rc == 0 && !named)
        rc = find_driver(err);
    if (rc != 0)
        return rc;
    if (dso_open(path, &d, err) != 0) { /* the loader's words name a file */
        (void)gm_prefix(
            err, "%s", named ? "GRIDMILL_CUDA_SO" : OBJECT " cannot be opened");
        if (err != NULL)
            err->code = -ENODEV;
        return -ENODEV;
    }
    const struct device_entry *entry = dso_symbol(d, DEVICE_ENTRY_SYMBOL);
    if (entry == NULL)
        return gm_fail(err,
                       -ENODEV,
                       "%s: has no symbol " DEVICE_ENTRY_SYMBOL
                       ": it is no object of Gridmill's devices",
                       path);
    rc = compare(path, entry, err);
    if (rc != 0)
        return rc;
    *ret_entry = entry;
    *ret = steal(&d);
    return 0;
}
