/* Machines of up to 16,384 hosts: `bench/run topo` runs this and checks its lines
 * (bench/README.md has the schema).
 *
 * Fluxion's published case is 16,384 nodes of 64 cores and 4 GPUs: 70.6 s to load, 1.8 s
 * a match, on another machine; so its figures stand in floor_how and give no ratio. Here
 * jobs of three kinds are placed and claimed until the machine is full, each timed alone.
 *
 * Floors: to load, copying the bytes that came out; to match, one scan over the words of
 * the free PUs of all hosts; to claim, flipping the same bits in a flat bitmap. */
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/str.h"
#include "sched/place.h"
#include "topo/cluster.h"
#include <malloc.h>
#include <stdlib.h>

enum { TURNS = 7, FLUXION_HOSTS = 16384, JOBS = 1 << 16 };

struct samples {
    double *v;
    size_t n;
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void add(struct samples *s, double v)
{
    s->v = xrealloc(s->v, s->n + 1, sizeof(*s->v));
    s->v[s->n++] = v;
}

/* The q-th quantile, by the nearest rank. */
static double quantile(struct samples *s, double q)
{
    if (s->n == 0) /* a bench that measured nothing says 0 */
        return 0;
    qsort(s->v, s->n, sizeof(s->v[0]), by_value);
    return s->v[(size_t)(q * (double)(s->n - 1) + 0.5)];
}

/* floor 0: there is none. The samples are freed. */
static void
line(const char *name, const char *unit, struct samples *s, double floor, const char *how)
{
    AUTO_JSON j = {0};
    double value = quantile(s, 0.5);
    json_begin(&j, '{');
    json_put_string(&j, "suite", "topo");
    json_put_string(&j, "name", name);
    json_put_double(&j, "value", value);
    json_put_string(&j, "unit", unit);
    json_key(&j, "floor");
    if (floor > 0)
        json_double(&j, floor);
    else
        json_null(&j);
    json_put_string(&j, "floor_how", how);
    json_key(&j, "peer");
    json_null(&j);
    json_key(&j, "ratio");
    if (floor > 0)
        json_double(&j, value / floor);
    else
        json_null(&j);
    json_put_int(&j, "n", (int64_t)s->n);
    json_put_double(&j, "p50", value);
    json_put_double(&j, "p95", quantile(s, 0.95));
    json_end(&j, '}');
    (void)puts(str_text(&j.out));
    (void)fflush(stdout);
    free(s->v);
    *s = (struct samples){0};
}

static _Noreturn void fail(const char *what, const struct gm_error *err)
{
    (void)fprintf(stderr, "bench_topo: %s: %s\n", what, err->text);
    exit(1);
}

static size_t bytes_now(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static uint64_t resources(const struct restree *tree)
{
    uint64_t n = 0;
    for (unsigned h = 0; h < tree->n_hosts; h++)
        n += restree_shape(tree, h)->n_nodes;
    return n;
}

/* Milliseconds to copy so many bytes. */
static double copy_ms(size_t n)
{
    AUTO_FREE(char) from = xcalloc(n, 1);
    AUTO_FREE(char) to = xcalloc(n, 1);
    memset(from, 1, n);
    memset(to, 2, n);
    double start = clock_monotonic();
    memcpy(to, from, n);
    __asm__ volatile("" : : "r"(to) : "memory");
    return (clock_monotonic() - start) * 1e3;
}

/* Milliseconds to count the free PUs of all hosts by their words. */
static double scan_ms(const struct restree *tree)
{
    size_t n = 0;
    for (unsigned h = 0; h < tree->n_hosts; h++)
        n += (restree_shape(tree, h)->n_pus + 63) / 64;
    AUTO_FREE(uint64_t) words = xcalloc(n, sizeof(*words));
    memset(words, 0x5a, n * sizeof(*words));
    double best = 1e9;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        uint64_t count = 0;
        double start = clock_monotonic();
        for (size_t i = 0; i < n; i++)
            count += (uint64_t)__builtin_popcountll(words[i]);
        __asm__ volatile("" : : "r"(count));
        double ms = (clock_monotonic() - start) * 1e3;
        best = ms < best ? ms : best;
    }
    return best;
}

/* ---- machines ---- */

static char *write_cluster(unsigned hosts, const char *topology)
{
    struct str path = {0};
    AUTO_STR text = {0};
    struct gm_error err = {0};
    const char *tmp = getenv("TMPDIR");
    str_printf(&path, "%s/bench-topo-%d.yaml", tmp != NULL ? tmp : "/tmp", (int)getpid());
    str_printf(&text,
               "hosts:\n"
               "  - {name: \"a[1-%u]\", topology: \"%s\"}\n",
               hosts > 1 ? hosts / 2 : 1,
               topology);
    if (hosts > 1)
        str_printf(&text,
                   "  - {name: \"b[1-%u]\", topology: \"%s\", properties: [blue]}\n",
                   hosts - hosts / 2,
                   topology);
    if (file_write(path.text, text.text, text.len, &err) != 0)
        fail("a cluster file", &err);
    return str_steal(&path);
}

struct machine {
    struct restree *tree;
    struct occupancy *occ;
};

static struct machine load(const char *file)
{
    struct machine m = {0};
    struct gm_error err = {0};
    if (cluster_load(file, &m.tree, &err) != 0)
        fail("loading", &err);
    m.occ = occupancy_make(m.tree);
    return m;
}

static void unload(struct machine *m)
{
    occupancy_free(m->occ);
    restree_free(m->tree);
}

/* From the file to a machine on which jobs can be placed; the last one is kept. */
static struct machine bench_load(const char *name, unsigned hosts, const char *topology)
{
    AUTO_FREE(char) file = write_cluster(hosts, topology);
    struct samples ms = {0};
    struct machine m = {0};
    size_t before = bytes_now(), bytes = 0;
    for (unsigned turn = 0; turn <= TURNS; turn++) {
        unload(&m);
        double start = clock_monotonic();
        m = load(file);
        if (turn > 0)
            add(&ms, (clock_monotonic() - start) * 1e3);
        bytes = bytes_now() - before;
    }
    (void)unlink(file);
    AUTO_STR how = {0};
    str_printf(&how,
               "memcpy of the %zu bytes that it is; published for %u nodes: Fluxion "
               "70.6 s, another machine",
               bytes,
               (unsigned)FLUXION_HOSTS);
    line(name, "ms", &ms, copy_ms(bytes), how.text);
    return m;
}

/* ---- jobs ---- */

static void claim(struct occupancy *occ, const struct placement *p)
{
    struct gm_error err = {0};
    for (unsigned r = 0; r < p->n_ranks; r++) {
        const struct place_seat *s = &p->seats[r];
        if (occupancy_claim(occ, s->host, s->pus, s->gpus, &err) != 0)
            fail("a seat that is not free", &err);
    }
}

static void
bench_map(const char *name, const struct machine *m, const struct place_request *req)
{
    struct samples ms = {0};
    struct gm_error err = {0};
    for (unsigned turn = 0; turn <= TURNS; turn++) {
        struct placement *p = NULL;
        double start = clock_monotonic();
        if (place_map(m->tree, m->occ, req, &p, &err) != 0)
            fail(name, &err);
        if (turn > 0)
            add(&ms, (clock_monotonic() - start) * 1e3);
        placement_free(p);
    }
    line(name, "ms", &ms, scan_ms(m->tree), "one scan over the words of the free PUs");
}

/* One job after the other, each beside those before it, until none has room. */
static void
bench_fill(const char *name, const struct machine *m, const struct place_request *req)
{
    AUTO(occupancy) occ = occupancy_dup(m->occ);
    struct samples ms = {0};
    struct gm_error err = {0};
    int rc = 0;
    for (unsigned job = 0; job < JOBS && rc == 0; job++) {
        struct placement *p = NULL;
        double start = clock_monotonic();
        rc = place_map(m->tree, occ, req, &p, &err);
        if (rc == 0) {
            add(&ms, (clock_monotonic() - start) * 1e3);
            claim(occ, p);
        }
        placement_free(p);
    }
    if (rc != 0 && rc != -ENOSPC)
        fail(name, &err);
    line(name,
         "ms",
         &ms,
         scan_ms(m->tree),
         "one scan over the words of the free PUs; published: Fluxion 1.8 s, another "
         "machine");
}

static struct idset *hosts_with_property(const struct restree *tree)
{
    struct idset *set = idset_make();
    for (unsigned h = 0; h < tree->n_hosts; h++) {
        if (tree->properties[tree->hosts[h].properties].n > 0)
            idset_add(set, h);
    }
    return set;
}

static void bench_fluxion(const struct machine *m)
{
    AUTO(idset) blue = hosts_with_property(m->tree);
    const struct place_request node = {.ranks = 64, .nodes = 1, .mapping = "auto"};
    const struct place_request nodes = {
        .ranks = 4, .nodes = 4, .cores = 64, .gpus = 4, .mapping = "auto"};
    const struct place_request part = {.ranks = 24, .mapping = "pack"};
    const struct place_request gpus = {
        .ranks = 10, .cores = 4, .gpus = 1, .mapping = "gpu-near", .hosts = blue};
    bench_fill("match 1 node x 64 ranks", m, &node);
    bench_fill("match 4 nodes, whole", m, &nodes);
    bench_fill("match 24 ranks on a host", m, &part);
    bench_fill("match 10 GPUs, a property", m, &gpus);
}

/* ---- claims ---- */

/* Slots of 4 cores and a GPU, one on each of many hosts. */
static double flip_ns(const struct idset *pus, unsigned hosts)
{
    unsigned n_words = pus->n_words + 1; /* one for the GPUs */
    AUTO_FREE(uint64_t) words = xcalloc((size_t)hosts * n_words, sizeof(*words));
    double start = clock_monotonic();
    for (unsigned h = 0; h < hosts; h++) {
        for (unsigned i = 0; i < pus->n_words; i++)
            words[h * n_words + i] ^= pus->words[i];
        words[h * n_words + pus->n_words] ^= 1;
    }
    __asm__ volatile("" : : "r"(words) : "memory");
    return (clock_monotonic() - start) * 1e9 / hosts;
}

static void bench_claims(const struct machine *m)
{
    const struct place_request req = {
        .ranks = 1, .cores = 4, .gpus = 1, .mapping = "gpu-near"};
    AUTO(placement) p = NULL;
    struct gm_error err = {0};
    struct samples claims = {0}, releases = {0}, copies = {0};
    if (place_map(m->tree, m->occ, &req, &p, &err) != 0)
        fail("a slot", &err);
    const struct place_seat *s = &p->seats[0];
    unsigned n = m->tree->n_hosts;
    for (unsigned turn = 0; turn <= TURNS; turn++) {
        double start = clock_monotonic();
        AUTO(occupancy) occ = occupancy_dup(m->occ);
        double dup = clock_monotonic();
        for (unsigned h = 0; h < n; h++)
            (void)occupancy_claim(occ, h, s->pus, s->gpus, &err);
        double held = clock_monotonic();
        for (unsigned h = 0; h < n; h++)
            occupancy_release(occ, h, s->pus, s->gpus);
        double end = clock_monotonic();
        if (turn == 0)
            continue;
        add(&copies, (dup - start) * 1e6);
        add(&claims, (held - dup) * 1e9 / n);
        add(&releases, (end - held) * 1e9 / n);
    }
    const char *how = "the same bits in a flat bitmap";
    line("claim a slot", "ns", &claims, flip_ns(s->pus, n), how);
    line("release a slot", "ns", &releases, flip_ns(s->pus, n), how);
    line("copy for an attempt", "us", &copies, 0, "");
}

/* With every host touched, so that none shares its shape's state. */
static void bench_bytes(void)
{
    AUTO_FREE(char)
    file = write_cluster(FLUXION_HOSTS, "pack:2 numa:2 core:16 pu:1 gpu:1");
    struct samples each = {0};
    AUTO(idset) pus = idset_make();
    struct gm_error err = {0};
    idset_add(pus, 0);
    size_t before = bytes_now();
    struct machine m = load(file);
    for (unsigned h = 0; h < m.tree->n_hosts; h++) {
        if (occupancy_claim(m.occ, h, pus, NULL, &err) != 0)
            fail("claiming", &err);
    }
    add(&each, (double)(bytes_now() - before) / (double)resources(m.tree));
    (void)unlink(file);
    unload(&m);
    line("bytes a resource, all hosts touched",
         "B",
         &each,
         0.125,
         "a bit; tree and occupancy, the shape shared by all hosts");
}

int main(void)
{
    static const unsigned sizes[] = {1, 100, 10000};
    bench_bytes();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        AUTO_STR name = {0};
        str_printf(&name, "load %u hosts x 128 cores", sizes[i]);
        struct machine m =
            bench_load(name.text, sizes[i], "pack:2 numa:4 core:16 pu:2 gpu:1");
        const struct place_request gpus = {.mapping = "gpu-near"};
        str_clear(&name);
        str_printf(&name, "map a rank a GPU, %u hosts", sizes[i]);
        bench_map(name.text, &m, &gpus);
        const struct place_request cores = {.ranks = 128, .mapping = "pack"};
        str_clear(&name);
        str_printf(&name, "map 128 ranks, %u hosts", sizes[i]);
        bench_map(name.text, &m, &cores);
        unload(&m);
    }
    struct machine m = bench_load("load 16384 x 64 cores x 4 GPUs",
                                  FLUXION_HOSTS,
                                  "pack:2 numa:2 core:16 pu:1 gpu:1");
    bench_fluxion(&m);
    bench_claims(&m);
    unload(&m);
    return 0;
}
