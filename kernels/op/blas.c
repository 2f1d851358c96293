/* See blas.h. The library stays open until the process ends: its threads run its code.
 * Invariant: `loaded` is written once, under pthread_once, and whole or not at all. */
#include "blas.h"

#include "base/dso.h"
#include <pthread.h>
#include <stdbool.h>

#define SONAME "libopenblas.so.0" /* its ABI since 0.2: Debian's libopenblas0 */

static struct {
    pthread_once_t once;
    bool open;
    struct dso *library;
    struct blas table;
    struct gm_error why_not;
} loaded = {.once = PTHREAD_ONCE_INIT};

/* POSIX has dlsym's void * hold a function; ISO C wants it copied. */
static bool find(struct dso *library, const char *name, void *ret, struct gm_error *err)
{
    void *symbol = dso_symbol(library, name);
    if (symbol == NULL) {
        (void)gm_fail(err, -ENOENT, SONAME ": has no %s", name);
        return false;
    }
    memcpy(ret, &symbol, sizeof(symbol));
    return true;
}

static void load(void)
{
    struct gm_error *err = &loaded.why_not;
    if (dso_open(SONAME, &loaded.library, err) < 0)
        return;
    struct dso *library = loaded.library;
    loaded.open =
        find(library, "cblas_dgemm", &loaded.table.dgemm, err) &&
        find(library, "openblas_set_num_threads", &loaded.table.set_num_threads, err) &&
        find(library, "openblas_get_config", &loaded.table.get_config, err);
    if (!loaded.open) {
        dso_close(library);
        loaded.library = NULL;
    }
}

const struct blas *blas_get(struct gm_error *err)
{
    (void)pthread_once(&loaded.once, load);
    if (loaded.open)
        return &loaded.table;
    (void)gm_fail(err, -ENODEV, "OpenBLAS: %s", loaded.why_not.text);
    return NULL;
}
