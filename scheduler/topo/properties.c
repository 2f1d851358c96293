/* See properties.h. Invariant: where there are sets, [0] is the empty one, and no two are
 * alike (the order of names counts). */
#include "properties.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/strmap.h"

struct properties_adder {
    struct restree *tree;
    struct strmap *known;
    char **keys; /* of the map, by set */
    unsigned room;
};

/* Names hold no line break. */
static char *key_of(const char *const *names, unsigned n)
{
    struct str s = {0};
    for (unsigned i = 0; i < n; i++) {
        str_add(&s, names[i]);
        str_add(&s, "\n");
    }
    return s.text != NULL ? str_steal(&s) : xstrdup("");
}

static void make_room(struct properties_adder *a)
{
    if (a->tree->n_properties < a->room)
        return;
    a->room = 2 * a->tree->n_properties + 8;
    a->tree->properties =
        xrealloc(a->tree->properties, a->room, sizeof(*a->tree->properties));
    a->keys = xrealloc(a->keys, a->room, sizeof(*a->keys));
}

struct properties_adder *properties_begin(struct restree *tree)
{
    struct properties_adder *a = xcalloc(1, sizeof(*a));
    a->tree = tree;
    a->known = strmap_make_for(tree->n_properties);
    make_room(a);
    for (unsigned i = 0; i < tree->n_properties; i++) {
        const struct topo_properties *p = &tree->properties[i];
        a->keys[i] = key_of((const char *const *)p->names, p->n);
        strmap_put(a->known, a->keys[i], i);
    }
    return a;
}

static unsigned
append(struct properties_adder *a, char *key, const char *const *names, unsigned n)
{
    struct restree *tree = a->tree;
    make_room(a);
    unsigned i = tree->n_properties++;
    tree->properties[i] = (struct topo_properties){xcalloc(n, sizeof(char *)), n};
    for (unsigned k = 0; k < n; k++)
        tree->properties[i].names[k] = xstrdup(names[k]);
    a->keys[i] = key;
    strmap_put(a->known, key, i);
    return i;
}

unsigned properties_add(struct properties_adder *a, const char *const *names, unsigned n)
{
    if (a->tree->n_properties == 0) {
        if (n == 0)
            return 0;
        (void)append(a, xstrdup(""), NULL, 0);
    }
    char *key = key_of(names, n);
    size_t at;
    if (!strmap_get(a->known, key, &at))
        return append(a, key, names, n);
    free(key);
    return (unsigned)at;
}

void properties_end(struct properties_adder *a)
{
    if (a == NULL)
        return;
    for (unsigned i = 0; i < a->tree->n_properties; i++)
        free(a->keys[i]);
    free(a->keys);
    strmap_free(a->known);
    free(a);
}

void properties_clear(struct restree *tree)
{
    for (unsigned i = 0; i < tree->n_properties; i++) {
        for (unsigned k = 0; k < tree->properties[i].n; k++)
            free(tree->properties[i].names[k]);
        free(tree->properties[i].names);
    }
    free(tree->properties);
    tree->properties = NULL;
    tree->n_properties = 0;
}
