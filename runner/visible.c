/* See visible.h. Invariant: what cannot be compared (a UUID with a number, Slurm's own
 * counting without a driver to ask) is taken to be right. */
#include "visible.h"
#include "topo/nvml.h"
#include "topo/restree.h"
#include <ctype.h>
#include <stdlib.h>

enum { MOST_NAMES = 64, NAME_ROOM = 64 };

struct names {
    char items[MOST_NAMES][NAME_ROOM];
    unsigned n;
    bool all;     /* and there is no driver that names them */
    bool by_pci;  /* each is a PCI address */
    bool numbers; /* each is a number */
};

struct visible visible_read(bool by_slurm)
{
    static const char *const variables[] = {
        "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"};
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        const char *list = getenv(variables[i]);
        if (list != NULL)
            return (struct visible){
                .variable = variables[i], .list = list, .relative = by_slurm};
    }
    return (struct visible){.list = ""};
}

static struct nvml_report *ask_driver(void)
{
    struct nvml_report *report = NULL;
    if (nvml_there())
        (void)nvml_read(NVML_LIBRARY, &report, NULL);
    return report;
}

/* The word at p up to the next comma; CUDA stops at the first that it does not know. */
static bool add_name(struct names *names, const char *p, const struct nvml_report *report)
{
    size_t len = strcspn(p, ",");
    bool number = len > 0 && strspn(p, "0123456789") >= len;
    if (len == 0 || p[0] == '-' || strncmp(p, "NoDevFiles", len) == 0)
        return false;
    char *to = names->items[names->n++];
    size_t k = number ? strtoul(p, NULL, 10) : 0;
    if (number && report != NULL && k < report->n)
        (void)snprintf(to, NAME_ROOM, "%s", report->gpus[k].pci);
    else
        (void)snprintf(to, NAME_ROOM, "%.*s", (int)len, p);
    names->by_pci &= number && report != NULL && k < report->n;
    names->numbers &= number && !names->by_pci;
    return true;
}

static void read_names(const struct visible *v, struct names *ret)
{
    AUTO(nvml_report) report = ask_driver();
    *ret = (struct names){.by_pci = true, .numbers = true};
    if (v->variable == NULL) {
        ret->all = report == NULL;
        for (unsigned i = 0; report != NULL && i < report->n && i < MOST_NAMES; i++)
            (void)snprintf(ret->items[ret->n++], NAME_ROOM, "%s", report->gpus[i].pci);
        return;
    }
    for (const char *p = v->list; ret->n < MOST_NAMES && add_name(ret, p, report);) {
        p += strcspn(p, ",");
        if (*p++ == '\0')
            break;
    }
}

static bool among(const struct names *names, const char *name)
{
    for (unsigned i = 0; i < names->n; i++) {
        if (strcmp(names->items[i], name) == 0)
            return true;
    }
    return false;
}

/* The plan's shape of a rank's host; NULL: it has none. */
static struct restree *host_of(const struct plan *plan, const char *host)
{
    struct restree *tree = NULL;
    for (unsigned h = 0; h < plan->n_hosts; h++) {
        const char *xml = plan->topologies[plan->hosts[h].topology].xml;
        if (strcmp(plan->hosts[h].name, host) == 0 &&
            restree_load_xml(xml, strlen(xml), host, NULL, &tree, NULL) == 0)
            return tree;
    }
    return NULL;
}

/* As the names are: addresses by the plan's machine, else numbers. */
static bool has_all(const struct names *names,
                    const struct restree *tree,
                    const struct idset *planned)
{
    for (int64_t i = idset_next(planned, 0); i >= 0;
         i = idset_next(planned, (unsigned)i + 1)) {
        const struct topo_shape *s = tree != NULL ? restree_shape(tree, 0) : NULL;
        char name[NAME_ROOM];
        (void)snprintf(name, sizeof(name), "%d", (int)i);
        if (names->by_pci && s != NULL && (unsigned)i < s->n_gpus)
            (void)snprintf(name, sizeof(name), "%s", s->gpus[i].pci);
        if (!among(names, name))
            return false;
    }
    return true;
}

bool visible_has(const struct visible *v,
                 const struct plan *plan,
                 unsigned rank,
                 struct str *sentence)
{
    const struct plan_rank *mine = &plan->ranks[rank];
    AUTO(idset) planned = NULL;
    if (v->variable == NULL || mine->gpus[0] == '\0' ||
        idset_parse(mine->gpus, &planned, NULL) != 0)
        return true;
    struct names names;
    read_names(v, &names);
    AUTO(restree) tree = names.by_pci ? host_of(plan, mine->host) : NULL;
    bool sure = names.by_pci ? tree != NULL : names.numbers && !v->relative;
    if (names.n >= idset_count(planned) && (!sure || has_all(&names, tree, planned)))
        return true;
    str_printf(sentence,
               "planned on GPUs %s, but %s shows it %s",
               mine->gpus,
               v->variable,
               names.n > 0 ? v->list : "none");
    return false;
}

static bool asks_gpus(const struct resource *list, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(list[i].type, "gpu") == 0 || asks_gpus(list[i].with, list[i].n_with))
            return true;
    }
    return false;
}

void visible_device(const struct visible *v,
                    const struct plan *plan,
                    const struct jobspec *spec,
                    unsigned rank,
                    char ret[VISIBLE_DEVICE_ROOM])
{
    const struct plan_rank *mine = &plan->ranks[rank];
    bool asked = spec->gpus > 0 || asks_gpus(spec->resources, spec->n_resources);
    AUTO(idset) planned = NULL;
    int64_t first = -1;
    if (mine->gpus[0] != '\0' && idset_parse(mine->gpus, &planned, NULL) == 0)
        first = idset_next(planned, 0);
    (void)snprintf(ret, VISIBLE_DEVICE_ROOM, asked || first >= 0 ? "cuda" : "cpu");
    if (first < 0)
        return; /* a foreign launcher's: what it shows is the rank's */
    AUTO(restree) tree = host_of(plan, mine->host);
    const struct topo_shape *s = tree != NULL ? restree_shape(tree, 0) : NULL;
    if (s != NULL && (uint64_t)first < s->n_gpus && s->gpus != NULL &&
        s->gpus[first].pci[0] != '\0')
        (void)snprintf(ret, VISIBLE_DEVICE_ROOM, "cuda:%s", s->gpus[first].pci);
    else if (v->variable == NULL)
        (void)snprintf(ret, VISIBLE_DEVICE_ROOM, "cuda:%u", (unsigned)first);
}

bool visible_matters(const struct plan *plan, const struct jobspec *spec)
{
    for (unsigned i = 0; i < plan->n_ranks; i++) {
        if (plan->ranks[i].gpus[0] != '\0')
            return false;
    }
    return plan->n_ranks > 1 &&
           (spec->gpus > 0 || asks_gpus(spec->resources, spec->n_resources));
}

void visible_names(const struct visible *v, char ret[VISIBLE_ROOM])
{
    struct names names;
    read_names(v, &names);
    memset(ret, 0, VISIBLE_ROOM);
    if (v->relative && names.n > 0 && !names.by_pci)
        return;
    if (names.all)
        (void)snprintf(ret, VISIBLE_ROOM, "all");
    size_t used = 0;
    for (unsigned i = 0; i < names.n && used + NAME_ROOM < VISIBLE_ROOM; i++)
        used += (size_t)snprintf(
            ret + used, VISIBLE_ROOM - used, "%s%s", i > 0 ? "," : "", names.items[i]);
}

/* The first word that both lists have. */
static bool overlap(const char *a, const char *b, char ret[64])
{
    bool all_a = strcmp(a, "all") == 0, all_b = strcmp(b, "all") == 0;
    if (a[0] == '\0' || b[0] == '\0')
        return false;
    for (const char *p = all_a ? b : a; *p != '\0'; p += *p == ',') {
        size_t len = strcspn(p, ",");
        (void)snprintf(ret, 64, "%.*s", (int)len, p);
        if (all_a || all_b)
            return true;
        for (const char *q = b; *q != '\0';) {
            size_t other = strcspn(q, ",");
            if (other == len && strncmp(p, q, len) == 0)
                return true;
            q += other + (q[other] == ',');
        }
        p += len;
    }
    return false;
}

int64_t visible_sharer(const struct plan *plan,
                       char (*names)[VISIBLE_ROOM],
                       unsigned rank,
                       char ret_gpu[64])
{
    for (unsigned i = 0; i < rank; i++) {
        if (strcmp(plan->ranks[i].host, plan->ranks[rank].host) == 0 &&
            overlap(names[i], names[rank], ret_gpu))
            return i;
    }
    return -1;
}
