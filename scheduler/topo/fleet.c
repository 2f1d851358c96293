/* See fleet.h. Invariant: a key "DIGEST CPUS" stands for the shape that its first host
 * got, so no XML is read twice for the same PUs. */
#include "fleet.h"
#include "base/arena.h"
#include "base/memory.h"
#include "base/strmap.h"
#include <string.h>

struct fleet {
    struct restree *tree;
    size_t room;           /* for hosts, in the tree */
    struct strmap *shapes; /* key -> index */
    struct arena *keys;
    unsigned loads;
};

struct fleet *fleet_make(size_t n_hosts)
{
    struct fleet *f = xcalloc(1, sizeof(*f));
    f->tree = xcalloc(1, sizeof(*f->tree));
    f->room = n_hosts > 0 ? n_hosts : 1;
    f->tree->hosts = xcalloc(f->room, sizeof(*f->tree->hosts));
    f->shapes = strmap_make();
    f->keys = arena_make();
    return f;
}

void fleet_free(struct fleet *f)
{
    if (f == NULL)
        return;
    restree_free(f->tree);
    strmap_free(f->shapes);
    arena_free(f->keys);
    free(f);
}

/* The first host of its kind: its shape joins the tree. */
static int load(struct fleet *f,
                const char *name,
                const char *cpus,
                const char *xml,
                unsigned *ret,
                struct gm_error *err)
{
    AUTO(idset) allowed = NULL;
    AUTO(restree) one = NULL;
    int rc = cpus != NULL ? idset_parse(cpus, &allowed, err) : 0;
    if (rc == 0)
        rc = restree_load_xml(xml, strlen(xml), name, allowed, &one, err);
    if (rc < 0)
        return rc;
    f->loads++;
    unsigned n = f->tree->n_hosts;
    restree_join(f->tree, steal(&one));
    *ret = f->tree->hosts[n].shape;
    free(f->tree->hosts[n].name); /* the caller adds the host itself */
    f->tree->n_hosts = n;
    f->room = n + 1;
    return 0;
}

int fleet_add(struct fleet *f,
              const char *name,
              const char *digest,
              const char *cpus,
              const char *xml,
              struct gm_error *err)
{
    const char *key = arena_printf(f->keys, "%s %s", digest, cpus != NULL ? cpus : "all");
    size_t known;
    unsigned shape = 0;
    if (strmap_get(f->shapes, key, &known)) {
        shape = (unsigned)known;
    } else {
        int rc = load(f, name, cpus, xml, &shape, err);
        if (rc < 0)
            return rc;
        strmap_put(f->shapes, key, shape);
    }
    struct restree *t = f->tree;
    if (t->n_hosts == f->room) {
        f->room = xmul(f->room, 2);
        t->hosts = xrealloc(t->hosts, f->room, sizeof(*t->hosts));
    }
    t->hosts[t->n_hosts++] = (struct topo_host){.name = xstrdup(name), .shape = shape};
    return 0;
}

struct restree *fleet_take(struct fleet *f)
{
    return f->tree->n_hosts > 0 ? steal(&f->tree) : NULL;
}

unsigned fleet_loads(const struct fleet *f)
{
    return f->loads;
}
