/* See load.h: the kernel of a stage that is not linked in. Invariant: its file is among
 * the job's sources, as JOBSPEC_KERNEL, so that one that changed since, or is another one
 * on another host, is refused; and ranks find by the plan's sources what was found by the
 * folders, whatever their own environment says. */
#include "base/dso.h"
#include "load.h"
#include "plugin.h"

/* How a source is written that a folder gave. */
#define BY_NAME "kernel:"

/* Kept open as long as the job lives. */
static void keep_open(struct load *l, struct dso *d)
{
    if ((l->n_dsos & (l->n_dsos - 1)) == 0) {
        size_t room = l->n_dsos == 0 ? 1 : 2 * (size_t)l->n_dsos;
        struct dso **all = arena_alloc(l->arena, room, sizeof(struct dso *));
        if (l->n_dsos > 0)
            memcpy(all, l->dsos, l->n_dsos * sizeof(struct dso *));
        l->dsos = all;
    }
    l->dsos[l->n_dsos++] = d;
    l->spec->dsos = l->dsos;
    l->spec->n_dsos = l->n_dsos;
}

static int open_kernel(struct load *l,
                       const char *path,
                       const char *file,
                       const char *name,
                       const struct gm_kernel **ret,
                       struct gm_error *err)
{
    AUTO(dso) d = NULL;
    int rc = dso_open(path, &d, err);
    if (rc == 0)
        rc = plugin_take(l->arena, d, file, name, ret, err);
    if (rc == 0)
        keep_open(l, steal(&d));
    return rc;
}

const struct gm_kernel *plugin_kernel(struct load *l,
                                      const struct fault_path *at,
                                      const struct doc_node *node,
                                      const char *text)
{
    const char *hash = strrchr(text, '#');
    const struct gm_kernel *k = NULL;
    struct gm_error err = {0};
    if (hash == NULL || hash == text || !plugin_is_name(hash + 1)) {
        load_fault(
            l, at, node, "'%.80s': a kernel from a file is written ./FILE.so#NAME", text);
        return NULL;
    }
    const char *file = arena_copy(l->arena, text, (size_t)(hash - text));
    const struct jobspec_source *s = sources_add(l, at, node, file, JOBSPEC_KERNEL);
    if (s == NULL)
        return NULL;
    if (open_kernel(l, s->path, file, hash + 1, &k, &err) != 0)
        load_fault(l, at, node, "%s", err.text);
    return k;
}

/* The plan's file that has it: those that a folder gave come first. */
static const char *known_file(struct load *l, const char *name)
{
    for (unsigned i = 0; i < 2 * l->opt->n_known; i++) {
        const struct jobspec_source *s = &l->opt->known[i % l->opt->n_known];
        bool by_name = strncmp(s->written, BY_NAME, strlen(BY_NAME)) == 0;
        const struct gm_kernel *k = NULL;
        AUTO(dso) d = NULL;
        if (s->unit == JOBSPEC_KERNEL && by_name == (i < l->opt->n_known) &&
            dso_open(s->path, &d, NULL) == 0 &&
            plugin_take(l->arena, d, s->path, name, &k, NULL) == 0)
            return s->path;
    }
    return NULL;
}

static int
file_of(struct load *l, const char *name, const char **ret, struct gm_error *err)
{
    const struct plugin_found *f = NULL;
    const struct jobspec_options *opt = l->opt;
    *ret = known_file(l, name);
    if (*ret != NULL || opt->plugin_path == NULL)
        return *ret != NULL ? 0 : gm_fail(err, -ENOENT, "%s", "");
    if (l->plugins == NULL)
        l->plugins = plugin_list_make(opt->plugin_path, opt->kernels, opt->n_kernels);
    int rc = plugin_list_find(l->plugins, name, &f, err);
    if (rc == 0)
        *ret = arena_strdup(l->arena, f->file);
    return rc;
}

int plugin_named(struct load *l,
                 const struct fault_path *at,
                 const struct doc_node *node,
                 const char *name,
                 const struct gm_kernel **ret,
                 struct gm_error *err)
{
    const char *file = NULL;
    if (!plugin_is_name(name))
        return gm_fail(err, -ENOENT, "%s", "");
    int rc = file_of(l, name, &file, err);
    if (rc < 0)
        return rc;
    const char *written = arena_printf(l->arena, BY_NAME "%s", file);
    if (sources_add_at(l, at, node, file, written, JOBSPEC_KERNEL) == NULL)
        return 0; /* told */
    return open_kernel(l, file, file, name, ret, err);
}

void plugin_forget(struct load *l)
{
    plugin_list_free(l->plugins);
    l->plugins = NULL;
}

void plugin_close(const struct jobspec *spec)
{
    for (unsigned i = spec->n_dsos; i-- > 0;)
        dso_close(spec->dsos[i]);
}
