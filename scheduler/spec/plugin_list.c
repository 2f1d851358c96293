/* See plugin.h: kernels by name. Invariant: what stands in the list depends on the
 * folders' content alone, never on the order in which a file system names it. */
#include "base/dso.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "plugin.h"
#include <dirent.h>

#define SUFFIX "_kernel"

/* While one file's symbols are gone through. */
struct look {
    struct plugin_list *list;
    struct dso *dso;
    const char *file;
};

static struct plugin_found *
add(struct plugin_list *l, const char *name, const char *file, const char *why)
{
    l->items = xrealloc(l->items, l->n + 1, sizeof(*l->items));
    struct plugin_found *f = &l->items[l->n++];
    *f = (struct plugin_found){.name = arena_strdup(l->arena, name),
                               .file = file,
                               .why = arena_strdup(l->arena, why)};
    return f;
}

/* A table's own name, where there is room for it and a name it is; else the symbol's. */
static const char *name_of(struct look *look, const char *symbol, size_t bytes)
{
    const struct gm_kernel *k = dso_symbol(look->dso, symbol);
    size_t room = offsetof(struct gm_kernel, name) + sizeof(k->name);
    if (bytes >= room && k->abi == GM_KERNEL_ABI && k->name != NULL &&
        plugin_is_name(k->name))
        return k->name;
    return arena_copy(look->list->arena, symbol, strlen(symbol) - strlen(SUFFIX));
}

static void on_object(void *ctx, const char *symbol, size_t bytes)
{
    struct look *look = ctx;
    struct plugin_list *l = look->list;
    struct gm_error err = {0};
    const struct gm_kernel *k = NULL;
    if (bytes < 2 * sizeof(uint32_t)) /* no table: there is no room for its size */
        return;
    const char *name = name_of(look, symbol, bytes);
    int rc = plugin_take(l->arena, look->dso, look->file, name, &k, &err);
    add(l, name, look->file, rc == 0 ? NULL : err.text)->kernel = k;
}

static void look_at(struct plugin_list *l, const char *path)
{
    struct dso *d = NULL;
    struct gm_error err = {0};
    const char *file = arena_strdup(l->arena, path);
    if (dso_open(path, &d, &err) != 0) {
        (void)add(l, "", file, err.text);
        return;
    }
    l->dsos = xrealloc(l->dsos, l->n_dsos + 1, sizeof(*l->dsos));
    l->dsos[l->n_dsos++] = d;
    struct look look = {.list = l, .dso = d, .file = file};
    dso_objects(d, SUFFIX, on_object, &look);
}

static int is_shared_object(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 3 && strcmp(e->d_name + n - 3, ".so") == 0 && e->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void look_in(struct plugin_list *l, const char *folder)
{
    struct dirent **names = NULL;
    AUTO_FREE(char) dir = file_absolute(NULL, folder);
    int n = scandir(dir, &names, is_shared_object, by_bytes);
    if (n < 0) {
        AUTO_STR why = {0};
        str_printf(&why, "%s: %s (GRIDMILL_PLUGIN_PATH)", dir, strerror(errno));
        (void)add(l, "", arena_strdup(l->arena, dir), why.text);
    }
    for (int i = 0; i < n; i++) {
        AUTO_STR path = {0};
        str_printf(&path, "%s/%s", dir, names[i]->d_name);
        look_at(l, path.text);
        free(names[i]);
    }
    free(names);
}

static struct plugin_found *other_of(const struct plugin_list *l,
                                     const struct plugin_found *one)
{
    for (size_t i = 0; i < l->n; i++) {
        struct plugin_found *f = &l->items[i];
        if (f != one && f->kernel != NULL && strcmp(f->name, one->name) == 0)
            return f;
    }
    return NULL;
}

/* What a name alone does not mean, or not that. */
static void tell_of_twice(struct plugin_list *l,
                          const struct gm_kernel *const *linked,
                          unsigned n_linked)
{
    for (size_t i = 0; i < l->n; i++) {
        struct plugin_found *f = &l->items[i];
        const struct plugin_found *other = other_of(l, f);
        if (f->kernel != NULL && other != NULL)
            f->why = arena_printf(l->arena,
                                  "%s has a kernel of that name, too: a job says which, "
                                  "kernel: %s#%s",
                                  other->file,
                                  f->file,
                                  f->name);
        for (unsigned k = 0; k < n_linked && f->kernel != NULL; k++) {
            if (strcmp(linked[k]->name, f->name) == 0)
                f->why = arena_printf(l->arena,
                                      "Gridmill's own kernel has that name: a job says "
                                      "kernel: %s#%s for this one",
                                      f->file,
                                      f->name);
        }
    }
}

struct plugin_list *plugin_list_make(const char *folders,
                                     const struct gm_kernel *const *linked,
                                     unsigned n_linked)
{
    struct plugin_list *l = xcalloc(1, sizeof(*l));
    l->arena = arena_make();
    for (const char *p = folders != NULL ? folders : ""; *p != '\0';) {
        size_t n = strcspn(p, ":");
        if (n > 0)
            look_in(l, arena_copy(l->arena, p, n));
        p += n + (p[n] == ':');
    }
    tell_of_twice(l, linked, n_linked);
    return l;
}

struct plugin_list *plugin_list_of(const char *file)
{
    struct plugin_list *l = xcalloc(1, sizeof(*l));
    l->arena = arena_make();
    AUTO_FREE(char) path = file_absolute(NULL, file);
    look_at(l, path);
    return l;
}

void plugin_list_free(struct plugin_list *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < l->n_dsos; i++)
        dso_close(l->dsos[i]);
    free(l->dsos);
    free(l->items);
    arena_free(l->arena);
    free(l);
}

/* A table that cannot be read is known by its symbol: "my_sum" may be my.sum. */
static bool may_be(const char *known, const char *name)
{
    for (; *known != '\0' && *name != '\0'; known++, name++) {
        bool joint = *known == '_' && (*name == '.' || *name == '-');
        if (*known != *name && !joint)
            return false;
    }
    return *known == *name;
}

int plugin_list_find(const struct plugin_list *l,
                     const char *name,
                     const struct plugin_found **ret,
                     struct gm_error *err)
{
    const struct plugin_found *found = NULL;
    const char *broken = NULL, *other = NULL; /* this kernel's table; any file */
    for (size_t i = 0; i < l->n && found == NULL; i++) {
        const struct plugin_found *f = &l->items[i];
        bool named = strcmp(f->name, name) == 0;
        if (named && f->kernel != NULL)
            found = f;
        else if (f->kernel == NULL && may_be(f->name, name) && broken == NULL)
            broken = f->why;
        else if (f->name[0] == '\0' && other == NULL)
            other = f->why;
    }
    other = other != NULL ? other : "";
    if (found == NULL)
        return gm_fail(err, -ENOENT, "%s", broken != NULL ? broken : other);
    if (found->why != NULL)
        return gm_fail(err, -EEXIST, "'%s': %s", name, found->why);
    *ret = found;
    return 0;
}
