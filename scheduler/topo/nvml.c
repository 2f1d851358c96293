/* See nvml.h. The few calls that are needed are declared here as the library's ABI has
 * them (NVML's documentation), since its header is not on every machine that builds this.
 *
 * A link's bandwidth is not asked for but follows from its version, one direction. Links
 * to a switch join every two GPUs that have some: at the lesser of what either has.
 *
 * Invariant: a call that the library lacks, or that fails, leaves out what it would tell.
 */
#include "nvml.h"
#include "base/dso.h"
#include "base/memory.h"

#include <limits.h>

enum {
    MOST_GPUS = 256,
    MOST_LINKS = 18, /* NVML_NVLINK_MAX_LINKS */
    REMOTE_SWITCH = 2,
    CPU_WORDS = 16384 / (CHAR_BIT * sizeof(unsigned long))
};

struct pci_info { /* nvmlPciInfo_t */
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char text[32];
};

struct library { /* a void * is an nvmlDevice_t */
    struct dso *dso;
    int (*init)(void);
    int (*shutdown)(void);
    int (*count)(unsigned *);
    int (*handle)(unsigned, void **);
    int (*pci)(void *, struct pci_info *);
    int (*name)(void *, char *, unsigned);
    /* from here on each may be missing */
    int (*affinity)(void *, unsigned, unsigned long *);
    int (*link_state)(void *, unsigned, unsigned *);
    int (*link_version)(void *, unsigned, unsigned *);
    int (*link_pci)(void *, unsigned, struct pci_info *);
    int (*link_type)(void *, unsigned, unsigned *);
};

bool nvml_there(void)
{
    return access("/dev/nvidiactl", F_OK) == 0 ||
           access("/proc/driver/nvidia", F_OK) == 0;
}

static int find_symbols(struct library *l, struct gm_error *err)
{
    const struct {
        const char *name;
        void *to; /* a pointer to a function pointer */
        bool needed;
    } rows[] = {
        {"nvmlInit_v2", &l->init, true},
        {"nvmlShutdown", &l->shutdown, true},
        {"nvmlDeviceGetCount_v2", &l->count, true},
        {"nvmlDeviceGetHandleByIndex_v2", &l->handle, true},
        {"nvmlDeviceGetPciInfo_v3", &l->pci, true},
        {"nvmlDeviceGetName", &l->name, true},
        {"nvmlDeviceGetCpuAffinity", &l->affinity, false},
        {"nvmlDeviceGetNvLinkState", &l->link_state, false},
        {"nvmlDeviceGetNvLinkVersion", &l->link_version, false},
        {"nvmlDeviceGetNvLinkRemotePciInfo_v2", &l->link_pci, false},
        {"nvmlDeviceGetNvLinkRemoteDeviceType", &l->link_type, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        void *symbol = dso_symbol(l->dso, rows[i].name);
        if (symbol == NULL && rows[i].needed)
            return gm_fail(err, -ENODEV, "NVML has no %s", rows[i].name);
        memcpy(rows[i].to, &symbol, sizeof(symbol));
    }
    return 0;
}

/* As hwloc writes it: NVML has eight digits for the domain and capitals. */
static void write_address(const struct pci_info *p, char ret[16])
{
    (void)snprintf(ret,
                   16,
                   "%04x:%02x:%02x.0",
                   p->domain & 0xfffffff,
                   p->bus & 0xff,
                   p->device & 0xff);
}

static struct idset *read_affinity(const struct library *l, void *d)
{
    unsigned long words[CPU_WORDS] = {0};
    enum { BITS = CHAR_BIT * sizeof(words[0]) };
    if (l->affinity == NULL || l->affinity(d, CPU_WORDS, words) != 0)
        return NULL;
    struct idset *set = idset_make();
    for (unsigned i = 0; i < CPU_WORDS * BITS; i++) {
        if ((words[i / BITS] >> (i % BITS) & 1) != 0)
            idset_add(set, i);
    }
    return set;
}

/* MB/s of one link in one direction. */
static uint32_t link_speed(const struct library *l, void *d, unsigned link)
{
    static const uint32_t speeds[] = {20000, 20000, 25000, 25000, 25000, 50000};
    const unsigned last = sizeof(speeds) / sizeof(speeds[0]) - 1;
    unsigned version = 0;
    if (l->link_version == NULL || l->link_version(d, link, &version) != 0)
        version = 0;
    return speeds[version < last ? version : last];
}

struct links {
    uint32_t *to;                  /* [n * n] direct ones */
    uint32_t to_switch[MOST_GPUS]; /* by GPU */
    bool any;
};

static void add_link(const struct library *l,
                     const struct nvml_report *r,
                     unsigned gpu,
                     void *d,
                     unsigned link,
                     struct links *links)
{
    unsigned active = 0, type = 0;
    if (l->link_state(d, link, &active) != 0 || active == 0)
        return;
    uint32_t speed = link_speed(l, d, link);
    if (l->link_type != NULL && l->link_type(d, link, &type) == 0 &&
        type == REMOTE_SWITCH) {
        links->to_switch[gpu] += speed;
        links->any = true;
        return;
    }
    struct pci_info there = {0};
    if (l->link_pci == NULL || l->link_pci(d, link, &there) != 0)
        return;
    char pci[16];
    write_address(&there, pci);
    for (unsigned i = 0; i < r->n; i++) {
        if (i != gpu && strcmp(r->gpus[i].pci, pci) == 0) {
            links->to[gpu * r->n + i] += speed;
            links->any = true;
        }
    }
}

static void
read_links(const struct library *l, void *const *devices, struct nvml_report *r)
{
    struct links links = {.to = xcalloc(xmul(r->n, r->n), sizeof(uint32_t))};
    for (unsigned i = 0; l->link_state != NULL && i < r->n; i++) {
        for (unsigned link = 0; link < MOST_LINKS; link++)
            add_link(l, r, i, devices[i], link, &links);
    }
    for (unsigned i = 0; i < r->n; i++) {
        for (unsigned k = 0; k < r->n; k++) {
            uint32_t a = links.to_switch[i], b = links.to_switch[k];
            if (i != k)
                links.to[i * r->n + k] += a < b ? a : b;
        }
    }
    if (links.any)
        r->links = links.to;
    else
        free(links.to);
}

static int read_all(const struct library *l, struct nvml_report *r, struct gm_error *err)
{
    unsigned n = 0;
    if (l->count(&n) != 0)
        return gm_fail(err, -ENODEV, "NVML does not count its GPUs");
    n = n < MOST_GPUS ? n : MOST_GPUS;
    void *devices[MOST_GPUS] = {0};
    r->gpus = xcalloc(n, sizeof(*r->gpus));
    for (unsigned i = 0; i < n; i++) {
        struct pci_info pci = {0};
        struct nvml_gpu *g = &r->gpus[r->n];
        /* one that was lost (XID 79) has a place, but answers nothing */
        if (l->handle(i, &devices[r->n]) != 0 || l->pci(devices[r->n], &pci) != 0)
            continue;
        write_address(&pci, g->pci);
        if (l->name(devices[r->n], g->name, sizeof(g->name)) != 0)
            g->name[0] = '\0';
        g->name[sizeof(g->name) - 1] = '\0';
        g->cpus = read_affinity(l, devices[r->n]);
        r->n++;
    }
    if (r->n > 1)
        read_links(l, devices, r);
    return 0;
}

int nvml_read(const char *library, struct nvml_report **ret, struct gm_error *err)
{
    AUTO(dso) dso = NULL;
    if (dso_open(library, &dso, err) != 0)
        return gm_prefix(err, "NVML"), -ENODEV;
    struct library l = {.dso = dso};
    int rc = find_symbols(&l, err);
    if (rc == 0 && l.init() != 0)
        rc = gm_fail(err, -ENODEV, "NVML does not start (%s)", library);
    if (rc != 0)
        return rc;
    AUTO(nvml_report) r = xcalloc(1, sizeof(*r));
    rc = read_all(&l, r, err);
    (void)l.shutdown();
    if (rc == 0)
        *ret = steal(&r);
    return rc;
}

void nvml_report_free(struct nvml_report *r)
{
    if (r == NULL)
        return;
    for (unsigned i = 0; i < r->n; i++)
        idset_free(r->gpus[i].cpus);
    free(r->gpus);
    free(r->links);
    free(r);
}
