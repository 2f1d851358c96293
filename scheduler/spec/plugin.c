/* See plugin.h: the table of one kernel. Invariant: it is handed on only when all that is
 * read of it here, by the runner and for the results is there. */
#include "plugin.h"
#include "base/dso.h"

/* A table grows at its end: one of the first version has this much. */
enum { FIRST_SIZE = offsetof(struct gm_kernel, device_class) };

struct plugin {
    const char *file; /* as written, for sentences */
    const char *name;
};

/* "my_sum_kernel" for "my.sum" */
static const char *symbol_of(struct arena *a, const char *name)
{
    char *symbol = arena_printf(a, "%s_kernel", name);
    for (char *p = symbol; *p != '\0'; p++) {
        if (*p == '.' || *p == '-')
            *p = '_';
    }
    return symbol;
}

static int
check_version(const struct plugin *p, const struct gm_kernel *k, struct gm_error *err)
{
    if (k->abi != GM_KERNEL_ABI)
        return gm_fail(err,
                       -EINVAL,
                       "%s: %s speaks version %u of the kernel ABI, this Gridmill %u: "
                       "build it with this Gridmill's headers",
                       p->file,
                       p->name,
                       k->abi,
                       GM_KERNEL_ABI);
    if (k->size < FIRST_SIZE || k->size > sizeof(*k))
        return gm_fail(err,
                       -EINVAL,
                       "%s: the table of %s has %u bytes, %s %zu %s: build it with this "
                       "Gridmill's headers",
                       p->file,
                       p->name,
                       k->size,
                       k->size < FIRST_SIZE ? "at least" : "but at most",
                       k->size < FIRST_SIZE ? (size_t)FIRST_SIZE : sizeof(*k),
                       k->size < FIRST_SIZE ? "are read" : "are known here");
    if (k->name == NULL || strcmp(k->name, p->name) != 0)
        return gm_fail(err,
                       -EINVAL,
                       "%s: the kernel calls itself '%.80s', not '%.80s'",
                       p->file,
                       k->name != NULL ? k->name : "",
                       p->name);
    return 0;
}

static int incomplete(const struct plugin *p, struct gm_error *err, const char *what)
{
    return gm_fail(
        err, -EINVAL, "%s: the table of %s is not whole: %s", p->file, p->name, what);
}

/* Words of a jobspec and names of data sets: letters, digits and one joint. */
static bool is_word(const char *text, const char *others)
{
    if (text == NULL || text[0] == '\0' || strlen(text) > 100)
        return false;
    for (const char *c = text; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9');
        if (!plain && strchr(others, *c) == NULL)
            return false;
    }
    return true;
}

static bool is_param(const struct gm_param_spec *s)
{
    bool known = s->type >= GM_PARAM_INT && s->type <= GM_PARAM_MODEL;
    return is_word(s->name, "-_.") && s->help != NULL && known &&
           (s->type != GM_PARAM_CHOICE || s->choices != NULL);
}

static bool is_output(const struct gm_output_spec *o)
{
    return is_word(o->name, "_") && gm_dtype_size(o->dtype) > 0 && o->ndim <= GM_MAX_DIMS;
}

static int
check_table(const struct plugin *p, const struct gm_kernel *k, struct gm_error *err)
{
    char text[128];
    if (k->open == NULL || k->begin == NULL || k->step == NULL || k->end == NULL ||
        k->close == NULL)
        return incomplete(p, err, "open, begin, step, end and close must be there");
    if ((k->save == NULL) != (k->load == NULL))
        return incomplete(p, err, "save and load come together or not at all");
    if ((k->n_params > 0 && k->params == NULL) ||
        (k->n_outputs > 0 && k->outputs == NULL))
        return incomplete(p, err, "it counts parameters or outputs that are not there");
    for (unsigned i = 0; i < k->n_params; i++) {
        (void)snprintf(text, sizeof(text), "parameter %u has no name, help or type", i);
        if (!is_param(&k->params[i]))
            return incomplete(p, err, text);
    }
    for (unsigned i = 0; i < k->n_outputs; i++) {
        (void)snprintf(text, sizeof(text), "output %u has no name or element type", i);
        if (!is_output(&k->outputs[i]))
            return incomplete(p, err, text);
    }
    return 0;
}

/* The table as this Gridmill knows it: what an older one lacks is NULL. */
static const struct gm_kernel *whole(struct arena *a, const struct gm_kernel *k)
{
    if (k->size == sizeof(*k))
        return k;
    struct gm_kernel *copy = arena_alloc(a, 1, sizeof(*copy));
    memcpy(copy, k, k->size);
    copy->size = sizeof(*copy);
    return copy;
}

int plugin_take(struct arena *a,
                struct dso *d,
                const char *file,
                const char *name,
                const struct gm_kernel **ret,
                struct gm_error *err)
{
    struct plugin p = {.file = file, .name = name};
    const char *symbol = symbol_of(a, name);
    const struct gm_kernel *k = dso_symbol(d, symbol);
    if (k == NULL)
        return gm_fail(err,
                       -ENOENT,
                       "%s has no symbol '%.100s': a kernel '%.80s' is exported as "
                       "GM_EXPORT const struct gm_kernel %.100s",
                       file,
                       symbol,
                       name,
                       symbol);
    int rc = check_version(&p, k, err);
    if (rc == 0)
        rc = check_table(&p, k, err);
    if (rc == 0)
        *ret = whole(a, k);
    return rc;
}

bool plugin_is_name(const char *text)
{
    return is_word(text, "-_.");
}
