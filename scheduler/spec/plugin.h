/* Kernels in shared objects: a table is looked at as a whole before any of it is used.
 * GRIDMILL_PLUGIN_PATH names folders ("A:B"): what their *.so show is known by its name
 * alone, as what is linked in is. */
#ifndef SPEC_PLUGIN_H
#define SPEC_PLUGIN_H

#include "base/arena.h"
#include "gridmill/kernel.h"
#include <stdbool.h>

struct dso;

/* The kernel `name` of `d`, whose file sentences call `file`; *ret lives as long as both
 * `d` and `a`. -ENOENT: it shows none of that name; -EINVAL: one that cannot be used. */
int plugin_take(struct arena *a,
                struct dso *d,
                const char *file,
                const char *name,
                const struct gm_kernel **ret,
                struct gm_error *err);
bool plugin_is_name(const char *text);

struct plugin_found {
    const char *name;               /* "" for a file that could not be opened */
    const char *file;               /* absolute */
    const struct gm_kernel *kernel; /* NULL: cannot be used */
    const char *why;                /* ... because; or what is to be said of it */
};

struct plugin_list {
    struct arena *arena;
    struct plugin_found *items; /* folder by folder, files by name */
    size_t n;
    struct dso **dsos;
    size_t n_dsos;
};

/* All kernels that the folders' files show, and the files that cannot be used; of two of
 * one name, and of one whose name a `linked` kernel has, each is told. NULL or "": none.
 */
struct plugin_list *plugin_list_make(const char *folders,
                                     const struct gm_kernel *const *linked,
                                     unsigned n_linked);
/* The same of one file. */
struct plugin_list *plugin_list_of(const char *file);
void plugin_list_free(struct plugin_list *l); /* takes NULL */
/* The one usable kernel of a name. -ENOENT: there is none (err says which files could not
 * be used, if any); -EEXIST: two. */
int plugin_list_find(const struct plugin_list *l,
                     const char *name,
                     const struct plugin_found **ret,
                     struct gm_error *err);

#endif
