/* See restree.h. How a topology is got (this host, XML, synthetic), narrowed to the PUs
 * that may be used, and how hosts are joined. What is in a shape: shape.c.
 *
 * Invariant: no two shapes of a tree have the same digest; each host's shape is in range.
 */
#include "restree.h"
#include "base/apart.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/strmap.h"
#include "bind.h"
#include "gpu.h"
#include "nvml.h"
#include "properties.h"
#include "shape.h"
#include "synthetic.h"
#include "xmlcheck.h"

#include <dirent.h>
#include <hwloc.h>
#include <hwloc/plugins.h>
#include <limits.h>

static void topology_freep(hwloc_topology_t *t)
{
    if (*t != NULL)
        hwloc_topology_destroy(*t);
}

#define AUTO_TOPOLOGY __attribute__((cleanup(topology_freep))) hwloc_topology_t

/* An environment variable for as long as hwloc starts; one that the user set is left
 * alone. */
struct setting {
    const char *name, *value;
    bool ours;
};

static void set(struct setting *s)
{
    s->ours = getenv(s->name) == NULL && setenv(s->name, s->value, 0) == 0;
}

static void unset(const struct setting *s)
{
    if (s->ours)
        (void)unsetenv(s->name);
}

/* hwloc's documented switches. It prints to standard error when a machine (or a text)
 * contradicts itself: HIDE_ERRORS=2 stops errors as well as warnings. Its plugins
 * (OpenCL, X11 displays, libxml2) are linked against large libraries, 4 ms for nothing
 * that is used here. Both are read when the first topology of a process starts. */
static int start(hwloc_topology_t *ret, unsigned keep, struct gm_error *err)
{
    struct setting quiet = {.name = "HWLOC_HIDE_ERRORS", .value = "2"};
    struct setting bare = {.name = "HWLOC_PLUGINS_PATH", .value = "/dev/null"};
    set(&quiet);
    set(&bare);
    int rc = hwloc_topology_init(ret);
    int code = errno;
    (void)hwloc_hide_errors(); /* it remembers the first answer */
    unset(&bare);
    unset(&quiet);
    if (rc != 0)
        return gm_fail(err, -ENOMEM, "hwloc does not start: %s", strerror(code));
    if (shape_filter(*ret, keep) != 0)
        return gm_fail(err, -EIO, "hwloc refuses the filters: %s", strerror(errno));
    return 0;
}

/* Leaves the PUs of `cpus` alone in the topology. GPUs stay, wherever they hung: a job
 * may hold a GPU that is far from its cores. */
static int narrow(hwloc_topology_t t, const struct idset *cpus, struct gm_error *err)
{
    hwloc_bitmap_t keep = hwloc_bitmap_alloc();
    if (keep == NULL)
        return gm_fail(err, -ENOMEM, "out of memory");
    for (int64_t i = idset_next(cpus, 0); i >= 0; i = idset_next(cpus, (unsigned)i + 1))
        (void)hwloc_bitmap_set(keep, (unsigned)i);
    unsigned long flags = HWLOC_RESTRICT_FLAG_REMOVE_CPULESS |
                          HWLOC_RESTRICT_FLAG_ADAPT_IO | HWLOC_RESTRICT_FLAG_ADAPT_MISC;
    hwloc_const_bitmap_t all = hwloc_topology_get_topology_cpuset(t);
    int rc = 0;
    if (!hwloc_bitmap_intersects(all, keep)) {
        AUTO_FREE(char) text = idset_format(cpus);
        rc = gm_fail(
            err, -EINVAL, "none of the allowed PUs '%s' is on this machine", text);
    } else if (!hwloc_bitmap_isincluded(all, keep) &&
               hwloc_topology_restrict(t, keep, flags) != 0) {
        rc = gm_fail(err, -EIO, "hwloc cannot restrict the machine: %s", strerror(errno));
    }
    hwloc_bitmap_free(keep);
    return rc;
}

/* One host of a loaded topology. */
static int
finish(hwloc_topology_t t, const char *name, struct restree **ret, struct gm_error *err)
{
    AUTO(restree) tree = xcalloc(1, sizeof(*tree));
    tree->shapes = xcalloc(1, sizeof(*tree->shapes));
    tree->hosts = xcalloc(1, sizeof(*tree->hosts));
    int rc = shape_make(t, &tree->shapes[0], err);
    if (rc != 0)
        return rc;
    tree->n_shapes = 1;
    tree->hosts[0].name = xstrdup(name);
    tree->n_hosts = 1;
    if (tree->shapes[0].n_pus == 0)
        return gm_fail(err, -EINVAL, "%s has no PU that may be used", name);
    *ret = steal(&tree);
    return 0;
}

static unsigned long read_hex(const char *folder, const char *device, const char *name)
{
    char path[PATH_MAX], text[32] = "";
    (void)snprintf(path, sizeof(path), "%s/%s/%s", folder, device, name);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return 0;
    bool read = fgets(text, sizeof(text), f) != NULL;
    (void)fclose(f);
    return read ? strtoul(text, NULL, 16) : 0;
}

/* hwloc takes some 12 ms for the PCI devices of even a small machine, so they are asked
 * for only where one is a display controller or an accelerator (PCI classes 03 and 12).
 */
static bool has_gpu(void)
{
    static const char folder[] = "/sys/bus/pci/devices";
    DIR *dir = opendir(folder);
    bool found = false;
    struct dirent *e;
    while (dir != NULL && !found && (e = readdir(dir)) != NULL) {
        unsigned long class =
            e->d_name[0] == '.' ? 0 : read_hex(folder, e->d_name, "class");
        found = class >> 16 == 0x03 || class >> 16 == 0x12;
    }
    if (dir != NULL)
        (void)closedir(dir);
    return found;
}

/* What the driver tells beyond hwloc; a library that is missing or broken tells nothing.
 */
static int ask_driver(hwloc_topology_t t, struct gm_error *err)
{
    AUTO(nvml_report) report = NULL;
    return nvml_read(NVML_LIBRARY, &report, NULL) == 0 ? gpu_complete(t, report, err) : 0;
}

static int load_here(const struct idset *cpus, struct restree **ret, struct gm_error *err)
{
    AUTO_TOPOLOGY t = NULL;
    bool pci = has_gpu(), driver = nvml_there();
    unsigned keep = (pci ? SHAPE_PCI : 0) | (driver && !pci ? SHAPE_MISC : 0);
    int rc = start(&t, keep, err);
    if (rc == 0 && hwloc_topology_load(t) != 0)
        rc = gm_fail(err, -EIO, "hwloc cannot read this machine: %s", strerror(errno));
    if (rc == 0 && driver)
        rc = ask_driver(t, err);
    if (rc == 0 && cpus != NULL)
        rc = narrow(t, cpus, err);
    if (rc != 0)
        return rc;
    char name[HOST_NAME_MAX + 1] = "";
    if (gethostname(name, sizeof(name)) != 0)
        return gm_fail(err, -errno, "gethostname: %s", strerror(errno));
    name[HOST_NAME_MAX] = '\0';
    return finish(t, name, ret, err);
}

int restree_load_host(struct restree **ret, struct gm_error *err)
{
    AUTO(idset) mine = NULL;
    int rc = bind_read(0, &mine, err);
    return rc != 0 ? rc : load_here(mine, ret, err);
}

int restree_load_machine(struct restree **ret, struct gm_error *err)
{
    return load_here(NULL, ret, err);
}

int restree_load_xml(const char *xml,
                     size_t len,
                     const char *host,
                     const struct idset *cpus,
                     struct restree **ret,
                     struct gm_error *err)
{
    if (len > 2 && memcmp(xml, "\x1f\x8b", 2) == 0)
        return gm_fail(err, -EINVAL, "%s: compressed by gzip: gunzip it first", host);
    if (len > 0 && memchr(xml, '\0', len) != NULL)
        return gm_fail(err, -EINVAL, "%s: this is no hwloc XML", host);
    /* hwloc wants the terminating 0 counted in. */
    AUTO_FREE(char) text = xcalloc(xadd(len, 1), 1);
    if (len > 0)
        memcpy(text, xml, len);
    int rc = xmlcheck(text, len, err);
    if (rc != 0)
        return gm_prefix(err, "%s", host), rc;
    AUTO_TOPOLOGY t = NULL;
    bool marked = strstr(text, "\"" GPU_MARK "\"") != NULL;
    rc = start(&t, SHAPE_PCI | SHAPE_DEVICES | (marked ? SHAPE_MISC : 0), err);
    if (rc != 0)
        return rc;
    if (hwloc_topology_set_xmlbuffer(t, text, (int)len + 1) != 0 ||
        hwloc_topology_load(t) != 0)
        return gm_fail(err,
                       -EINVAL,
                       "%s: hwloc cannot read it: no XML as lstopo writes it, or damaged",
                       host);
    if (cpus != NULL)
        rc = narrow(t, cpus, err);
    if (rc == 0)
        rc = finish(t, host, ret, err);
    else
        (void)gm_prefix(err, "%s", host);
    return rc;
}

enum { TRY_SECONDS = 20 }; /* 16,384 PUs take 2 */

struct foreign {
    const char *xml, *host;
    size_t len;
};

static int try_xml(const void *what, uint64_t *ret, struct gm_error *err)
{
    const struct foreign *f = what;
    AUTO(restree) tree = NULL;
    int rc = restree_load_xml(f->xml, f->len, f->host, NULL, &tree, err);
    *ret = 0;
    return rc;
}

int restree_load_foreign(const char *xml,
                         size_t len,
                         const char *host,
                         struct restree **ret,
                         struct gm_error *err)
{
    const struct foreign f = {xml, host, len};
    const struct apart a = {try_xml, &f, host, "hwloc", TRY_SECONDS};
    uint64_t unused;
    int rc = apart_call(&a, &unused, err);
    return rc != 0 ? rc : restree_load_xml(xml, len, host, NULL, ret, err);
}

static void name_hosts(struct restree *tree, unsigned n)
{
    tree->hosts = xrealloc(tree->hosts, n, sizeof(*tree->hosts));
    for (; tree->n_hosts < n; tree->n_hosts++) {
        struct str name = {0};
        str_printf(&name, "n%u", tree->n_hosts);
        tree->hosts[tree->n_hosts] = (struct topo_host){.name = str_steal(&name)};
    }
}

int restree_load_synthetic(const char *text, struct restree **ret, struct gm_error *err)
{
    struct synthetic s;
    int rc = synthetic_parse(text, &s, err);
    if (rc != 0)
        return rc;
    AUTO_TOPOLOGY t = NULL;
    rc = start(&t, SHAPE_MISC, err);
    if (rc == 0 && (hwloc_topology_set_synthetic(t, str_text(&s.text)) != 0 ||
                    hwloc_topology_load(t) != 0))
        rc = gm_fail(
            err, -EINVAL, "'%.80s' describes no machine (\"pack:2 core:4\" does)", text);
    if (rc == 0) {
        rc = synthetic_add_gpus(t, &s, err);
        if (rc != 0)
            (void)gm_prefix(err, "'%.80s'", text);
    }
    str_free(&s.text);
    AUTO(restree) tree = NULL;
    if (rc == 0)
        rc = finish(t, "n0", &tree, err);
    if (rc != 0)
        return rc;
    name_hosts(tree, s.hosts);
    *ret = steal(&tree);
    return 0;
}

/* Moves the shapes of `more`; where each is now. Found by a table, since a cluster may
 * have a thousand kinds of hosts. */
static unsigned *move_shapes(struct restree *tree, struct restree *more)
{
    unsigned most = tree->n_shapes + more->n_shapes;
    AUTO(strmap) known = strmap_make_for(most);
    unsigned *moved = xcalloc(more->n_shapes, sizeof(*moved));
    tree->shapes = xrealloc(tree->shapes, most, sizeof(*tree->shapes));
    for (unsigned i = 0; i < tree->n_shapes; i++)
        strmap_put(known, tree->shapes[i].digest, i);
    for (unsigned i = 0; i < more->n_shapes; i++) {
        size_t at = tree->n_shapes;
        struct topo_shape *here = &tree->shapes[at]; /* the map borrows its digest */
        *here = more->shapes[i];
        more->shapes[i] = (struct topo_shape){0};
        if (strmap_add(known, here->digest, &at))
            tree->n_shapes++;
        else
            shape_clear(here);
        moved[i] = (unsigned)at;
    }
    return moved;
}

static unsigned *move_properties(struct restree *tree, const struct restree *more)
{
    unsigned *moved = xcalloc(more->n_properties + 1, sizeof(*moved));
    if (more->n_properties == 0)
        return moved;
    AUTO(properties_adder) adder = properties_begin(tree);
    for (unsigned i = 0; i < more->n_properties; i++) {
        const struct topo_properties *p = &more->properties[i];
        moved[i] = properties_add(adder, (const char *const *)p->names, p->n);
    }
    return moved;
}

void restree_join(struct restree *tree, struct restree *more)
{
    AUTO_FREE(unsigned) shapes = move_shapes(tree, more);
    AUTO_FREE(unsigned) properties = move_properties(tree, more);
    tree->hosts =
        xrealloc(tree->hosts, tree->n_hosts + more->n_hosts, sizeof(*tree->hosts));
    for (unsigned i = 0; i < more->n_hosts; i++) {
        struct topo_host *host = &tree->hosts[tree->n_hosts++];
        *host = more->hosts[i];
        host->shape = shapes[host->shape];
        host->properties = properties[host->properties];
        more->hosts[i].name = NULL;
    }
    restree_free(more);
}

void restree_free(struct restree *tree)
{
    if (tree == NULL)
        return;
    for (unsigned i = 0; i < tree->n_hosts; i++)
        free(tree->hosts[i].name);
    for (unsigned i = 0; i < tree->n_shapes; i++)
        shape_clear(&tree->shapes[i]);
    properties_clear(tree);
    free(tree->hosts);
    free(tree->shapes);
    free(tree);
}
