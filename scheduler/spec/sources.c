/* See load.h: every file that the job names is looked at once, at plan time. Invariant:
 * one entry a (path, unit); an entry that could not be looked at is not added. */
#include "base/file.h"
#include "load.h"

const char *sources_absolute(struct arena *a, const char *dir, const char *written)
{
    const char *dataset = strstr(written, ":/"); /* F.h5:/GROUP/DATASET */
    if (dataset == written)
        dataset = NULL;
    size_t len = dataset != NULL ? (size_t)(dataset - written) : strlen(written);
    AUTO_STR file = {0};
    str_add_n(&file, written, len);
    AUTO_FREE(char) path = file_absolute(dir, str_text(&file));
    return arena_printf(a, "%s%s", path, dataset != NULL ? dataset : "");
}

/* "UNIT:PATH": what an entry is found by. */
static const char *index_key(struct arena *a, const char *path, uint32_t unit)
{
    return arena_printf(a, "%u:%s", unit, path);
}

static struct strmap *index_known(struct load *l)
{
    struct strmap *m = strmap_make();
    for (unsigned i = 0; i < l->opt->n_known; i++) {
        const struct jobspec_source *s = &l->opt->known[i];
        strmap_put(m, index_key(l->arena, s->path, s->unit), i);
    }
    return m;
}

/* The plan that knows them may go before the job. */
static const char *const *copy_files(struct arena *a, const struct jobspec_source *s)
{
    if (s->files == NULL)
        return NULL;
    const char **files = arena_alloc(a, s->rows, sizeof(*files));
    for (uint64_t i = 0; i < s->rows; i++)
        files[i] = arena_strdup(a, s->files[i]);
    return files;
}

static int look(struct load *l,
                const char *key,
                const char *path,
                uint32_t unit,
                struct jobspec_source *ret,
                struct gm_error *err)
{
    size_t i;
    if (l->known_index == NULL)
        l->known_index = index_known(l);
    if (strmap_get(l->known_index, key, &i)) {
        *ret = l->opt->known[i];
        ret->files = copy_files(l->arena, ret);
        return 0;
    }
    if (l->opt->look == NULL && l->opt->n_known > 0)
        return gm_fail(err, -ENOENT, "%s: not among the plan's sources", path);
    if (l->opt->look == NULL)
        return 0;
    return l->opt->look(l->opt->look_ctx, path, unit, l->arena, ret, err);
}

/* The list doubles; its old copies stay in the arena, so that pointers into them stay
 * good. */
static struct jobspec_source *append(struct load *l, const struct jobspec_source *s)
{
    if ((l->n_sources & (l->n_sources - 1)) == 0) {
        size_t room = l->n_sources == 0 ? 1 : 2 * (size_t)l->n_sources;
        struct jobspec_source *all = arena_alloc(l->arena, room, sizeof(*all));
        if (l->n_sources > 0)
            memcpy(all, l->sources, l->n_sources * sizeof(*all));
        l->sources = all;
    }
    l->sources[l->n_sources] = *s;
    return &l->sources[l->n_sources++];
}

const struct jobspec_source *sources_add(struct load *l,
                                         const struct fault_path *at,
                                         const struct doc_node *node,
                                         const char *written,
                                         uint32_t unit)
{
    const char *path = sources_absolute(l->arena, l->spec->dir, written);
    return sources_add_at(l, at, node, path, written, unit);
}

const struct jobspec_source *sources_add_at(struct load *l,
                                            const struct fault_path *at,
                                            const struct doc_node *node,
                                            const char *path,
                                            const char *written,
                                            uint32_t unit)
{
    const char *key = index_key(l->arena, path, unit);
    size_t i;
    if (strmap_get(l->source_index, key, &i))
        return &l->sources[i];
    struct gm_error err = {0};
    struct jobspec_source found = {0};
    if (look(l, key, path, unit, &found, &err) != 0) {
        load_fault(l, at, node, "%s", err.text);
        return NULL;
    }
    found.path = path;
    found.unit = unit;
    found.written = arena_strdup(l->arena, written);
    strmap_put(l->source_index, key, l->n_sources);
    return append(l, &found);
}
