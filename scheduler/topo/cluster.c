/* See cluster.h. Invariant: each host's name stands once in `names`, and each topology
 * text once in `topologies`, with the shape that it made. */
#include "cluster.h"
#include "base/file.h"
#include "base/hostlist.h"
#include "base/memory.h"
#include "base/strmap.h"
#include "properties.h"
#include "spec/doc.h"
#include "spec/faults.h"
#include "xmlcheck.h"

struct reader {
    struct jobspec_faults faults;
    struct arena *arena;
    char *folder;
    struct restree *tree;
    struct properties_adder *properties;
    struct strmap *names, *topologies;
    unsigned room; /* of tree->hosts */
};

/* A value and where it stands. */
struct place {
    const struct doc_node *node;
    struct fault_path at;
};

GM_PRINTF(3, 4)
static void bad(struct reader *r, const struct place *p, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    faults_vadd(&r->faults, false, &p->at, p->node->line, p->node->col, fmt, args);
    va_end(args);
}

static struct place item(const struct place *list, unsigned i)
{
    return (struct place){&list->node->as.items[i], {.up = &list->at, .index = i}};
}

static struct place value(const struct place *map, const char *key)
{
    return (struct place){doc_get(map->node, key), {.up = &map->at, .key = key}};
}

static void check_keys(struct reader *r,
                       const struct doc_node *map,
                       const struct fault_path *at,
                       const char *const *known,
                       size_t n)
{
    for (unsigned i = 0; i < map->n; i++) {
        const struct doc_node *node = &map->as.items[i];
        size_t k = 0;
        while (k < n && strcmp(known[k], node->key) != 0)
            k++;
        if (k < n)
            continue;
        const char *near = str_nearest(node->key, known, n);
        faults_add(&r->faults,
                   at,
                   node->key_line,
                   node->key_col,
                   near != NULL ? "unknown key '%.40s' (did you mean %s?)"
                                : "unknown key '%.40s'",
                   node->key,
                   near);
    }
}

static bool is_text(struct reader *r, const struct place *p, const char *what)
{
    if (p->node->kind == DOC_STRING && p->node->n > 0)
        return true;
    bad(r,
        p,
        "%s, but this is %s",
        what,
        p->node->kind == DOC_STRING ? "empty" : doc_kind_name(p->node->kind));
    return false;
}

static int load_topology(const struct reader *r,
                         const char *text,
                         struct restree **ret,
                         struct gm_error *err)
{
    size_t n = strlen(text);
    if (n < 4 || strcmp(text + n - 4, ".xml") != 0)
        return restree_load_synthetic(text, ret, err);
    AUTO_FREE(char) path = file_absolute(r->folder, text);
    AUTO_FREE(char) xml = NULL;
    size_t len;
    int rc = file_read(path, XMLCHECK_BYTES, &xml, &len, err);
    return rc == 0 ? restree_load_foreign(xml, len, path, ret, err) : rc;
}

/* The shape of a topology text, read when it is first met; false: told why not. */
static bool shape_of(struct reader *r, const struct place *p, unsigned *ret)
{
    size_t shape;
    if (!is_text(r,
                 p,
                 "an hwloc XML file (.xml) or a text like \"pack:2 core:8\" stands here"))
        return false;
    const char *text = p->node->as.text;
    if (!strmap_get(r->topologies, text, &shape)) {
        AUTO(restree) one = NULL;
        struct gm_error why = {0};
        if (load_topology(r, text, &one, &why) != 0) {
            bad(r, p, "%s", why.text);
            shape = SIZE_MAX;
        } else if (one->n_hosts > 1) {
            bad(r, p, "host:N has no place here: the names say how many hosts there are");
            shape = SIZE_MAX;
        } else {
            restree_join(r->tree, steal(&one));
            r->room = r->tree->n_hosts; /* the array fits exactly now */
            struct topo_host *last = &r->tree->hosts[--r->tree->n_hosts];
            shape = last->shape;
            free(last->name);
        }
        strmap_put(r->topologies, text, shape);
    }
    *ret = (unsigned)shape;
    return shape != SIZE_MAX;
}

/* RFC 31: what the words of a constraint are made of has no place in a name. */
static bool is_property(const char *name)
{
    for (const char *p = name; *p != '\0'; p++) {
        if (*p <= ' ' || *p == 0x7f || strchr("!&'\"^`|()", *p) != NULL)
            return false;
    }
    return name[0] != '\0';
}

static unsigned read_properties(struct reader *r, const struct place *p)
{
    if (p->node == NULL)
        return properties_add(r->properties, NULL, 0);
    if (p->node->kind != DOC_LIST) {
        bad(r,
            p,
            "a list of names stands here, but this is %s",
            doc_kind_name(p->node->kind));
        return 0;
    }
    const char **names = arena_alloc(r->arena, p->node->n, sizeof(*names));
    for (unsigned i = 0; i < p->node->n; i++) {
        struct place name = item(p, i);
        names[i] = "";
        if (!is_text(r, &name, "a name stands here"))
            continue;
        names[i] = name.node->as.text;
        if (!is_property(names[i]))
            bad(r,
                &name,
                "'%.40s' is no property: blanks and !&'\"^`|() are not allowed",
                names[i]);
    }
    return properties_add(r->properties, names, p->node->n);
}

static unsigned read_slots(struct reader *r, const struct place *p)
{
    uint64_t n = 0;
    if (p->node == NULL)
        return 0;
    if (p->node->kind == DOC_INT && doc_uint(p->node, &n) == 0 && n > 0 && n <= 1048576)
        return (unsigned)n;
    bad(r, p, "a number from 1 to 1048576 stands here");
    return 0;
}

static void add_host(struct reader *r, const struct topo_host *like, const char *name)
{
    struct restree *tree = r->tree;
    if (tree->n_hosts >= r->room) {
        r->room = 2 * tree->n_hosts + 16;
        tree->hosts = xrealloc(tree->hosts, r->room, sizeof(*tree->hosts));
    }
    tree->hosts[tree->n_hosts] = *like;
    tree->hosts[tree->n_hosts++].name = xstrdup(name);
}

static void
add_hosts(struct reader *r, const struct place *p, const struct topo_host *like)
{
    AUTO(hostlist) list = NULL;
    struct gm_error why = {0};
    if (hostlist_parse(p->node->as.text, &list, &why) != 0) {
        bad(r, p, "%s", why.text);
        return;
    }
    if (list->n == 0)
        bad(r, p, "names no host");
    if (list->n > HOSTLIST_MAX - r->tree->n_hosts) {
        bad(r, p, "more than %u hosts", HOSTLIST_MAX);
        return;
    }
    for (size_t i = 0; i < list->n; i++) {
        size_t line = p->node->line;
        const char *name = arena_strdup(r->arena, list->names[i]);
        if (strmap_add(r->names, name, &line)) {
            add_host(r, like, name);
            continue;
        }
        bad(r, p, "host %s is there already, in line %zu", name, line);
        return;
    }
}

static void read_entry(struct reader *r, const struct place *entry)
{
    static const char *const known[] = {"name", "topology", "properties", "slots"};
    if (entry->node->kind != DOC_MAP) {
        bad(r,
            entry,
            "{name: ..., topology: ...} stands here, but this is %s",
            doc_kind_name(entry->node->kind));
        return;
    }
    check_keys(r, entry->node, &entry->at, known, sizeof(known) / sizeof(known[0]));
    struct place name = value(entry, "name"), topology = value(entry, "topology");
    struct place properties = value(entry, "properties"), slots = value(entry, "slots");
    if (name.node == NULL || topology.node == NULL) {
        bad(r, entry, "a host has a %s", name.node == NULL ? "name" : "topology");
        return;
    }
    struct topo_host like = {0};
    bool shaped = shape_of(r, &topology, &like.shape);
    bool named = is_text(r, &name, "a host's name or a list like \"n[1-4]\" stands here");
    like.properties = read_properties(r, &properties);
    like.slots = read_slots(r, &slots);
    if (shaped && named)
        add_hosts(r, &name, &like);
}

static void read_root(struct reader *r, const struct doc_node *root)
{
    static const char *const known[] = {"hosts"};
    if (root->kind != DOC_MAP) {
        faults_add(&r->faults,
                   NULL,
                   root->line,
                   root->col,
                   "a cluster file is a map with the key hosts");
        return;
    }
    check_keys(r, root, NULL, known, 1);
    struct place hosts = {doc_get(root, "hosts"), {.key = "hosts"}};
    if (hosts.node == NULL || hosts.node->kind != DOC_LIST || hosts.node->n == 0) {
        faults_add(&r->faults,
                   NULL,
                   root->line,
                   root->col,
                   "hosts: a list of hosts stands here, at least one");
        return;
    }
    for (unsigned i = 0; i < hosts.node->n; i++) {
        struct place entry = item(&hosts, i);
        read_entry(r, &entry);
    }
}

static int read_file(struct reader *r, const char *file, struct gm_error *err)
{
    AUTO_FREE(char) text = NULL;
    size_t len = 0;
    struct doc_node *root = NULL;
    int rc = file_read(file, DOC_MAX_BYTES, &text, &len, err);
    if (rc != 0)
        return rc;
    (void)doc_parse(r->arena, text != NULL ? text : "", len, &r->faults, &root);
    if (r->faults.n_errors == 0)
        read_root(r, root);
    faults_sort(&r->faults);
    return r->faults.n_errors > 0 ? faults_first(&r->faults, -EINVAL, err) : 0;
}

int cluster_load(const char *file, struct restree **ret, struct gm_error *err)
{
    AUTO(restree) tree = xcalloc(1, sizeof(*tree));
    AUTO(arena) arena = arena_make();
    AUTO(strmap) names = strmap_make();
    AUTO(strmap) topologies = strmap_make();
    AUTO(properties_adder) properties = properties_begin(tree);
    AUTO_FREE(char) folder = file_dirname(file);
    struct reader r = {.arena = arena,
                       .folder = folder,
                       .tree = tree,
                       .properties = properties,
                       .names = names,
                       .topologies = topologies};
    faults_init(&r.faults, file);
    int rc = read_file(&r, file, err);
    jobspec_faults_free(&r.faults);
    properties_end(steal(&properties));
    if (rc == 0)
        *ret = steal(&tree);
    return rc;
}
